/**
 * The graph of one step of ascent towards the largest margin of a class: classify, margin, gradient, projected update.
 *
 * Objective for class t (Wang et al. 2024, MM-BD): `logit_t(x) − max_{k ≠ t} logit_k(x)`, maximised over images x in the box
 * [0, 255]. Starts are independent: their margins are summed and no term couples them.
 */

import { gradientName } from '../autodiff/gradient.ts';
import type { Preprocess } from '../data/preprocess.ts';
import { appendClassifier, builderFor } from '../data/raw-classifier.ts';
import type { Classifier } from '../model/classifier.ts';
import { differentiateFor } from '../model/compile.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';
import { canonicalModel } from '../onnx/model.ts';
import { float32, sizeOf, type Tensor } from '../onnx/tensor.ts';
import type { Runtime, Session, SessionOptions } from '../runtime/session.ts';
import { detectPrefix } from './stamped-model.ts';

export interface MarginGraphOptions {
  readonly preprocess: Preprocess;
  /** Images that are moved together. */
  readonly starts: number;
}

/** [S, C, H, W] */
export const pixelDims = ({ input }: Classifier, starts: number): readonly number[] => [
  starts,
  input.channels,
  input.height,
  input.width,
];

/** Opens the session of {@link marginGraph}. */
export async function openMargins(
  runtime: Runtime,
  classifier: Classifier,
  options: MarginGraphOptions,
  session: SessionOptions = {},
): Promise<Session> {
  return runtime.open(canonicalModel(await marginGraph(runtime, classifier, options, session)), session);
}

/**
 * Inputs: `pixels` [S,C,H,W] raw pixels in [0,255], `target` [1,K] one-hot, `rate` [] (how far a pixel moves, in pixel values).
 * Outputs: `margin` [S] of the pixels as they came in, and `pixels_next` [S,C,H,W] after the step.
 *
 * A step goes along the sign of the gradient: logits of one model are hundreds of times larger than those of another, and so are
 * their gradients, but the box is the same for all.
 *
 * @throws NeuralCleanseError what {@link differentiateFor} throws
 */
export async function marginGraph(
  runtime: Runtime,
  classifier: Classifier,
  options: MarginGraphOptions,
  session: SessionOptions = {},
): Promise<Graph> {
  const dims = pixelDims(classifier, options.starts);
  const zeros = (of: readonly number[]): Tensor => float32(of, new Float32Array(sizeOf(of)));
  const differentiated = await differentiateFor(runtime, forwardGraph(classifier, options), {
    ...session,
    loss: 'total',
    wrt: ['pixels'],
    example: { pixels: zeros(dims), target: zeros([1, classifier.classes]) },
  });
  const margin = differentiated.outputs.filter(({ name }) => name === 'margin');
  const b = new GraphBuilder({ ...differentiated, outputs: margin }, 'nc/ascent/');
  const rate = b.input('rate', 'float32', []);
  const moved = b.add('pixels', b.mul(rate, b.op('Sign', [gradientName('pixels')])));
  b.output(b.op('Clip', [moved, b.scalar(0), b.scalar(255)]), 'float32', dims, 'pixels_next');
  return b.build();
}

function forwardGraph(classifier: Classifier, { preprocess, starts }: MarginGraphOptions): Graph {
  const b = builderFor(classifier, detectPrefix);
  const pixels = b.input('pixels', 'float32', pixelDims(classifier, starts));
  const target = b.input('target', 'float32', [1, classifier.classes]);
  const logits = appendClassifier(b, classifier, pixels, preprocess);
  const own = b.reduceSum(b.mul(logits, target), [1], false);
  // Not a large number taken from the target's own logit: what is large depends on the model.
  const others = b.where(b.cast(target, 'bool'), b.scalar(lowest), logits);
  const margin = b.sub(own, b.reduce('ReduceMax', others, [1], false));
  b.output(margin, 'float32', [starts], 'margin');
  b.output(b.reduceSum(margin, undefined, false), 'float32', [], 'total');
  return b.build();
}

/** Below every logit, and finite in float32. */
const lowest = -3e38;

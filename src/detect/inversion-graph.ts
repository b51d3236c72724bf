/**
 * The graph of one inversion step for several labels at once: stamp, classify, loss, gradients, Adam update.
 *
 * Objective of label t (Wang et al. 2019, eq. 3): `Σ_n CE(f(stamp(x_n)), t) + N·λ·reg(mask)`, minimised over mask and
 * pattern. Labels are independent: their objectives are summed and no term couples them.
 */

import { gradientName } from '../autodiff/gradient.ts';
import { crossEntropy } from '../autodiff/losses.ts';
import type { Preprocess } from '../data/preprocess.ts';
import { appendClassifier, builderFor } from '../data/raw-classifier.ts';
import type { Classifier } from '../model/classifier.ts';
import { differentiateFor } from '../model/compile.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { type Graph, int, string } from '../onnx/graph.ts';
import { canonicalModel } from '../onnx/model.ts';
import { float32, sizeOf, type Tensor } from '../onnx/tensor.ts';
import type { Runtime, Session, SessionOptions } from '../runtime/session.ts';
import { detectPrefix, stamp } from './stamped-model.ts';

export type Regularizer = 'l1' | 'l2' | 'none';

export interface InversionGraphOptions {
  readonly preprocess: Preprocess;
  /** Labels optimised together. */
  readonly labels: number;
  /** Images a label sees in one step. */
  readonly batch: number;
  readonly regularizer: Regularizer;
  /** Edge of the super-pixels of the mask, in pixels. */
  readonly upsample: number;
  readonly adam: AdamSettings;
}

export interface AdamSettings {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** The settings of the original. */
export const originalAdam: AdamSettings = { learningRate: 0.1, beta1: 0.5, beta2: 0.9, epsilon: 1e-7 };

/** The ε that keeps atanh finite at a mask of exactly 0 or 1, as in the original. */
export const tanhMargin = 1e-7;

/** Shapes of one label's parameters, without the label axis. */
export interface ParameterDims {
  /** [1, 1, ⌈H/u⌉, ⌈W/u⌉] */
  readonly mask: readonly number[];
  /** [1, C, H, W] */
  readonly pattern: readonly number[];
}

export const parameterDims = ({ input }: Classifier, upsample: number): ParameterDims => ({
  mask: [1, 1, Math.ceil(input.height / upsample), Math.ceil(input.width / upsample)],
  pattern: [1, input.channels, input.height, input.width],
});

/** What is optimised, with Adam's moments: in and out of every step. */
export const parameters = ['mask', 'pattern'] as const;
export type Parameter = (typeof parameters)[number];

export const parameterName = (p: Parameter): string => `theta_${p}`;
export const momentName = (p: Parameter, order: 1 | 2): string => `moment${order}_${p}`;
/** Name of the output that holds the value of an input after the step. */
export const updatedName = (name: string): string => `${name}_next`;

/** Opens the session of {@link inversionGraph}. */
export async function openInversion(
  runtime: Runtime,
  classifier: Classifier,
  options: InversionGraphOptions,
  session: SessionOptions = {},
): Promise<Session> {
  return runtime.open(canonicalModel(await inversionGraph(runtime, classifier, options, session)), session);
}

/**
 * Inputs: `images` [L,N,C,H,W] raw pixels in [0,255], `targets` [L,1,K] one-hot, `cost` [L] (λ), `rate` [L] (Adam's
 * bias-corrected step size), and for each parameter θ its value and its two moments, each [L, …dims].
 * Outputs: the same parameters and moments after the step, and as measured before it `cross_entropy` [L] (mean over the
 * images), `norm` [L] (the regulariser; of the mask in pixels for l1) and `asr` [L] (share of images classified as target).
 */
export async function inversionGraph(
  runtime: Runtime,
  classifier: Classifier,
  options: InversionGraphOptions,
  session: SessionOptions = {},
): Promise<Graph> {
  const forward = forwardGraph(classifier, options);
  const { mask, pattern } = parameterDims(classifier, options.upsample);
  const { labels, batch } = options;
  const zeros = (dims: readonly number[]): Tensor => float32(dims, new Float32Array(sizeOf(dims)));
  const example = {
    images: zeros([labels, batch, ...pattern.slice(1)]),
    targets: zeros([labels, 1, classifier.classes]),
    cost: zeros([labels]),
    [parameterName('mask')]: zeros([labels, ...mask]),
    [parameterName('pattern')]: zeros([labels, ...pattern]),
  };
  const differentiated = await differentiateFor(runtime, forward, {
    ...session,
    loss: 'loss',
    wrt: parameters.map(parameterName),
    example,
  });
  return withAdam(differentiated, classifier, options);
}

function forwardGraph(classifier: Classifier, options: InversionGraphOptions): Graph {
  const { labels, batch, preprocess, regularizer, upsample } = options;
  const { height, width, channels } = classifier.input;
  const dims = parameterDims(classifier, upsample);
  const b = builderFor(classifier, detectPrefix);
  const images = b.input('images', 'float32', [labels, batch, channels, height, width]);
  const targets = b.input('targets', 'float32', [labels, 1, classifier.classes]);
  const cost = b.input('cost', 'float32', [labels]);
  const thetaMask = b.input(parameterName('mask'), 'float32', [labels, ...dims.mask]);
  const thetaPattern = b.input(parameterName('pattern'), 'float32', [labels, ...dims.pattern]);

  const mask = enlarge(b, bounded(b, thetaMask), options, classifier);
  const pattern = b.scale(bounded(b, thetaPattern), 255);
  const stamped = b.reshape(stamp(b, images, mask, pattern), [labels * batch, channels, height, width]);
  const logits = appendClassifier(b, classifier, stamped, preprocess);

  const wanted = b.reshape(b.expand(targets, [labels, batch, classifier.classes]), [
    labels * batch,
    classifier.classes,
  ]);
  const perLabel = b.reduceSum(b.reshape(crossEntropy(b, logits, wanted), [labels, batch]), [1], false);
  const norm = maskNorm(b, mask, regularizer);
  const total = regularizer === 'none' ? perLabel : b.add(perLabel, b.mul(b.scale(cost, batch), norm));
  b.output(b.reduceSum(total, undefined, false), 'float32', [], 'loss');

  const argMax = (value: string): string => b.op('ArgMax', [value], { axis: int(-1), keepdims: int(0) });
  const hits = b.cast(b.op('Equal', [argMax(logits), argMax(wanted)]), 'float32');
  const share = (value: string): string =>
    b.scale(b.reduceSum(b.reshape(value, [labels, batch]), [1], false), 1 / batch);
  b.output(b.scale(perLabel, 1 / batch), 'float32', [labels], 'cross_entropy');
  b.output(norm, 'float32', [labels], 'norm');
  b.output(share(hits), 'float32', [labels], 'asr');
  return b.build();
}

/** `tanh(θ)/(2 − ε) + 0.5`, in [0, 1]. */
const bounded = (b: GraphBuilder, theta: string): string =>
  b.add(b.scale(b.op('Tanh', [theta]), 1 / (2 - tanhMargin)), b.scalar(0.5));

/** Super-pixels to pixels: [L,1,1,h,w] -> [L,1,1,H,W], nearest, cropped. */
function enlarge(
  b: GraphBuilder,
  mask: string,
  { upsample, labels }: InversionGraphOptions,
  { input }: Classifier,
): string {
  if (upsample === 1) return mask;
  const small = [Math.ceil(input.height / upsample), Math.ceil(input.width / upsample)];
  const flat = b.reshape(mask, [labels, 1, ...small]);
  const scales = b.constant(float32([4], [1, 1, upsample, upsample]));
  const large = b.op('Resize', [flat, '', scales], {
    mode: string('nearest'),
    coordinate_transformation_mode: string('asymmetric'),
    nearest_mode: string('floor'),
  });
  const cropped = b.slice(large, [2, 3], [0, 0], [input.height, input.width]);
  return b.reshape(cropped, [labels, 1, 1, input.height, input.width]);
}

/** [L,1,1,H,W] -> [L]. The L2 form is the root of the sum of squares, as in the original. */
function maskNorm(b: GraphBuilder, mask: string, regularizer: Regularizer): string {
  const axes = [1, 2, 3, 4];
  // A mask is never negative, so its L1 norm is its sum. With `none` the norm is still measured, but weighs nothing.
  if (regularizer !== 'l2') return b.reduceSum(mask, axes, false);
  return b.op('Sqrt', [b.reduceSum(b.mul(mask, mask), axes, false)]);
}

/** Adds the update of Kingma & Ba (2015) in the form of Keras: `θ − rate·m / (√v + ε)`. */
function withAdam(graph: Graph, classifier: Classifier, options: InversionGraphOptions): Graph {
  const { labels, upsample, adam } = options;
  const dims = parameterDims(classifier, upsample);
  const measured = graph.outputs.filter((o) => ['cross_entropy', 'norm', 'asr'].includes(o.name));
  const b = new GraphBuilder({ ...graph, outputs: measured }, 'nc/adam/');
  const rate = b.reshape(b.input('rate', 'float32', [labels]), [labels, 1, 1, 1, 1]);
  const blend = (decay: number, old: string, fresh: string): string =>
    b.add(b.scale(old, decay), b.scale(fresh, 1 - decay));
  for (const p of parameters) {
    const shape = [labels, ...dims[p]];
    const theta = parameterName(p);
    const gradient = gradientName(theta);
    const first = blend(adam.beta1, b.input(momentName(p, 1), 'float32', shape), gradient);
    const second = blend(adam.beta2, b.input(momentName(p, 2), 'float32', shape), b.mul(gradient, gradient));
    const direction = b.div(first, b.add(b.op('Sqrt', [second]), b.scalar(adam.epsilon)));
    b.output(b.sub(theta, b.mul(rate, direction)), 'float32', shape, updatedName(theta));
    b.output(first, 'float32', shape, updatedName(momentName(p, 1)));
    b.output(second, 'float32', shape, updatedName(momentName(p, 2)));
  }
  return b.build();
}

/** The graph of one training step: preprocess, classify, loss, gradients, update of weights and running statistics. */

import { gradientName } from '../autodiff/gradient.ts';
import { crossEntropy } from '../autodiff/losses.ts';
import { appendClassifier, builderFor } from '../data/raw-classifier.ts';
import type { Classifier } from '../model/classifier.ts';
import { differentiateFor } from '../model/compile.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { type Graph, int, type Model } from '../onnx/graph.ts';
import { canonicalModel } from '../onnx/model.ts';
import { float32, sizeOf, type Tensor } from '../onnx/tensor.ts';
import { withBlockedOperators } from '../passes/blocked-convolution.ts';
import { type DropoutMask, trainingForm } from '../passes/training-form.ts';
import { probe } from '../runtime/probe.ts';
import type { Runtime, SessionOptions } from '../runtime/session.ts';
import { blockSizeOf } from './block-size.ts';
import { appendUpdate, rateCount, stateNames } from './optimizer.ts';
import type { TrainingSettings } from './settings.ts';

export interface StepGraphOptions extends Pick<TrainingSettings, 'optimizer' | 'preprocess' | 'dropout'> {
  /** Images in the mini-batch. */
  readonly batch: number;
  /** Initializers of the classifier's graph. */
  readonly trainable: readonly string[];
  /** See {@link trainingForm}. */
  readonly statistics: ReadonlySet<string>;
}

/** Feeds: `images` [N,C,H,W] in [0, 255], `targets` [N,K], `rates`, the masks, and every tensor of the state. */
export interface StepGraph {
  readonly graph: Graph;
  readonly masks: readonly DropoutMask[];
  /** What goes in and, under {@link updatedName}, comes out of every step: weights, their optimiser state, running statistics. */
  readonly state: ReadonlyMap<string, Tensor>;
}

/** A step graph, or a part of one, as a model. */
export const stepModel = (graph: Graph): Model => withBlockedOperators(canonicalModel(graph));

/** Name of the output that holds the next value of a tensor of the state. */
export const updatedName = (name: string): string => `next:${name}`;

/** Name of a tensor that the optimiser keeps for a weight. */
export const stateName = (kind: string, weight: string): string => `${kind}:${weight}`;

/**
 * Builds the graph of one step for mini-batches of `batch` images.
 *
 * Outputs `loss` (cross entropy, mean over the mini-batch) and `correct` (images whose largest logit is their label's),
 * both measured before the update.
 *
 * @throws NeuralCleanseError see {@link differentiateFor}
 */
export async function stepGraph(
  runtime: Runtime,
  classifier: Classifier,
  options: StepGraphOptions,
  session: SessionOptions,
): Promise<StepGraph> {
  const { batch, trainable, optimizer } = options;
  const { channels, height, width } = classifier.input;
  const pixels = [batch, channels, height, width];
  const shapes = await shapesOf(runtime, classifier, options);
  const blockSize = await blockSizeOf(runtime, session);
  const form = trainingForm(classifier.graph, {
    shapes,
    dropout: options.dropout,
    statistics: options.statistics,
  });
  const initial = classifier.graph.initializers;
  const running = [...form.updated.keys()];
  const weights = new Set(trainable);
  const graph: Graph = {
    ...form.graph,
    initializers: new Map(
      [...form.graph.initializers].filter(([name]) => !weights.has(name) && !running.includes(name)),
    ),
  };

  const b = builderFor({ graph }, 'nc/train/');
  b.input('images', 'float32', pixels);
  b.input('targets', 'float32', [batch, classifier.classes]);
  for (const mask of form.masks) b.input(mask.input, 'float32', mask.dims);
  for (const name of [...trainable, ...running]) b.input(name, 'float32', initial.get(name)!.dims);
  const logits = appendClassifier(b, { ...classifier, graph }, 'images', options.preprocess);
  const total = b.reduceSum(crossEntropy(b, logits, 'targets'), undefined, false);
  b.output(b.scale(total, 1 / batch), 'float32', [], 'loss');
  const argMax = (value: string): string => b.op('ArgMax', [value], { axis: int(-1), keepdims: int(0) });
  const hits = b.cast(b.op('Equal', [argMax(logits), argMax('targets')]), 'float32');
  b.output(b.reduceSum(hits, undefined, false), 'float32', [], 'correct');
  for (const [name, updated] of form.updated) {
    b.output(updated, 'float32', initial.get(name)!.dims, updatedName(name));
  }

  const zeros = (dims: readonly number[]): Tensor => float32(dims, new Float32Array(sizeOf(dims)));
  const differentiated = await differentiateFor(runtime, b.build(), {
    ...session,
    loss: 'loss',
    wrt: trainable,
    blockSize,
    example: {
      images: zeros(pixels),
      targets: zeros([batch, classifier.classes]),
      ...Object.fromEntries(form.masks.map((m) => [m.input, zeros(m.dims)])),
      ...Object.fromEntries([...trainable, ...running].map((name) => [name, initial.get(name)!])),
    },
  });
  const state = new Map<string, Tensor>();
  for (const name of [...trainable, ...running]) state.set(name, initial.get(name)!);
  for (const name of trainable) {
    for (const kind of stateNames(optimizer))
      state.set(stateName(kind, name), zeros(initial.get(name)!.dims));
  }
  return { graph: withUpdates(differentiated, trainable, state, options), masks: form.masks, state };
}

async function shapesOf(
  runtime: Runtime,
  { graph, input }: Classifier,
  { batch }: StepGraphOptions,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const { channels, height, width } = input;
  const dims = input.layout === 'NCHW' ? [batch, channels, height, width] : [batch, height, width, channels];
  const example = { [input.name]: float32(dims, new Float32Array(sizeOf(dims))) };
  return (await probe(runtime, canonicalModel(graph), example)).shapes;
}

function withUpdates(
  graph: Graph,
  trainable: readonly string[],
  state: ReadonlyMap<string, Tensor>,
  { optimizer }: StepGraphOptions,
): Graph {
  const gradients = new Set(trainable.map(gradientName));
  const b = new GraphBuilder(
    { ...graph, outputs: graph.outputs.filter((o) => !gradients.has(o.name)) },
    'nc/update/',
  );
  b.input('rates', 'float32', [rateCount]);
  const rate = Array.from({ length: rateCount }, (_, i) => b.slice('rates', [0], [i], [i + 1]));
  for (const weight of trainable) {
    const { dims } = state.get(weight)!;
    const kinds = stateNames(optimizer).map((kind) => stateName(kind, weight));
    for (const kind of kinds) b.input(kind, 'float32', dims);
    const next = { weight: updatedName(weight), state: kinds.map(updatedName) };
    appendUpdate(b, optimizer, { weight, state: kinds }, gradientName(weight), rate, next);
    for (const name of [next.weight, ...next.state]) b.output(name, 'float32', dims);
  }
  return b.build();
}

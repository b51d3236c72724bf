/** Puts Dropout and BatchNormalization into training mode, from operators that run the same everywhere. */

import { NeuralCleanseError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { type Graph, labelOf, type Node } from '../onnx/graph.ts';
import { sizeOf, toNumbers } from '../onnx/tensor.ts';
import { attribute } from './attributes.ts';

export interface TrainingFormOptions {
  /** Concrete shapes of the values of the graph, for the mini-batch it will see. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly dropout: boolean;
  /** Running statistics that may move. BatchNormalization normalises by the mini-batch where both of its own are among them. */
  readonly statistics: ReadonlySet<string>;
}

/** A Dropout node that drops: a graph input whose elements are 0 or 1 / keep. */
export interface DropoutMask {
  readonly input: string;
  readonly dims: readonly number[];
  /** Share of the elements that are kept. */
  readonly keep: number;
}

export interface TrainingForm {
  readonly graph: Graph;
  readonly masks: readonly DropoutMask[];
  /** The initializers that hold running statistics, each with the value that replaces it after the mini-batch. */
  readonly updated: ReadonlyMap<string, string>;
}

/**
 * Dropout becomes a product with a mask that is fed: ONNX Runtime's own random numbers depend on how often a session ran
 * before, so that a resumed run would draw others.
 *
 * BatchNormalization takes its statistics from reductions of its input, which are differentiated with the rest. Its own
 * training mode counts N elements in the running variance, where PyTorch counts N − 1.
 *
 * @param graph canonical form
 * @throws NeuralCleanseError SETTING_INVALID if a mini-batch holds one value a channel, which has no variance
 */
export function trainingForm(graph: Graph, options: TrainingFormOptions): TrainingForm {
  const b = GraphBuilder.rewriting(graph, 'nc/training/');
  const masks: DropoutMask[] = [];
  const updated = new Map<string, string>();
  for (const node of graph.nodes) {
    const ratio = options.dropout && node.domain === '' ? dropoutRatio(node, graph) : 0;
    if (ratio > 0) {
      const [x, y] = [node.inputs[0]!, node.outputs[0]!];
      const dims = options.shapes.get(x)!;
      const input = b.input(b.fresh('mask'), 'float32', dims);
      masks.push({ input, dims, keep: 1 - ratio });
      b.op('Mul', [x, input], {}, { outputs: [y] });
    } else if (isNormalization(node) && node.inputs.slice(3).every((name) => options.statistics.has(name))) {
      byBatch(b, node, options.shapes.get(node.inputs[0]!)!, updated);
    } else {
      b.push(node);
    }
  }
  return { graph: b.build(), masks, updated };
}

const isNormalization = (node: Node): boolean => node.op === 'BatchNormalization' && node.domain === '';

/** The share that a Dropout node drops in training; 0 for other nodes and where the mask itself is read. */
function dropoutRatio(node: Node, graph: Graph): number {
  if (node.op !== 'Dropout' || node.outputs[1]) return 0;
  const given = node.inputs[1] ? graph.initializers.get(node.inputs[1]) : undefined;
  if (node.inputs[1] && !given) return 0;
  return given ? toNumbers(given)[0]! : 0.5;
}

/**
 * y = scale · (x − mean) / √(var + ε) + bias with mean and variance over all axes of x [N, C, …] but the channels.
 *
 * running ← momentum · running + (1 − momentum) · statistic, the variance with N − 1 in place of N elements.
 */
function byBatch(b: GraphBuilder, node: Node, shape: readonly number[], updated: Map<string, string>): void {
  const [x = '', scale = '', bias = '', runningMean = '', runningVariance = ''] = node.inputs;
  const channels = shape[1]!;
  const count = sizeOf(shape) / channels;
  if (count < 2) throw singleValue(node);
  const axes = shape.map((_, axis) => axis).filter((axis) => axis !== 1);
  const flat = (value: string): string => b.reshape(value, [channels]);
  const mean = b.reduce('ReduceMean', x, axes, true);
  const centred = b.sub(x, mean);
  const variance = flat(b.reduce('ReduceMean', b.mul(centred, centred), axes, true));
  const { epsilon } = node.attributes;
  b.op('BatchNormalization', [x, scale, bias, flat(mean), variance], epsilon ? { epsilon } : {}, {
    outputs: [node.outputs[0]!],
  });
  const momentum = attribute(node, 'momentum', 'float') ?? 0.9;
  const move = (running: string, statistic: string, factor: number): void => {
    // A layer that is used twice moves its statistics twice.
    const before = b.scale(updated.get(running) ?? running, momentum);
    updated.set(running, b.add(before, b.scale(statistic, factor * (1 - momentum))));
  };
  move(runningMean, flat(mean), 1);
  move(runningVariance, variance, count / (count - 1));
}

const singleValue = (node: Node): NeuralCleanseError =>
  new NeuralCleanseError('SETTING_INVALID', 'A mini-batch with one value a channel cannot be normalised.', {
    hint: 'Choose a batch that does not leave a single image over at the end of an epoch, or freeze batch normalization.',
    node: labelOf(node),
    op: node.op,
  });

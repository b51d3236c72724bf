/** Puts Dropout and BatchNormalization into training mode. */

import { NeuralCleanseError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { float, type Graph, int, labelOf, type Node } from '../onnx/graph.ts';
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
 * BatchNormalization is told to return the statistics of the mini-batch. The running ones are moved outside: it would count N
 * elements in the running variance, where PyTorch counts N − 1. The lowering pass writes the node out in operators that run the
 * same everywhere.
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
  const [runningMean = '', runningVariance = ''] = node.inputs.slice(3);
  const count = sizeOf(shape) / shape[1]!;
  if (count < 2) throw singleValue(node);
  const { epsilon } = node.attributes;
  // With a momentum of 0 it returns the statistics of the mini-batch.
  const attributes = { ...(epsilon && { epsilon }), momentum: float(0), training_mode: int(1) };
  const statistics = [b.fresh('mean'), b.fresh('variance')] as const;
  b.ops('BatchNormalization', node.inputs, 3, attributes, { outputs: [node.outputs[0]!, ...statistics] });
  const momentum = attribute(node, 'momentum', 'float') ?? 0.9;
  const move = (running: string, statistic: string, factor: number): void => {
    // A layer that is used twice moves its statistics twice.
    const before = b.scale(updated.get(running) ?? running, momentum);
    updated.set(running, b.add(before, b.scale(statistic, factor * (1 - momentum))));
  };
  move(runningMean, statistics[0], 1);
  move(runningVariance, statistics[1], count / (count - 1));
}

const singleValue = (node: Node): NeuralCleanseError =>
  new NeuralCleanseError('SETTING_INVALID', 'A mini-batch with one value a channel cannot be normalised.', {
    hint: 'Choose a batch that does not leave a single image over at the end of an epoch, or freeze batch normalization.',
    node: labelOf(node),
    op: node.op,
  });

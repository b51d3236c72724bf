/** Which axis of an open input holds the channels, and how many: what the first convolution behind it says. */

import { consumers, type Graph, type Node } from '../onnx/graph.ts';
import { attribute } from '../passes/attributes.ts';

export interface ChannelAxis {
  /** Axis of the input. */
  readonly axis: number;
  readonly channels: number;
}

/** Operators whose first output has the axes of the input that is followed; preprocessing inside a model consists of them. */
const axesKept = new Set([
  ...['Cast', 'Identity', 'Dropout', 'Clip', 'Abs', 'Neg', 'Pad', 'Resize', 'BatchNormalization'],
  ...['InstanceNormalization', 'QuantizeLinear', 'DequantizeLinear', 'AveragePool', 'MaxPool'],
]);

/** Elementwise operators of two inputs; the one that is followed has all axes of an image, so it sets those of the output. */
const elementwise = new Set(['Add', 'Sub', 'Mul', 'Div', 'Min', 'Max', 'Pow']);

/** The axes of a value on the way from the input, each as the axis of the input that it was. */
type Axes = readonly number[];

/**
 * Follows an input of rank 4 to the first convolution: its kernel [M, C / group, …] tells the channels C of its axis 1.
 *
 * @param graph canonical form
 * @returns `undefined` where no convolution with a constant kernel is reached by operators that keep or transpose axes
 */
export function convolvedAxis(graph: Graph, input: string): ChannelAxis | undefined {
  const readers = consumers(graph);
  const reached = new Map<string, Axes>([[input, [0, 1, 2, 3]]]);
  // A map is iterated in the order of insertion, over what is inserted on the way too: breadth first.
  for (const [name, axes] of reached) {
    for (const node of readers.get(name) ?? []) {
      if (node.op === 'Conv' && node.inputs[0] === name) {
        const channels = kernelChannels(graph, node);
        if (channels !== undefined) return { axis: axes[1]!, channels };
      }
      const moved = axesBehind(node, name, axes);
      const output = node.outputs[0];
      if (moved && output && !reached.has(output)) reached.set(output, moved);
    }
  }
  return undefined;
}

function axesBehind(node: Node, name: string, axes: Axes): Axes | undefined {
  if (node.domain !== '') return undefined;
  if (elementwise.has(node.op)) return axes;
  if (node.inputs[0] !== name) return undefined;
  if (axesKept.has(node.op)) return axes;
  if (node.op !== 'Transpose') return undefined;
  const perm = attribute(node, 'perm', 'ints') ?? [3, 2, 1, 0];
  return perm.map((axis) => axes[axis]!);
}

function kernelChannels(graph: Graph, conv: Node): number | undefined {
  const inGroup = graph.initializers.get(conv.inputs[1] ?? '')?.dims[1];
  return inGroup === undefined ? undefined : inGroup * (attribute(conv, 'group', 'int') ?? 1);
}

/** The layers whose neurons show a backdoor. */

import { NeuralCleanseError } from '../errors.ts';
import { type Classifier, modelPrefix } from '../model/classifier.ts';
import { batchDims } from '../model/image-input.ts';
import { consumers, type Graph, type Node, producers } from '../onnx/graph.ts';
import { canonicalModel } from '../onnx/model.ts';
import { float32, sizeOf } from '../onnx/tensor.ts';
import { probe } from '../runtime/probe.ts';
import type { Runtime, SessionOptions } from '../runtime/session.ts';
import { channelAxis } from './channel-axis.ts';
import { constantsOf } from './constants.ts';

/** `penultimate`, `last-conv`, or the name of a value in the model. */
export type LayerName = string;

export interface Layer {
  /** How it was asked for. */
  readonly name: LayerName;
  /** Name of its value in the model file. */
  readonly tensor: string;
  /** Name of its value in the graph of the classifier. */
  readonly value: string;
  /** Of one image, without the batch axis: [D] or, of a map, three dimensions. */
  readonly shape: readonly number[];
  /** Where the neurons lie, the batch being axis 0. In a map a neuron is a channel. */
  readonly axis: number;
  readonly neurons: number;
}

/** Operators that a layer of a network does with its activation, and that keep its neurons apart. */
const activations: ReadonlySet<string> = new Set([
  'BatchNormalization',
  'Celu',
  'Clip',
  'Dropout',
  'Elu',
  'Gelu',
  'HardSigmoid',
  'HardSwish',
  'Identity',
  'LeakyRelu',
  'Mish',
  'PRelu',
  'Relu',
  'Selu',
  'Sigmoid',
  'Softplus',
  'Softsign',
  'Tanh',
  'ThresholdedRelu',
]);

/**
 * Finds a layer in a classifier.
 *
 * - `penultimate`: what the last dense layer reads, be that a matrix product or, in networks without one, a convolution
 * - `last-conv`: the map that the last convolution before it makes, behind its normalisation and activation
 * - any other name: that value
 *
 * @throws NeuralCleanseError LAYER_NOT_FOUND; RUNTIME_FAILED
 */
export async function findLayer(
  runtime: Runtime,
  classifier: Classifier,
  name: LayerName,
  options: SessionOptions = {},
): Promise<Layer> {
  const { graph, input } = classifier;
  const value = findValue(classifier, name);
  const dims = batchDims(input, 2);
  const feeds = { [input.name]: float32(dims, new Float32Array(sizeOf(dims))) };
  const { shapes } = await probe(runtime, canonicalModel(graph), feeds, { session: options });
  const [batch, ...shape] = shapes.get(value) ?? [];
  if (batch !== 2 || (shape.length !== 1 && shape.length !== 3)) {
    throw notFound(`The value "${tensorOf(value)}" has the shape [${shapes.get(value)}] for two images.`, {
      hint: 'Name a value of shape [N, neurons], or a map of shape [N, channels, height, width].',
    });
  }
  const axis = shape.length === 1 ? 1 : channelAxis(graph, value, input);
  return { name, tensor: tensorOf(value), value, shape, axis, neurons: shape[axis - 1]! };
}

const tensorOf = (value: string): string => value.slice(modelPrefix.length);

function findValue({ graph, logits, input }: Classifier, name: LayerName): string {
  const constants = constantsOf(graph, input.name);
  if (name === 'penultimate') return penultimate(graph, logits, constants);
  if (name === 'last-conv') return lastConvolution(graph, logits, constants);
  const value = modelPrefix + name;
  const made = graph.nodes.some((node) => node.outputs.includes(value));
  if (made && ancestors(graph, logits).has(value) && !constants.has(value)) return value;
  throw notFound(
    made
      ? `The scores do not depend on images through "${name}".`
      : `The model has no inner value "${name}".`,
    { hint: 'Give penultimate, last-conv, or the name of an output of a node.' },
  );
}

function penultimate(graph: Graph, logits: string, constants: ReadonlySet<string>): string {
  const madeBy = producers(graph);
  for (let value = logits; ; ) {
    const node = madeBy.get(value);
    if (!node) break;
    const [first = ''] = node.inputs;
    if (isLinear(node, constants)) {
      if (hasLinear(graph, first, constants)) return first;
      throw notFound('The model is a single layer and has no hidden neurons.', {
        hint: 'There is nothing inside of it that a filter could watch or that could be pruned.',
      });
    }
    const variable = node.inputs.filter((name) => name && !constants.has(name));
    if (variable.length !== 1) break;
    value = variable[0]!;
  }
  throw notFound('The model does not end in one dense layer.', {
    hint: 'Name the value of a hidden layer with --layer.',
  });
}

function lastConvolution(graph: Graph, logits: string, constants: ReadonlySet<string>): string {
  const before = ancestors(graph, penultimate(graph, logits, constants));
  const conv = graph.nodes.findLast(
    (node) =>
      node.op === 'Conv' && before.has(node.outputs[0] ?? '') && !constants.has(node.outputs[0] ?? ''),
  );
  if (!conv) {
    throw notFound('The model has no convolution before its last dense layer.', {
      hint: 'Use penultimate, or name a value.',
    });
  }
  const readers = consumers(graph);
  let value = conv.outputs[0]!;
  for (;;) {
    const [next, ...others] = readers.get(value) ?? [];
    if (!next || others.length > 0 || !activations.has(next.op) || next.inputs[0] !== value) return value;
    value = next.outputs[0]!;
  }
}

/** A layer with weights of its own, which reads its first input. */
const isLinear = ({ op, inputs }: Node, constants: ReadonlySet<string>): boolean =>
  (op === 'Gemm' || op === 'MatMul' || op === 'Conv') &&
  !constants.has(inputs[0] ?? '') &&
  constants.has(inputs[1] ?? '');

const hasLinear = (graph: Graph, value: string, constants: ReadonlySet<string>): boolean => {
  const before = ancestors(graph, value);
  return graph.nodes.some((node) => isLinear(node, constants) && before.has(node.outputs[0]!));
};

/** All values that a value is computed from, and itself. */
function ancestors(graph: Graph, value: string): ReadonlySet<string> {
  const found = new Set([value]);
  for (const node of graph.nodes.toReversed()) {
    if (node.outputs.some((name) => found.has(name))) for (const name of node.inputs) found.add(name);
  }
  return found;
}

const notFound = (message: string, details: { hint: string }): NeuralCleanseError =>
  new NeuralCleanseError('LAYER_NOT_FOUND', message, details);

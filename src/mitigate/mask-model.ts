/** A model some of whose neurons are gone. */

import { GraphBuilder } from '../onnx/builder.ts';
import { inferDTypes } from '../onnx/dtypes.ts';
import { consumers, type Graph, type Model, type Node, producers, prune } from '../onnx/graph.ts';
import { type DType, isFloat, sizeOf, type Tensor } from '../onnx/tensor.ts';
import { neuronDims } from './channel-axis.ts';
import type { Layer } from './layer.ts';
import { modelWith } from './model-with.ts';
import { mitigatePrefix } from './prefix.ts';

export interface MaskedModel {
  readonly model: Model;
  /**
   * `weights`: those that make the neurons, or that read them, are 0. `multiplication`: by a constant of zeros and ones, where
   * the graph does not allow that.
   */
  readonly form: 'weights' | 'multiplication';
}

/**
 * Sets neurons of a layer to 0, for all inputs. Input, outputs, operator set and everything else of the model stay.
 *
 * @param model the one that the layer was found in, as it was read
 * @throws NeuralCleanseError LAYER_NOT_FOUND
 */
export function maskNeurons(model: Model, layer: Layer, neurons: readonly number[]): MaskedModel {
  const base = modelWith(model, layer);
  const { graph } = base;
  const folded = zeroReaders(graph, layer, neurons) ?? zeroMakers(graph, layer, neurons);
  return folded
    ? { model: { ...base, graph: folded }, form: 'weights' }
    : { model: { ...base, graph: multiplied(graph, layer, neurons) }, form: 'multiplication' };
}

/** Zeroes the rows of the one dense layer that reads the neurons; `undefined` if it is not the only reader. */
function zeroReaders(graph: Graph, layer: Layer, neurons: readonly number[]): Graph | undefined {
  const reader = onlyReader(graph, layer.tensor);
  if (!reader || layer.shape.length !== 1 || reader.inputs[0] !== layer.tensor) return undefined;
  if (reader.op !== 'Gemm' && reader.op !== 'MatMul') return undefined;
  if (isSet(reader, 'transA')) return undefined;
  return withZeros(graph, reader, [{ input: 1, axis: isSet(reader, 'transB') ? 1 : 0 }], neurons);
}

/** Operators that leave a map of zeros at 0, and do not mix channels. */
const keepZero: ReadonlySet<string> = new Set([
  'AveragePool',
  'Celu',
  'Dropout',
  'Elu',
  'GlobalAveragePool',
  'Identity',
  'LeakyRelu',
  'MaxPool',
  'Relu',
  'Selu',
  'Tanh',
]);

/** Zeroes the weights of the convolution or normalisation that makes the neurons; `undefined` if others see what it makes. */
function zeroMakers(graph: Graph, layer: Layer, neurons: readonly number[]): Graph | undefined {
  const madeBy = producers(graph);
  if (layer.shape.length !== 3 || layer.axis !== 1) return undefined;
  for (let node = madeBy.get(layer.tensor); node; node = madeBy.get(node.inputs[0] ?? '')) {
    if (node.outputs[0] !== layer.tensor && onlyReader(graph, node.outputs[0]!) === undefined)
      return undefined;
    const parameters = {
      Conv: [
        { input: 1, axis: 0 },
        { input: 2, axis: 0 },
      ],
      BatchNormalization: [
        { input: 1, axis: 0 },
        { input: 2, axis: 0 },
      ],
    }[node.op];
    if (parameters) {
      const given = parameters.filter(({ input }) => node.inputs[input]);
      return isSet(node, 'training_mode') ? undefined : withZeros(graph, node, given, neurons);
    }
    if (!keepZero.has(node.op)) return undefined;
  }
  return undefined;
}

/** The node that alone reads a value; `undefined` if there are several, or the value is an output of the model. */
function onlyReader(graph: Graph, value: string): Node | undefined {
  const [reader, ...others] = consumers(graph).get(value) ?? [];
  const isOutput = graph.outputs.some(({ name }) => name === value);
  return others.length > 0 || isOutput ? undefined : reader;
}

const isSet = ({ attributes }: Node, name: string): boolean => {
  const found = attributes[name];
  return found?.type === 'int' && found.value !== 0;
};

/** Which input of a node has the neurons along which axis. */
interface Parameter {
  readonly input: number;
  readonly axis: number;
}

/** The graph with copies of a node's weights that are 0 for some neurons; `undefined` if they are no constants. */
function withZeros(
  graph: Graph,
  node: Node,
  parameters: readonly Parameter[],
  neurons: readonly number[],
): Graph | undefined {
  const b = GraphBuilder.rewriting(graph, mitigatePrefix);
  const inputs = [...node.inputs];
  for (const { input, axis } of parameters) {
    const tensor = graph.initializers.get(node.inputs[input]!);
    if (!tensor || !isFloat(tensor.dtype)) return undefined;
    inputs[input] = b.initializer(b.fresh('pruned'), zeroed(tensor, axis, neurons));
  }
  for (const other of graph.nodes) b.push(other === node ? { ...node, inputs } : other);
  return prune(b.build());
}

/** A copy that is 0 at some places of an axis. */
function zeroed(tensor: Tensor, axis: number, places: readonly number[]): Tensor {
  const { dims } = tensor;
  const data = tensor.data.slice() as Float32Array;
  const inner = sizeOf(dims.slice(axis + 1));
  const block = dims[axis]! * inner;
  for (let start = 0; start < data.length; start += block) {
    for (const place of places) data.fill(0, start + place * inner, start + (place + 1) * inner);
  }
  return { ...tensor, data };
}

/** The graph with a multiplication behind the layer. */
function multiplied(graph: Graph, layer: Layer, neurons: readonly number[]): Graph {
  const b = GraphBuilder.rewriting(graph, mitigatePrefix);
  const dtype = inferDTypes(graph).get(layer.tensor) ?? 'float32';
  const dims = neuronDims(layer);
  const ones = zeroed(onesOf(isFloat(dtype) ? dtype : 'float32', dims), layer.axis, neurons);
  const mask = b.constant(ones, 'kept');
  const whole = b.fresh('unpruned');
  for (const node of graph.nodes) {
    const at = node.outputs.indexOf(layer.tensor);
    b.push(at < 0 ? node : { ...node, outputs: node.outputs.with(at, whole) });
    // The node before may be named as its output is, and names of nodes are unique, too.
    if (at >= 0) {
      const [inputs, outputs] = [[whole, mask], [layer.tensor]];
      b.push({ op: 'Mul', domain: '', name: whole, inputs, outputs, attributes: {} });
    }
  }
  return b.build();
}

/** In the bits of the half-precision types 1 is a constant. */
const ones: Readonly<Partial<Record<DType, number>>> = { float16: 0x3c00, bfloat16: 0x3f80 };

function onesOf(dtype: 'float32' | 'float64' | 'float16' | 'bfloat16', dims: readonly number[]): Tensor {
  const length = sizeOf(dims);
  switch (dtype) {
    case 'float32':
      return { dtype, dims, data: new Float32Array(length).fill(1) };
    case 'float64':
      return { dtype, dims, data: new Float64Array(length).fill(1) };
    case 'float16':
    case 'bfloat16':
      return { dtype, dims, data: new Uint16Array(length).fill(ones[dtype]!) };
  }
}

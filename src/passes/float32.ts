/** Makes every float of a model a float32, the one type gradients run in. */

import {
  type Attribute,
  type Attributes,
  type Graph,
  int,
  type Model,
  mapSubgraphs,
  type Node,
} from '../onnx/graph.ts';
import { isFloat, toFloat32 as rounded, type Tensor } from '../onnx/tensor.ts';
import { codeFromDtype, dtypeFromCode } from '../onnx/tensor-codec.ts';

/**
 * Attributes that name an element type: of Cast; of EyeLike, Bernoulli and the random operators; of the window
 * functions; of normalisations.
 */
const typeAttributes = new Set(['to', 'dtype', 'output_datatype', 'stash_type']);

/**
 * Turns float16, bfloat16 and float64 inputs, outputs, constants and casts into float32; integers, booleans and casts
 * between them stay.
 *
 * What changes: a float64 model loses 29 bits of each mantissa, and finite constants beyond ±3.4e38 become ±3.4e38 (an
 * infinity could turn a mask into NaN). A float16 or bfloat16 model keeps its constants exactly, but no longer rounds
 * between operators or overflows at 65504, so its scores move by up to its own rounding error, and a rounding that was
 * meant (Cast to float16 and back) is gone.
 */
export const toFloat32 = (model: Model): Model => ({ ...model, graph: convert(model.graph) });

function convert(graph: Graph): Graph {
  return {
    ...graph,
    inputs: graph.inputs.map(declared),
    outputs: graph.outputs.map(declared),
    initializers: new Map(Array.from(graph.initializers, ([name, tensor]) => [name, narrowed(tensor)])),
    nodes: graph.nodes.map((node) => mapSubgraphs({ ...node, attributes: attributesOf(node) }, convert)),
  };
}

const declared = (value: Graph['inputs'][number]): Graph['inputs'][number] =>
  value.dtype && isFloat(value.dtype) ? { ...value, dtype: 'float32' } : value;

function attributesOf(node: Node): Attributes {
  const entries = Object.entries(node.attributes).map(([name, attribute]): [string, Attribute] => {
    if (attribute.type === 'tensor') return [name, { type: 'tensor', value: narrowed(attribute.value) }];
    const namesFloat =
      attribute.type === 'int' && typeAttributes.has(name) && isFloat(dtypeFromCode(attribute.value));
    return [name, namesFloat ? int(codeFromDtype('float32')) : attribute];
  });
  return Object.fromEntries(entries);
}

const largest = 3.4028234663852886e38;

function narrowed(tensor: Tensor): Tensor {
  if (!isFloat(tensor.dtype) || tensor.dtype === 'float32') return tensor;
  const result = rounded(tensor);
  if (tensor.dtype === 'float64') {
    const source = tensor.data as Float64Array;
    result.data.forEach((value, i) => {
      if (!Number.isFinite(value) && Number.isFinite(source[i])) result.data[i] = Math.sign(value) * largest;
    });
  }
  return result;
}

/** Element types of every value of a graph, from what each operator returns. */

import type { Attribute, Graph, Node } from './graph.ts';
import type { DType } from './tensor.ts';
import { dtypeFromCode } from './tensor-codec.ts';

const booleans = [
  'Equal',
  'Greater',
  'GreaterOrEqual',
  'Less',
  'LessOrEqual',
  'And',
  'Or',
  'Not',
  'Xor',
  'IsNaN',
  'IsInf',
];
const integers = ['Shape', 'Size', 'ArgMax', 'ArgMin', 'NonZero'];

/** Which input the first output takes its element type from, where it is not the first. */
const typeInput: Readonly<Record<string, number>> = { Where: 1, OneHot: 2, CastLike: 1, DequantizeLinear: 1 };

/** Second outputs that are not of the first output's type. */
const secondOutput: Readonly<Record<string, DType>> = { MaxPool: 'int64', TopK: 'int64', Dropout: 'bool' };

/**
 * Element types by value name.
 *
 * An operator that is not known to change the type is taken to keep that of its first input.
 *
 * @param outer types visible from an enclosing graph
 */
export function inferDTypes(graph: Graph, outer: ReadonlyMap<string, DType> = new Map()): Map<string, DType> {
  const types = new Map<string, DType>(outer);
  for (const [name, tensor] of graph.initializers) types.set(name, tensor.dtype);
  for (const input of graph.inputs) if (input.dtype) types.set(input.name, input.dtype);
  for (const node of graph.nodes) {
    const outputs = outputTypes(node, types);
    node.outputs.forEach((name, i) => {
      const dtype = outputs[i] ?? outputs[0];
      if (name && dtype) types.set(name, dtype);
    });
  }
  return types;
}

function outputTypes(node: Node, types: ReadonlyMap<string, DType>): (DType | undefined)[] {
  const input = (i: number): DType | undefined => types.get(node.inputs[i] ?? '');
  const { op } = node;
  if (booleans.includes(op)) return ['bool'];
  if (integers.includes(op)) return ['int64'];
  switch (op) {
    case 'Cast':
      return [fromCode(node.attributes.to)];
    case 'Constant':
    case 'ConstantOfShape':
      return [constantType(node)];
    case 'QuantizeLinear':
      return [input(2) ?? fromCode(node.attributes.output_dtype) ?? 'uint8'];
    case 'If':
      return branchTypes(node.attributes.then_branch, types);
    case 'Loop':
    case 'Scan':
      return branchTypes(node.attributes.body, types).slice(op === 'Loop' ? 1 : 0);
    default: {
      const first = input(typeInput[op] ?? 0);
      return [first, secondOutput[op]];
    }
  }
}

const fromCode = (attribute: Attribute | undefined): DType | undefined =>
  attribute?.type === 'int' && attribute.value !== 0 ? dtypeFromCode(attribute.value) : undefined;

function constantType(node: Node): DType {
  const { value, value_int, value_ints } = node.attributes;
  if (value?.type === 'tensor') return value.value.dtype;
  return value_int || value_ints ? 'int64' : 'float32';
}

function branchTypes(
  branch: Attribute | undefined,
  types: ReadonlyMap<string, DType>,
): (DType | undefined)[] {
  if (branch?.type !== 'graph') return [];
  const inner = inferDTypes(branch.value, types);
  return branch.value.outputs.map((o) => o.dtype ?? inner.get(o.name));
}

/** Operators of the `com.microsoft` domain that a standard operator, or a few, express exactly. */

import { type Attributes, float, type Node, string } from '../../onnx/graph.ts';
import { attribute, without } from '../attributes.ts';
import type { Rewrite } from './rewrite.ts';

/** The same operator exists in the standard domain. */
const standard: Rewrite = (node) => ({ ...node, domain: '' });

const gelu =
  (approximate: 'none' | 'tanh'): Rewrite =>
  (node, { b }) => {
    const [x, bias] = node.inputs as [string, string?];
    const input = bias ? b.add(x, bias) : x;
    return {
      ...node,
      op: 'Gelu',
      domain: '',
      inputs: [input],
      attributes: { approximate: string(approximate) },
    };
  };

/** `x · σ(αx)` */
const quickGelu: Rewrite = (node, { b }) => {
  const x = node.inputs[0]!;
  const gate = b.op('Sigmoid', [b.scale(x, attribute(node, 'alpha', 'float') ?? 1.702)]);
  return { ...node, op: 'Mul', domain: '', inputs: [x, gate], attributes: {} };
};

/** What the attribute `activation_params` holds for each activation a FusedConv may carry. */
const activationParameters: Readonly<Record<string, readonly string[]>> = {
  Relu: [],
  Tanh: [],
  Sigmoid: [],
  LeakyRelu: ['alpha'],
  HardSigmoid: ['alpha', 'beta'],
  Clip: ['min', 'max'],
};

/** `activation(Conv(x, w, b) + z)` */
const fusedConv: Rewrite = (node, { b }) => {
  const activation = attribute(node, 'activation', 'string') ?? '';
  const parameters = activationParameters[activation];
  if (!parameters) return node;
  const given = attribute(node, 'activation_params', 'floats') ?? [];
  const [x, w, bias, z] = node.inputs as [string, string, string?, string?];
  const convolved = b.op(
    'Conv',
    bias ? [x, w, bias] : [x, w],
    without(node.attributes, 'activation', 'activation_params'),
  );
  const sum = z ? b.add(convolved, z) : convolved;
  const result = { ...node, op: activation, domain: '' };
  // The bounds of Clip are inputs, all other parameters attributes.
  if (activation === 'Clip')
    return { ...result, inputs: [sum, ...given.map((v) => b.scalar(v))], attributes: {} };
  const attributes = Object.fromEntries(parameters.map((name, i) => [name, float(given[i]!)]));
  return { ...result, inputs: [sum], attributes };
};

/** `activation(Gemm(a, b, c))`; parameters of the activation are attributes prefixed `activation_`. */
const fusedGemm: Rewrite = (node, { b }) => {
  const own: Record<string, Attributes[string]> = {};
  const rest: Record<string, Attributes[string]> = {};
  for (const [name, value] of Object.entries(without(node.attributes, 'activation'))) {
    if (name.startsWith('activation_')) rest[name.slice('activation_'.length)] = value;
    else own[name] = value;
  }
  const activation = attribute(node, 'activation', 'string');
  if (!activation) return node;
  return { ...node, op: activation, domain: '', inputs: [b.op('Gemm', node.inputs, own)], attributes: rest };
};

/** `alpha · op(a) · op(b)` with stacks of matrices; an equation needs no rank to transpose. */
const fusedMatMul: Rewrite = (node, { b }) => {
  if (attribute(node, 'transBatchA', 'int') || attribute(node, 'transBatchB', 'int')) return node;
  const [transA, transB] = [attribute(node, 'transA', 'int'), attribute(node, 'transB', 'int')];
  const equation = `${transA ? '...km' : '...mk'},${transB ? '...nk' : '...kn'}->...mn`;
  const product: Node =
    transA || transB
      ? { ...node, op: 'Einsum', domain: '', attributes: { equation: string(equation) } }
      : { ...node, op: 'MatMul', domain: '', attributes: {} };
  const alpha = attribute(node, 'alpha', 'float') ?? 1;
  if (alpha === 1) return product;
  const inputs = [b.op(product.op, product.inputs, product.attributes), b.scalar(alpha)];
  return { ...node, op: 'Mul', domain: '', inputs, attributes: {} };
};

export const contribUpgrades: Readonly<Record<string, Rewrite>> = {
  BiasGelu: gelu('none'),
  DequantizeLinear: standard,
  FastGelu: gelu('tanh'),
  FusedConv: fusedConv,
  FusedGemm: fusedGemm,
  FusedMatMul: fusedMatMul,
  Gelu: gelu('none'),
  QuantizeLinear: standard,
  QuickGelu: quickGelu,
  Trilu: standard,
};

/** How each operator carries the batch. */

import { capturedNames } from '../../onnx/graph.ts';
import {
  along,
  argument,
  cumSum,
  layerNormalization,
  oneHot,
  pointwise,
  quantize,
  reduce,
  samplewise,
} from './axes.ts';
import { type BatchContext, type BatchRule, fixed, type Outcome, unchanged } from './context.ts';
import {
  expand,
  flatten,
  gather,
  pad,
  reshape,
  resize,
  slice,
  split,
  squeeze,
  tile,
  transpose,
  trilu,
  unsqueeze,
} from './movement.ts';
import { broadcasting, concat, einsum, gatherElements, gemm, matMul } from './several.ts';
import { shapeOf, sizeOfAll, traceSizes } from './sizes.ts';

const all = (rule: BatchRule, ops: readonly string[]): Record<string, BatchRule> =>
  Object.fromEntries(ops.map((op) => [op, rule]));

const rules: Readonly<Record<string, BatchRule>> = {
  ...all(pointwise, [
    ...[
      'Abs',
      'Acos',
      'Acosh',
      'Asin',
      'Asinh',
      'Atan',
      'Atanh',
      'Ceil',
      'Cos',
      'Cosh',
      'Erf',
      'Exp',
      'Floor',
      'Log',
    ],
    ...[
      'Neg',
      'Reciprocal',
      'Round',
      'Sign',
      'Sin',
      'Sinh',
      'Sqrt',
      'Tan',
      'Not',
      'IsInf',
      'IsNaN',
      'BitwiseNot',
    ],
    ...[
      'Celu',
      'Elu',
      'Gelu',
      'HardSigmoid',
      'HardSwish',
      'LeakyRelu',
      'Mish',
      'Relu',
      'Selu',
      'Shrink',
      'Sigmoid',
    ],
    ...[
      'Softplus',
      'Softsign',
      'Swish',
      'Tanh',
      'ThresholdedRelu',
      'Cast',
      'CastLike',
      'Clip',
      'Dropout',
      'Identity',
    ],
  ]),
  ...all(broadcasting, [
    ...[
      'Add',
      'Sub',
      'Mul',
      'Div',
      'Pow',
      'Mod',
      'Min',
      'Max',
      'Sum',
      'Mean',
      'Where',
      'PRelu',
      'And',
      'Or',
      'Xor',
    ],
    ...['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'BitwiseAnd', 'BitwiseOr', 'BitwiseXor'],
  ]),
  ...all(samplewise, [
    ...['Conv', 'ConvTranspose', 'AveragePool', 'MaxPool', 'LpPool', 'GlobalAveragePool', 'GlobalMaxPool'],
    ...['GlobalLpPool', 'BatchNormalization', 'InstanceNormalization', 'GroupNormalization', 'LRN'],
    ...['DepthToSpace', 'SpaceToDepth'],
  ]),
  ...all(reduce, [
    ...['ReduceL1', 'ReduceL2', 'ReduceLogSum', 'ReduceLogSumExp', 'ReduceMax', 'ReduceMean', 'ReduceMin'],
    ...['ReduceProd', 'ReduceSum', 'ReduceSumSquare'],
  ]),
  ...all(along(-1), ['Softmax', 'LogSoftmax', 'Hardmax', 'LpNormalization', 'TopK']),
  ...all(argument, ['ArgMax', 'ArgMin']),
  ...all(layerNormalization, ['LayerNormalization', 'RMSNormalization']),
  ...all(quantize, ['QuantizeLinear', 'DequantizeLinear']),
  Concat: concat,
  CumSum: cumSum,
  Einsum: einsum,
  Expand: expand,
  Flatten: flatten,
  Gather: gather,
  GatherElements: gatherElements,
  Gemm: gemm,
  MatMul: matMul,
  OneHot: oneHot,
  Pad: pad,
  Reshape: reshape,
  Resize: resize,
  Shape: (c) => unchanged(shapeOf(c)),
  Size: (c) => unchanged(sizeOfAll(c)),
  Slice: slice,
  Split: split,
  Squeeze: squeeze,
  Tile: tile,
  Transpose: transpose,
  Trilu: trilu,
  Unsqueeze: unsqueeze,
};

/** @throws NeuralCleanseError REBATCH_FAILED if samples of the batch reach the node and cannot be followed through it */
export function outcomesOf(c: BatchContext): readonly Outcome[] {
  const { op, domain, inputs } = c.node;
  const kinds = [...inputs, ...capturedNames(c.node)].map((name) => c.traceOf(name).kind);
  if (kinds.every((kind) => kind === 'fixed')) return unchanged(fixed);
  const rule = domain === '' && Object.hasOwn(rules, op) ? rules[op] : undefined;
  if (!kinds.includes('batched')) return unchanged(traceSizes(c));
  if (!rule) throw c.refusal('what it does to the samples is not known');
  return rule(c);
}

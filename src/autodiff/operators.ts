/** The closed list of operators the differentiator knows. A name without a rule in rules/ is a compile error. */

import type { Rule } from './rule.ts';

export const operatorFamilies = {
  convolution: ['Conv', 'ConvTranspose'],
  linalg: ['Gemm', 'MatMul', 'Einsum'],
  pooling: ['MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool'],
  normalization: [
    'BatchNormalization',
    'LayerNormalization',
    'InstanceNormalization',
    'GroupNormalization',
    'LpNormalization',
    'LRN',
  ],
  arithmetic: [
    'Add', 'Sub', 'Mul', 'Div', 'Pow', 'Neg', 'Abs', 'Sqrt', 'Exp', 'Log', 'Reciprocal', 'Min', 'Max', 'Sum', 'Mean',
    'Clip', 'Where', 'Erf', 'Sin', 'Cos', 'Sinh', 'Cosh', 'Tan', 'Asin', 'Acos', 'Atan',
  ],
  activation: [
    'Relu', 'LeakyRelu', 'PRelu', 'Elu', 'Celu', 'Selu', 'Gelu', 'Sigmoid', 'HardSigmoid', 'HardSwish', 'Tanh', 'Softplus',
    'Softsign', 'Mish', 'ThresholdedRelu', 'Softmax', 'LogSoftmax',
  ],
  reduction: [
    'ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceL1', 'ReduceL2', 'ReduceSumSquare',
    'ReduceLogSum', 'ReduceLogSumExp', 'CumSum',
  ],
  movement: [
    'Reshape', 'Flatten', 'Transpose', 'Squeeze', 'Unsqueeze', 'Concat', 'Split', 'Slice', 'Gather', 'GatherElements',
    'GatherND', 'Expand', 'Tile', 'Pad', 'Resize', 'DepthToSpace', 'SpaceToDepth', 'Identity', 'Dropout', 'Cast',
    'CastLike', 'Trilu', 'TopK',
  ],
  quantization: ['QuantizeLinear', 'DequantizeLinear'],
  /** Piecewise constant: the gradient is zero almost everywhere. (Operators with integer or boolean results need no rule.) */
  zero: ['Floor', 'Ceil', 'Round', 'Sign', 'EyeLike'],
} as const satisfies Record<string, readonly string[]>;

export type OperatorFamily = keyof typeof operatorFamilies;
export type OperatorOf<F extends OperatorFamily> = (typeof operatorFamilies)[F][number];
export type DifferentiableOperator = OperatorOf<OperatorFamily>;

/** One rule for each operator of a family. */
export type RuleFamily<F extends OperatorFamily> = { readonly [K in OperatorOf<F>]: Rule };

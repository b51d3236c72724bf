/** Operations between the layers of functional models: `TFOpLambda` of tf.keras, `keras.ops` of Keras 3. */

import { NeuralCleanseError } from '../errors.ts';
import { type Attributes, int } from '../onnx/graph.ts';
import { float32, sizeOf } from '../onnx/tensor.ts';
import type { Argument } from './calls.ts';
import { Fields, invalidConfig, type JsonObject } from './fields.ts';
import { applyActivation } from './layers/activation.ts';
import { axisOf, type LayerCall } from './layers/call.ts';
import { broadcast, concatenated } from './layers/merge.ts';
import { reshaped, transposed } from './layers/reshaping.ts';
import { axisIn, orderOf, type Value } from './value.ts';

/** An operation under conversion: the call, and its arguments by position, name or option. */
interface Operation {
  readonly call: LayerCall;
  /** Tensors and constants by position. */
  readonly operands: readonly Argument[];
  /** Constants by name: keyword arguments, then options of the operation. */
  readonly options: Fields;
  value(argument: Argument): Value;
}

type Rule = (operation: Operation) => Value;

const binary =
  (op: 'Add' | 'Sub' | 'Mul' | 'Div' | 'Max' | 'Min' | 'Pow'): Rule =>
  ({ call, operands, value }) => {
    if (operands.length !== 2) {
      throw invalidConfig(`${call.config.owner} is called with ${operands.length} operands.`);
    }
    const rank = Math.max(...call.inputs.map((input) => input.shape.length));
    const [a, b] = operands.map((operand) =>
      operand.kind === 'constant' ? constantValue(call, operand.value, rank) : value(operand),
    ) as [Value, Value];
    // TensorFlow would match the batch of one with another axis of the other.
    if (a.shape.length !== b.shape.length) throw call.unsupported('joins tensors of different ranks');
    const order = orderOf(a) === 'moved' || orderOf(b) === 'moved' ? 'moved' : 'keras';
    const name = call.emit(op, [call.in(a, order), call.in(b, order)]);
    return call.out(name, broadcast(call, a.shape, b.shape), order);
  };

/** A number or nested lists of numbers as a constant of the graph, with leading axes of size 1 up to `rank`. */
function constantValue(call: LayerCall, stated: unknown, rank: number): Value {
  const plain = new Fields({ value: stated }, call.config.owner);
  const raw = plain.raw('value');
  const own: number[] = [];
  for (let at = raw; Array.isArray(at); at = at[0]) own.push(at.length);
  const numbers: unknown[] = Array.isArray(raw) ? raw.flat(own.length) : [raw];
  const dims = [...new Array<number>(Math.max(rank - own.length, 0)).fill(1), ...own];
  if (numbers.length !== sizeOf(dims) || !numbers.every((v): v is number => typeof v === 'number')) {
    throw plain.wrong('value', 'a number or an array of numbers');
  }
  return call.out(call.b.constant(float32(dims, numbers)), dims);
}

const reduction =
  (op: 'ReduceMean' | 'ReduceSum' | 'ReduceMax' | 'ReduceMin'): Rule =>
  ({ call, options }) => {
    const { input } = call;
    const rank = input.shape.length;
    const stated = options.has('axis') ? options.list('axis') : input.shape.map((_, i) => i);
    const axes = stated.map((axis) => axisOf(axis, rank, options.owner));
    const keep = options.flag('keepdims', false);
    if (axes.includes(0)) throw call.unsupported('works along the batch');
    // Where at most batch and channels are left, both orders are one.
    const order = keep || rank - axes.length < 3 ? orderOf(input) : 'keras';
    const name = call.emit(
      op,
      [call.in(input, order), call.b.ints(axes.map((axis) => axisIn(order, axis, rank)))],
      {
        keepdims: int(keep ? 1 : 0),
      },
    );
    const shape = input.shape.flatMap((dim, i) => (axes.includes(i) ? (keep ? [1] : []) : [dim]));
    return call.out(name, shape, order);
  };

const unary =
  (op: string, attributes: Attributes = {}): Rule =>
  ({ call }) =>
    call.map(call.input, (x) => call.emit(op, [x], attributes));

const identity: Rule = ({ call }) => call.input;

const square: Rule = ({ call }) => call.map(call.input, (x) => call.emit('Mul', [x, x]));

const rsqrt: Rule = ({ call }) =>
  call.map(call.input, (x) => call.emit('Reciprocal', [call.emit('Sqrt', [x])]));

/** Bounds under the names of TensorFlow and of Keras 3. */
const clip: Rule = ({ call, options }) => {
  const low = options.number(options.has('x_min') ? 'x_min' : 'clip_value_min');
  const high = options.number(options.has('x_max') ? 'x_max' : 'clip_value_max');
  return call.map(call.input, (x) => call.emit('Clip', [x, call.b.scalar(low), call.b.scalar(high)]));
};

const concat: Rule = ({ call, options }) => concatenated(call, call.inputs, options.whole('axis', -1, -8));

/** The target counts the batch, which may be -1 or the number the model was built with. */
const reshape: Rule = ({ call, options }) =>
  reshaped(call, options.list(options.has('newshape') ? 'newshape' : 'shape').slice(1));

const transpose: Rule = ({ call, options }) =>
  transposed(call, options.list(options.has('axes') ? 'axes' : 'perm'));

const expandDims: Rule = ({ call, options }) => {
  const { shape } = call.input;
  const axis = axisOf(options.list('axis')[0]!, shape.length + 1, options.owner);
  if (axis === 0) throw call.unsupported('adds an axis before the batch');
  const name = call.emit('Unsqueeze', [call.in(call.input, 'keras'), call.b.ints([axis])]);
  return call.out(name, [...shape.slice(0, axis), 1, ...shape.slice(axis)]);
};

const squeeze: Rule = ({ call, options }) => {
  const { shape } = call.input;
  const axes = options.list('axis').map((axis) => axisOf(axis, shape.length, options.owner));
  if (axes.some((axis) => axis === 0 || shape[axis] !== 1))
    throw call.unsupported('drops an axis that is not of size 1');
  const name = call.emit('Squeeze', [call.in(call.input, 'keras'), call.b.ints(axes)]);
  return call.out(
    name,
    shape.filter((_, i) => !axes.includes(i)),
  );
};

/** By the last part of the name, in lower case and without underscores: `tf.math.reduce_mean` and `Mean` differ, most others do not. */
const rules: Readonly<Record<string, Rule>> = {
  add: binary('Add'),
  subtract: binary('Sub'),
  multiply: binary('Mul'),
  truediv: binary('Div'),
  truedivide: binary('Div'),
  divide: binary('Div'),
  maximum: binary('Max'),
  minimum: binary('Min'),
  pow: binary('Pow'),
  power: binary('Pow'),
  reducemean: reduction('ReduceMean'),
  mean: reduction('ReduceMean'),
  reducesum: reduction('ReduceSum'),
  sum: reduction('ReduceSum'),
  reducemax: reduction('ReduceMax'),
  max: reduction('ReduceMax'),
  amax: reduction('ReduceMax'),
  reducemin: reduction('ReduceMin'),
  min: reduction('ReduceMin'),
  amin: reduction('ReduceMin'),
  exp: unary('Exp'),
  log: unary('Log'),
  sqrt: unary('Sqrt'),
  abs: unary('Abs'),
  absolute: unary('Abs'),
  negative: unary('Neg'),
  square,
  rsqrt,
  clip,
  clipbyvalue: clip,
  concat,
  concatenate: concat,
  reshape,
  transpose,
  expanddims: expandDims,
  squeeze,
  identity,
  stopgradient: identity,
  cast: identity,
};

/** Activations, by the names of TensorFlow and Keras 3 as {@link rules} has them. */
const activations: Readonly<Record<string, string>> = {
  relu: 'relu',
  relu6: 'relu6',
  leakyrelu: 'leaky_relu',
  elu: 'elu',
  selu: 'selu',
  gelu: 'gelu',
  sigmoid: 'sigmoid',
  logsigmoid: 'log_sigmoid',
  hardsigmoid: 'hard_sigmoid',
  hardsilu: 'hard_silu',
  silu: 'silu',
  swish: 'silu',
  mish: 'mish',
  tanh: 'tanh',
  hardtanh: 'hard_tanh',
  softplus: 'softplus',
  softsign: 'softsign',
  softmax: 'softmax',
  logsoftmax: 'log_softmax',
};

/**
 * Converts the call of an operation.
 *
 * @param value the tensor of a reference among the arguments
 * @throws NeuralCleanseError KERAS_LAYER_UNSUPPORTED for one that is not known
 */
export function convertOperation(call: LayerCall, value: (argument: Argument) => Value): Value {
  const { name, className, config } = call.layer;
  const stated = className === 'TFOpLambda' ? config.text('function') : className;
  const key = stated.split('.').at(-1)!.replaceAll('_', '').toLowerCase();
  const { args, kwargs } = call.call;
  const named = Object.entries(kwargs);
  const constants = named.flatMap(([k, a]): [string, unknown][] =>
    a.kind === 'constant' ? [[k, a.value]] : [],
  );
  const operation: Operation = {
    call,
    // The second operand of TensorFlow's binary operations is the keyword argument y.
    operands: [...args, ...named.filter(([k, a]) => k === 'y' || a.kind === 'tensor').map(([, a]) => a)],
    options: new Fields({ ...optionsOf(call), ...Object.fromEntries(constants) }, config.owner),
    value,
  };
  if (Object.hasOwn(rules, key)) return rules[key]!(operation);
  const activation = Object.hasOwn(activations, key)
    ? applyActivation(call, activations[key]!, operation.options)
    : undefined;
  if (activation) return activation;
  const supported = [...Object.keys(rules), ...Object.keys(activations)].sort();
  throw new NeuralCleanseError(
    'KERAS_LAYER_UNSUPPORTED',
    `Operation "${name}" (${stated}) cannot be converted.`,
    {
      hint: `Export the model to ONNX with tf2onnx. Known are ${supported.join(', ')}.`,
      data: { layer: name, operation: stated, supported },
    },
  );
}

/** The options that Keras 3 stores with the operation itself. */
const optionsOf = ({ layer }: LayerCall): JsonObject => {
  const keys = [
    'axis',
    'axes',
    'keepdims',
    'newshape',
    'x_min',
    'x_max',
    'alpha',
    'negative_slope',
    'approximate',
  ];
  return Object.fromEntries(
    keys.filter((key) => layer.config.has(key)).map((key) => [key, layer.config.raw(key)]),
  );
};

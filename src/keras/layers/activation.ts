/** Activation functions, as layers of their own and inside other layers. */

import { type Attributes, float, int, string } from '../../onnx/graph.ts';

import { Fields, isObject } from '../fields.ts';
import { axisIn, type Order, permutationTo, type Value } from '../value.ts';
import { axisOf, type LayerCall, type LayerRule } from './call.ts';

/** Adds an activation. `options` are those of the layer or operation, empty for an activation by name. */
type Activation = (call: LayerCall, value: Value, options: Fields) => Value;

/** A function of single elements that ONNX has. */
const elementwise =
  (op: string, attributes: Attributes = {}): Activation =>
  (call, value) =>
    call.map(value, (x) => call.emit(op, [x], attributes));

/** A function of single elements, composed. */
const composed =
  (apply: (call: LayerCall, x: string) => string): Activation =>
  (call, value) =>
    call.map(value, (x) => apply(call, x));

const clipped = (call: LayerCall, x: string, low: number, high: number): string =>
  call.emit('Clip', [x, call.b.scalar(low), call.b.scalar(high)]);

const identity: Activation = (_, value) => value;

/** Keras 1 and 2: `clip(0.2 x + 0.5)`; Keras 3: `relu6(x + 3) / 6`. */
const hardSigmoid: Activation = (call, value, options) =>
  elementwise('HardSigmoid', { alpha: float(call.layer.version.major >= 3 ? 1 / 6 : 0.2), beta: float(0.5) })(
    call,
    value,
    options,
  );

const softmaxOf =
  (op: 'Softmax' | 'LogSoftmax'): Activation =>
  (call, value, options) => {
    const rank = value.shape.length;
    const [stated, ...others] = options.list('axis', [-1]);
    if (others.length > 0) throw call.unsupported('takes a softmax over several axes');
    const axis = axisOf(stated!, rank, options.owner);
    return call.map(value, (x, order) => call.emit(op, [x], { axis: int(axisIn(order, axis, rank)) }));
  };

/**
 * `max_value` where x ≥ max_value, x where threshold ≤ x < max_value, negative_slope·(x − threshold) below.
 *
 * @see keras.layers.ReLU
 */
const relu: Activation = (call, value, options) => {
  const max = options.has('max_value') ? options.number('max_value') : undefined;
  const slope = options.number('negative_slope', 0);
  const threshold = options.number('threshold', 0);
  return call.map(value, (x) => {
    if (threshold === 0 && max === undefined) {
      return slope === 0 ? call.emit('Relu', [x]) : call.emit('LeakyRelu', [x], { alpha: float(slope) });
    }
    const limit =
      threshold === 0 && max !== undefined
        ? clipped(call, x, 0, max)
        : aboveThreshold(call, x, threshold, max);
    if (slope === 0) return limit;
    const below = call.emit('Relu', [call.emit('Sub', [call.b.scalar(threshold), x])]);
    return call.emit('Sub', [limit, call.b.scale(below, slope)]);
  });
};

function aboveThreshold(call: LayerCall, x: string, threshold: number, max: number | undefined): string {
  const isAbove = call.emit('Greater', [x, call.b.scalar(threshold)]);
  const kept = call.b.where(isAbove, x, call.b.scalar(0));
  return max === undefined ? kept : clipped(call, kept, 0, max);
}

/** The slope has been called `alpha` (0.3 or 0.2) and, since Keras 3, `negative_slope`. */
const leaky =
  (fallback: number): Activation =>
  (call, value, options) => {
    const slope = options.number(options.has('negative_slope') ? 'negative_slope' : 'alpha', fallback);
    return elementwise('LeakyRelu', { alpha: float(slope) })(call, value, options);
  };

const elu: Activation = (call, value, options) =>
  elementwise('Elu', { alpha: float(options.number('alpha', 1)) })(call, value, options);

const gelu: Activation = (call, value, options) =>
  call.map(value, (x) =>
    call.emit('Gelu', [x], options.flag('approximate', false) ? { approximate: string('tanh') } : {}),
  );

/** By the names that `Activation` layers and the `activation` of other layers take. */
const functions: Readonly<Record<string, Activation>> = {
  linear: identity,
  relu,
  relu6: composed((call, x) => clipped(call, x, 0, 6)),
  leaky_relu: leaky(0.2),
  elu,
  selu: elementwise('Selu', { alpha: float(1.6732632423543772), gamma: float(1.0507009873554805) }),
  celu: (call, value, options) =>
    elementwise('Celu', { alpha: float(options.number('alpha', 1)) })(call, value, options),
  gelu,
  softmax: softmaxOf('Softmax'),
  log_softmax: softmaxOf('LogSoftmax'),
  softplus: elementwise('Softplus'),
  softsign: elementwise('Softsign'),
  sigmoid: elementwise('Sigmoid'),
  hard_sigmoid: hardSigmoid,
  log_sigmoid: composed((call, x) => call.emit('Neg', [call.emit('Softplus', [call.emit('Neg', [x])])])),
  tanh: elementwise('Tanh'),
  hard_tanh: composed((call, x) => clipped(call, x, -1, 1)),
  exponential: elementwise('Exp'),
  silu: composed((call, x) => call.emit('Mul', [x, call.emit('Sigmoid', [x])])),
  hard_silu: elementwise('HardSwish'),
  mish: elementwise('Mish'),
};

/** Further names of the same functions. */
const aliases: Readonly<Record<string, string>> = {
  swish: 'silu',
  hard_swish: 'hard_silu',
  leakyrelu: 'leaky_relu',
};

const functionNamed = (name: string): Activation | undefined => {
  const known = aliases[name] ?? name;
  return Object.hasOwn(functions, known) ? functions[known] : undefined;
};

export const activationNames: readonly string[] = [...Object.keys(functions), ...Object.keys(aliases)].sort();

/** Applies the function of a name, with the options of an operation. */
export const applyActivation = (call: LayerCall, name: string, options: Fields): Value | undefined =>
  functionNamed(name)?.(call, call.input, options);

/** Applies the `activation` of a layer to what the layer made. */
export function activated(call: LayerCall, value: Value): Value {
  const stated = call.config.raw('activation');
  if (stated === undefined) return value;
  const { name, options } = activationOf(call, stated);
  const rule = Object.hasOwn(activationLayers, name) ? activationLayers[name] : undefined;
  const apply = rule ?? functionNamed(name);
  if (!apply)
    throw call.unsupported(`has the activation "${name}", not one of ${activationNames.join(', ')}`);
  return apply(call, value, options);
}

/** A name; or, in Keras 3 and for activations with options, an object that names a function or a layer. */
function activationOf(call: LayerCall, stated: unknown): { name: string; options: Fields } {
  const none = new Fields({}, call.config.owner);
  if (typeof stated === 'string') return { name: stated, options: none };
  if (isObject(stated)) {
    const { class_name: className, config } = stated;
    if (typeof config === 'string') return { name: config, options: none };
    if (typeof className === 'string') {
      return { name: className, options: new Fields(isObject(config) ? config : {}, call.config.owner) };
    }
  }
  throw call.unsupported(`has the activation ${JSON.stringify(stated)?.slice(0, 60)}, which is Python code`);
}

/** Activations that are layers with options and without weights. */
const activationLayers: Readonly<Record<string, Activation>> = {
  ReLU: relu,
  LeakyReLU: leaky(0.3),
  ELU: elu,
  Softmax: softmaxOf('Softmax'),
  // x where x > theta, else 0
  ThresholdedReLU: (call, value, options) =>
    call.map(value, (x) => aboveThreshold(call, x, options.number('theta', 1), undefined)),
};

export const activationRules: Readonly<Record<string, LayerRule>> = {
  ...Object.fromEntries(
    Object.entries(activationLayers).map(([name, apply]): [string, LayerRule] => [
      name,
      { build: (call) => apply(call, call.input, call.config) },
    ]),
  ),
  Activation: { build: (call) => activated(call, call.input) },
  /** `max(x, 0) + alpha·min(x, 0)`, with a slope for each element but 1 along shared axes. */
  PReLU: {
    weights: () => ['alpha'],
    build(call) {
      const { input, config } = call;
      const rank = input.shape.length;
      const shared = config.list('shared_axes', []).map((axis) => axisOf(axis, rank, config.owner));
      const dims = input.shape.slice(1).map((dim, i) => (shared.includes(i + 1) ? 1 : dim));
      return call.map(input, (x, order) => {
        const axes = slopeAxes(order, rank);
        return call.emit('PRelu', [x, call.weight('alpha', dims, axes ? { axes } : {})]);
      });
    },
  },
};

/** The slope lacks the batch axis. */
const slopeAxes = (order: Order, rank: number): number[] | undefined =>
  order === 'moved' && rank > 2
    ? permutationTo('moved', rank)
        .slice(1)
        .map((axis) => axis - 1)
    : undefined;

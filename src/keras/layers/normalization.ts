/** Normalisation by stored or by own statistics. */

import { float, int } from '../../onnx/graph.ts';
import { float32 } from '../../onnx/tensor.ts';
import type { Fields } from '../fields.ts';
import { permuted } from '../permute.ts';
import { type Order, permutationTo, type Shape } from '../value.ts';
import { axisOf, type LayerCall, type LayerRule } from './call.ts';

const scaleAndCenter = (config: Fields): string[] => [
  ...(config.flag('scale', true) ? ['gamma'] : []),
  ...(config.flag('center', true) ? ['beta'] : []),
];

/** `(x − mean) / √(variance + epsilon) · gamma + beta`, with the statistics of training. */
export const batchNormalization: LayerRule = {
  weights: (config) => [...scaleAndCenter(config), 'moving_mean', 'moving_variance'],
  build(call) {
    const { input, config } = call;
    const rank = input.shape.length;
    const axis = singleAxis(call, rank);
    const size = input.shape[axis] ?? null;
    const mean = call.weight('moving_mean', [size]);
    const variance = call.weight('moving_variance', [size]);
    const channels = size ?? call.tensor('moving_mean', [size]).dims[0]!;
    const gamma = config.flag('scale', true)
      ? call.weight('gamma', [size])
      : filled(call, 'gamma', channels, 1);
    const beta = config.flag('center', true)
      ? call.weight('beta', [size])
      : filled(call, 'beta', channels, 0);
    const { order, before, after } = toAxisOne(axis, rank);
    const x = call.b.transpose(call.in(input, order), before);
    const name = call.emit('BatchNormalization', [x, gamma, beta, mean, variance], {
      epsilon: float(config.number('epsilon', 1e-3)),
    });
    return call.out(call.b.transpose(name, after), input.shape, order);
  },
};

const filled = (call: LayerCall, name: string, size: number, value: number): string =>
  call.initializer(name, size, () => float32([size], new Float32Array(size).fill(value)));

/** ONNX normalises along axis 1: turns any other axis there and back. */
function toAxisOne(axis: number, rank: number): { order: Order; before: number[]; after: number[] } {
  const same = Array.from({ length: rank }, (_, i) => i);
  if (axis === rank - 1) return { order: 'moved', before: same, after: same };
  // A swap is its own inverse.
  const swap = same.map((i) => (i === 1 ? axis : i === axis ? 1 : i));
  return { order: 'keras', before: swap, after: swap };
}

function singleAxis(call: LayerCall, rank: number): number {
  const [axis, ...others] = call.config.list('axis', [-1]);
  if (others.length > 0) throw call.unsupported('normalises along several axes');
  return axisOf(axis!, rank, call.config.owner);
}

/** Normalises each image by its own mean and variance over the given axes. */
export const layerNormalization: LayerRule = {
  weights: scaleAndCenter,
  build(call) {
    const { input, config } = call;
    const rank = input.shape.length;
    if (config.flag('rms_scaling', false)) throw call.unsupported('uses "rms_scaling"');
    const axes = config.list('axis', [-1]).map((axis) => axisOf(axis, rank, config.owner));
    const kept = input.shape.map((_, i) => i).filter((axis) => !axes.includes(axis));
    // ONNX takes the last axes.
    const before = [...kept, ...axes];
    const after = before.map((_, i) => before.indexOf(i));
    const dims = axes.map((axis) => input.shape[axis] ?? null);
    if (dims.includes(null)) throw call.unsupported('normalises along an axis of open size');
    const size = dims as number[];
    const gamma = config.flag('scale', true)
      ? call.weight('gamma', size)
      : call.initializer('gamma', size, () => float32(size, new Float32Array(elements(size)).fill(1)));
    const beta = config.flag('center', true) ? [call.weight('beta', size)] : [];
    const x = call.b.transpose(call.in(input, 'keras'), before);
    const name = call.emit('LayerNormalization', [x, gamma, ...beta], {
      axis: int(-axes.length),
      epsilon: float(config.number('epsilon', 1e-3)),
    });
    return call.out(call.b.transpose(name, after), input.shape);
  },
};

const elements = (dims: readonly number[]): number => dims.reduce((n, d) => n * d, 1);

/** `scale · x + offset`; both may be lists, one number a channel. */
export const rescaling: LayerRule = {
  build(call) {
    const scale = numbersOf(call, 'scale', 1);
    const offset = numbersOf(call, 'offset', 0);
    const size = Math.max(scale.length, offset.length);
    const rank = call.input.shape.length;
    return call.map(call.input, (x, order) => {
      const dims = call.alongAxis(order, rank - 1, rank, size);
      const constant = (values: readonly number[]): string =>
        values.length === 1 ? call.b.scalar(values[0]!) : call.b.constant(float32(dims, values));
      const scaled = scale.every((s) => s === 1) ? x : call.emit('Mul', [x, constant(scale)]);
      return offset.every((o) => o === 0) ? scaled : call.emit('Add', [scaled, constant(offset)]);
    });
  },
};

function numbersOf(call: LayerCall, key: string, fallback: number): number[] {
  const value = call.config.raw(key) ?? fallback;
  const values = Array.isArray(value) ? value.flat(5) : [value];
  const channels = call.input.shape.at(-1);
  const fits = values.length === 1 || values.length === channels;
  if (!fits || !values.every((v): v is number => typeof v === 'number' && Number.isFinite(v))) {
    throw call.config.wrong(key, 'a number, or one for each channel');
  }
  return values;
}

/** Keras's `backend.epsilon()`, below which a deviation is not divided by. */
const minDeviation = 1e-7;

/** `(x − mean) / max(√variance, 1e-7)`, or back; the statistics are weights or options. */
export const statisticsNormalization: LayerRule = {
  weights: (config) => (config.has('mean') ? [] : ['mean', 'variance', 'count']),
  build(call) {
    const { input, config } = call;
    const rank = input.shape.length;
    const axes = (config.has('axis') ? config.list('axis') : []).map((axis) =>
      axisOf(axis, rank, config.owner),
    );
    const sizes = axes.map((axis) => input.shape[axis] ?? null);
    const read = (name: 'mean' | 'variance'): readonly number[] =>
      config.has('mean') ? statedStatistics(call, name, sizes) : [...call.tensor(name, sizes).data];
    const mean = read('mean');
    const deviation = read('variance').map((v) => Math.max(Math.sqrt(v), minDeviation));
    // Statistics follow the order of the sorted axes.
    const dims = input.shape.map((dim, axis) => (axes.includes(axis) ? (dim ?? mean.length) : 1));
    return call.map(input, (x, order) => {
      const constant = (name: string, values: readonly number[]): string =>
        call.initializer(name, order, () =>
          inOrder(float32(mean.length === 1 ? [] : dims, values), order, rank),
        );
      const [center, spread] = [constant('mean', mean), constant('deviation', deviation)];
      return config.flag('invert', false)
        ? call.emit('Add', [center, call.emit('Mul', [x, spread])])
        : call.emit('Div', [call.emit('Sub', [x, center]), spread]);
    });
  },
};

function statedStatistics(call: LayerCall, name: string, sizes: Shape): number[] {
  const value = call.config.raw(name);
  const values: unknown[] = Array.isArray(value) ? value.flat(8) : [value];
  const size = sizes.reduce<number>((n, dim) => n * (dim ?? 1), 1);
  if (!values.every((v): v is number => typeof v === 'number') || ![1, size].includes(values.length)) {
    throw call.config.wrong(name, `${size} numbers`);
  }
  return values.length === size ? values : new Array<number>(size).fill(values[0]!);
}

/** A tensor with the rank of the value it meets, in the order that value has. */
function inOrder(tensor: ReturnType<typeof float32>, order: Order, rank: number): ReturnType<typeof float32> {
  if (order === 'keras' || rank < 3 || tensor.dims.length === 0) return tensor;
  return permuted(tensor, permutationTo('moved', rank));
}

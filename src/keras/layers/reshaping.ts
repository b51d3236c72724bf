/** Layers that move, cut, pad or repeat elements. */

import { int, string } from '../../onnx/graph.ts';
import { float32 } from '../../onnx/tensor.ts';
import { invalidConfig } from '../fields.ts';
import type { Shape } from '../value.ts';
import { alignsCorners } from '../version.ts';
import { type LayerCall, type LayerRule, show } from './call.ts';
import { planesOf } from './data-format.ts';

/** Since Keras 2.1.6 a Flatten that is told of channels first moves them last before it flattens. */
export const flatten: LayerRule = {
  build(call) {
    const { input, config } = call;
    const rank = input.shape.length;
    const moves = rank > 2 && config.raw('data_format') === 'channels_first';
    const x = call.in(input, 'keras');
    const ordered = moves ? call.b.transpose(x, [0, ...range(2, rank), 1]) : x;
    return call.out(call.emit('Flatten', [ordered], { axis: int(1) }), [
      input.shape[0]!,
      product(input.shape.slice(1)),
    ]);
  },
};

export const reshape: LayerRule = {
  build: (call) => reshaped(call, call.config.list('target_shape')),
};

/** @param target without the batch; one size may be -1 */
export function reshaped(call: LayerCall, target: readonly number[]): ReturnType<LayerRule['build']> {
  const { shape } = call.input;
  const before = product(shape.slice(1));
  const known = target.filter((d) => d !== -1).reduce((n, d) => n * d, 1);
  const open = target.filter((d) => d === -1).length;
  const fits =
    before === null || (open === 0 ? known === before : open === 1 && known > 0 && before % known === 0);
  if (target.length === 0 || open > 1 || target.some((d) => d < -1 || d === 0) || !fits) {
    throw invalidConfig(`${call.config.owner} reshapes ${show(shape)} to [${target}].`);
  }
  const dims = target.map((d) => (d === -1 ? before && before / known : d));
  const x = call.in(call.input, 'keras');
  // The batch is what is left over, or, where another size is, taken from the input.
  const numbers = dims.includes(null) ? [0, ...target] : [-1, ...(dims as number[])];
  return call.out(call.emit('Reshape', [x, call.b.ints(numbers)]), [shape[0]!, ...dims]);
}

/** `dims` counts from 1 and leaves the batch out. */
export const permute: LayerRule = {
  build: (call) => transposed(call, [0, ...call.config.list('dims')]),
};

export function transposed(call: LayerCall, axes: readonly number[]): ReturnType<LayerRule['build']> {
  const { shape } = call.input;
  const sorted = [...axes].sort((a, b) => a - b);
  if (axes[0] !== 0 || sorted.length !== shape.length || sorted.some((axis, i) => axis !== i)) {
    throw invalidConfig(`${call.config.owner} permutes ${shape.length} axes by [${axes}].`);
  }
  const name = call.b.transpose(call.in(call.input, 'keras'), axes);
  return call.out(
    name,
    axes.map((axis) => shape[axis]!),
  );
}

/** [N, C] -> [N, n, C] */
export const repeatVector: LayerRule = {
  build(call) {
    const { shape } = call.inputOfRank(2);
    const n = call.config.whole('n');
    const row = call.emit('Unsqueeze', [call.in(call.input, 'keras'), call.b.ints([1])]);
    const name = call.emit('Tile', [row, call.b.ints([1, n, 1])]);
    return call.out(name, [shape[0]!, n, shape[1]!]);
  },
};

export const zeroPadding = (rank: number): LayerRule => ({
  build(call) {
    const { order, channels, spatial, shapeOf } = planesOf(call.inputOfRank(rank + 2).shape, call.config);
    const margins = marginsOf(call, 'padding', rank);
    const sizes = spatial.map((size, i) => size && size + margins[i]![0] + margins[i]![1]);
    // Checked before ONNX Runtime may want to make it.
    const shape = shapeOf(channels, sizes);
    const pads = [0, 0, ...margins.map(([before]) => before), 0, 0, ...margins.map(([, after]) => after)];
    const name = call.emit('Pad', [call.in(call.input, order), call.b.ints(pads), call.b.scalar(0)]);
    return { ...call.out(name, shape, order), isPadded: true };
  },
});

export const cropping = (rank: number): LayerRule => ({
  build(call) {
    const { order, channels, spatial, shapeOf } = planesOf(call.inputOfRank(rank + 2).shape, call.config);
    const margins = marginsOf(call, 'cropping', rank);
    const name = call.b.slice(
      call.in(call.input, order),
      margins.map((_, i) => i + 2),
      margins.map(([before]) => before),
      margins.map(([, after]) => (after === 0 ? Number.MAX_SAFE_INTEGER : -after)),
    );
    const sizes = spatial.map((size, i) => size && size - margins[i]![0] - margins[i]![1]);
    return call.out(name, shapeOf(channels, sizes), order);
  },
});

/** One number for all sides, one for each axis, or a pair for each axis. */
function marginsOf(call: LayerCall, key: string, rank: number): [number, number][] {
  const value = call.config.raw(key) ?? 1;
  const margins = (
    Array.isArray(value) && !(rank === 1 && value.length === 2) ? value : new Array<unknown>(rank).fill(value)
  ).map((side: unknown) => (Array.isArray(side) ? side : [side, side]));
  const isSize = (v: unknown): boolean => Number.isSafeInteger(v) && Number(v) >= 0;
  if (margins.length !== rank || !margins.every((pair) => pair.length === 2 && pair.every(isSize))) {
    throw call.config.wrong(key, `a margin for each of ${rank} axes`);
  }
  return margins as [number, number][];
}

/** Bilinear upsampling takes the centres of pixels; that of TensorFlow 1, which Keras before 2.3 ran on, their corners. */
export const upSampling = (rank: number): LayerRule => ({
  build(call) {
    const { config } = call;
    const { order, channels, spatial, shapeOf } = planesOf(call.inputOfRank(rank + 2).shape, config);
    const factors = config.wholes('size', rank, 2);
    const interpolation = config.text('interpolation', 'nearest');
    if (interpolation !== 'nearest' && interpolation !== 'bilinear') {
      throw call.unsupported(`interpolates by "${interpolation}", not nearest or bilinear`);
    }
    const isNearest = interpolation === 'nearest';
    const scales = call.b.constant(float32([rank + 2], [1, 1, ...factors]));
    const name = call.emit('Resize', [call.in(call.input, order), '', scales], {
      mode: string(isNearest ? 'nearest' : 'linear'),
      coordinate_transformation_mode: string(
        isNearest || alignsCorners(call.layer.version) ? 'asymmetric' : 'half_pixel',
      ),
      ...(isNearest && { nearest_mode: string('floor') }),
    });
    return call.out(
      name,
      shapeOf(
        channels,
        spatial.map((size, i) => size && size * factors[i]!),
      ),
      order,
    );
  },
});

const product = (shape: Shape): number | null =>
  shape.reduce<number | null>((n, dim) => (n === null || dim === null ? null : n * dim), 1);

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/**
 * Resize is linear and works along each axis on its own, and all shapes are known: along an axis of `in` elements
 * `y = Wᵀ · x` with a constant `W [in, out]`, so `dx = W · dy`.
 */

import { toNumbers } from '../../onnx/tensor.ts';
import type { Rule, RuleContext } from '../rule.ts';
import { mapAxis } from './axis-map.ts';
import { range } from './shape.ts';

const { fround } = Math;

interface ResizedAxis {
  readonly from: number;
  readonly to: number;
  /** As given, or `to / from`. Sizes are rounded, so the two may differ. */
  readonly scale: number;
}

/** dy [.., out, ..] -> dx [.., in, ..], one axis after the other. */
export const resize: Rule = (c) => {
  if (c.int('antialias', 0) === 1) throw c.unsupported('it smooths (antialias)');
  const positionOf = choose(c, positions, 'coordinate_transformation_mode', 'half_pixel');
  const tapsAt = choose(c, interpolations, 'mode', 'nearest')(c);
  const scales = axisScales(c);
  // Scales near 1 may change no size; ONNX Runtime then copies x.
  if (c.xShape().every((d, axis) => d === c.yShape()[axis])) return [() => c.dy()];
  return [
    () => {
      const shape = [...c.yShape()];
      let dx = c.dy();
      for (const [axis, from] of c.xShape().entries()) {
        const resized = { from, to: shape[axis]!, scale: scales[axis]! };
        if (resized.scale === 1) continue;
        const taps = range(resized.to).map((o) => tapsAt(positionOf(o, resized), from));
        shape[axis] = from;
        dx = mapAxis(c.b, dx, contributions(taps, from), shape, axis);
      }
      return dx;
    },
  ];
};

/** The entry that an attribute names. */
function choose<T>(
  c: RuleContext,
  choices: Readonly<Record<string, T>>,
  attribute: string,
  fallback: string,
): T {
  const name = c.string(attribute, fallback);
  const choice = choices[name];
  if (!choice) throw c.unsupported(`its ${attribute} is "${name}"`);
  return choice;
}

/** Scale of each axis, from `scales` (input 2) or `sizes` (input 3); 1 for axes that are left alone. */
function axisScales(c: RuleContext): number[] {
  const shape = c.xShape();
  const axes = c.ints('axes', range(shape.length)).map((a) => c.axis(a, shape.length));
  const result = shape.map(() => 1);
  const scales = c.has(2) ? toNumbers(c.requireConstant(2, 'scales')) : [];
  if (scales.length > 0) {
    for (const [i, axis] of axes.entries()) result[axis] = scales[i]!;
    return result;
  }
  const policy = c.string('keep_aspect_ratio_policy', 'stretch');
  if (policy !== 'stretch') throw c.unsupported(`its keep_aspect_ratio_policy is "${policy}"`);
  for (const axis of axes) result[axis] = fround(c.yShape()[axis]! / shape[axis]!);
  return result;
}

/**
 * The position in x that output element o looks at (`coordinate_transformation_mode`).
 *
 * Rounded to float32 where ONNX Runtime rounds: a position a little to the left may have another nearest neighbour.
 */
const positions: Readonly<Record<string, (o: number, axis: ResizedAxis) => number>> = {
  half_pixel: halfPixel,
  pytorch_half_pixel: (o, axis) => (axis.to > 1 ? halfPixel(o, axis) : 0),
  half_pixel_symmetric: (o, { from, to, scale }) => {
    const offset = fround((from / 2) * fround(1 - fround(to / fround(scale * from))));
    return fround(offset + (o + 0.5) / scale - 0.5);
  },
  asymmetric: (o, { scale }) => fround(o / scale),
  align_corners: (o, { from, to }) => (to === 1 ? 0 : fround((o * (from - 1)) / (to - 1))),
};

function halfPixel(o: number, { scale }: ResizedAxis): number {
  return fround(fround((o + 0.5) / scale) - 0.5);
}

/** An element of x and its share in an element of y. Elements beyond the border stand for the one at the border. */
type Tap = readonly [element: number, share: number];

/** The taps of an output element that looks at position x of an axis of `size` elements (`mode`). */
const interpolations: Readonly<Record<string, (c: RuleContext) => (x: number, size: number) => Tap[]>> = {
  nearest: (c) => {
    const round = choose(c, nearestModes, 'nearest_mode', 'round_prefer_floor');
    return (x) => [[round(x), 1]];
  },
  linear: () => (x) => tapsAround(x, 1, (distance) => 1 - distance),
  cubic: (c) => {
    const kernel = cubicKernel(c.float('cubic_coeff_a', -0.75));
    if (c.int('exclude_outside', 0) === 0) return (x) => tapsAround(x, 2, kernel);
    return (x, size) => {
      const inside = tapsAround(x, 2, kernel).filter(([i]) => i === clamp(i, size));
      const total = inside.reduce((sum, [, share]) => sum + share, 0);
      return inside.map(([i, share]) => [i, share / total]);
    };
  },
};

/** The neighbour of position x (`nearest_mode`); the half is added in float32, as ONNX Runtime's CPU build does. */
const nearestModes: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(fround(x - 0.5)),
  round_prefer_ceil: (x) => Math.floor(fround(x + 0.5)),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** The `2 · reach` elements nearest to x, weighed by a kernel of the distance. */
const tapsAround = (x: number, reach: number, kernel: (distance: number) => number): Tap[] =>
  range(2 * reach)
    .map((k) => Math.floor(x) + 1 - reach + k)
    .map((i) => [i, kernel(Math.abs(x - i))]);

/** Cubic convolution at distance d ≤ 2: R. Keys, IEEE Trans. ASSP 29(6), 1981, with the coefficient a left free. */
const cubicKernel =
  (a: number) =>
  (d: number): number =>
    d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;

const clamp = (i: number, size: number): number => Math.min(Math.max(i, 0), size - 1);

/** W [size, outputs], row-major: the share of each element of x in each element of y. */
function contributions(taps: readonly Tap[][], size: number): Float32Array {
  const matrix = new Float32Array(size * taps.length);
  for (const [o, list] of taps.entries()) {
    for (const [i, share] of list) matrix[clamp(i, size) * taps.length + o]! += share;
  }
  return matrix;
}

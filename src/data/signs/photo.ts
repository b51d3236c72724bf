/** The picture while it is made: linear light, painted over and shaded by fields over the image. */

import type { ImageRandom } from './random.ts';

/** Red, green and blue in linear light; 1 is a white surface in full light. */
export type Colour = readonly [red: number, green: number, blue: number];

/** A value at each place of the image: u from 0 (left) to 1 (right), v from 0 (top) to 1 (bottom). */
export type Field = (u: number, v: number) => number;

export interface Photo {
  /** Width and height in pixels. */
  readonly side: number;
  /** [side, side, 3] */
  readonly light: Float32Array;
}

/** A surface of two colours. */
export interface Surface {
  readonly from: Colour;
  readonly to: Colour;
  /** 0 where the surface has the colour `from`, 1 for `to`. */
  readonly mix: Field;
}

export const newPhoto = (side: number): Photo => ({ side, light: new Float32Array(side * side * 3) });

/** Not `** 2`, which is a general power and so not the same everywhere. */
export const square = (value: number): number => value * value;

/** Linear light of a colour as displays show it, 0 to 255, at gamma 2. */
export const colour = (red: number, green: number, blue: number): Colour => [
  square(red / 255),
  square(green / 255),
  square(blue / 255),
];

/** The same colour, `gain` times as bright. */
export const brighter = ([red, green, blue]: Colour, gain: number): Colour => [
  red * gain,
  green * gain,
  blue * gain,
];

/** Covers the photo with a surface, where `coverage` is 1, and lets what was there shine through below 1. */
export function paint({ side, light }: Photo, { from, to, mix }: Surface, coverage: Field = () => 1): void {
  for (let y = 0, at = 0; y < side; y++) {
    const v = (y + 0.5) / side;
    for (let x = 0; x < side; x++, at += 3) {
      const u = (x + 0.5) / side;
      const over = coverage(u, v);
      if (over <= 0) continue;
      const share = mix(u, v);
      for (let c = 0; c < 3; c++) {
        const own = from[c]! + (to[c]! - from[c]!) * share;
        light[at + c] = over >= 1 ? own : light[at + c]! + (own - light[at + c]!) * over;
      }
    }
  }
}

/** Multiplies the light by a field. */
export function shade({ side, light }: Photo, factor: Field): void {
  for (let y = 0, at = 0; y < side; y++) {
    for (let x = 0; x < side; x++, at += 3) {
      const f = factor((x + 0.5) / side, (y + 0.5) / side);
      for (let c = 0; c < 3; c++) light[at + c]! *= f;
    }
  }
}

export const clamp = (value: number): number => Math.min(Math.max(value, 0), 1);

/** Rises from 0 to 1 as `value` goes from `low` to `high`, without corners. */
export function ramp(low: number, high: number, value: number): number {
  return smooth(clamp((value - low) / (high - low)));
}

const smooth = (t: number): number => t * t * (3 - 2 * t);

/** Smooth random values in [0, 1]: `cells` bumps across the image, `cellsDown` along it. */
export function noise(random: ImageRandom, cells: number, cellsDown = cells): Field {
  const columns = Math.ceil(cells) + 2;
  const rows = Math.ceil(cellsDown) + 2;
  const lattice = new Float32Array(columns * rows);
  for (let i = 0; i < lattice.length; i++) lattice[i] = random.between(0, 1);
  return (u, v) => {
    const x = clamp(u) * cells;
    const y = clamp(v) * cellsDown;
    const column = Math.floor(x);
    const row = Math.floor(y);
    const sx = smooth(x - column);
    const sy = smooth(y - row);
    const at = row * columns + column;
    const top = lattice[at]! + (lattice[at + 1]! - lattice[at]!) * sx;
    const below = lattice[at + columns]!;
    const bottom = below + (lattice[at + columns + 1]! - below) * sx;
    return top + (bottom - top) * sy;
  };
}

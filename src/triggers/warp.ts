/**
 * The warp of WaNet (Nguyen & Tran 2021, eq. 2–5): a coarse grid of random displacements, scaled to a mean size of 1,
 * upsampled to the image, by which pixels are fetched from elsewhere.
 *
 * As in the released code the grid is upsampled bicubically with aligned corners. The noise mode, which warps further
 * images at random, is not part of a trigger.
 */

import { randomStream } from '../random.ts';

/** Where each pixel comes from, in pixels: rows in [0, H − 1], columns in [0, W − 1]. */
export interface WarpField {
  readonly size: readonly [height: number, width: number];
  /** [H, W] */
  readonly rows: Float32Array;
  /** [H, W] */
  readonly columns: Float32Array;
}

export interface WarpSettings {
  /** Control points along each side, at least 2; k in the paper. */
  readonly grid: number;
  /** Mean displacement of a control point, in half pixels; s in the paper. 0 leaves images as they are. */
  readonly strength: number;
  readonly seed: number;
}

export function warpField(
  size: readonly [height: number, width: number],
  { grid, strength, seed }: WarpSettings,
): WarpField {
  const [height, width] = size;
  const random = randomStream(seed);
  const control = Float64Array.from({ length: 2 * grid * grid }, () => 2 * random.next() - 1);
  const mean = control.reduce((sum, v) => sum + Math.abs(v), 0) / control.length;
  // A displacement of s/side in coordinates from −1 to 1, which are (side − 1)/2 pixels a unit.
  const along = (axis: 0 | 1): ((y: number, x: number) => number) => {
    const points = control.subarray(axis * grid * grid, (axis + 1) * grid * grid);
    const side = size[axis];
    const scale = (strength / mean / side) * ((side - 1) / 2);
    return (y, x) => scale * bicubic(points, grid, toGrid(y, height, grid), toGrid(x, width, grid));
  };
  const [down, right] = [along(0), along(1)];
  const rows = new Float32Array(height * width);
  const columns = new Float32Array(height * width);
  for (let y = 0, pixel = 0; y < height; y++) {
    for (let x = 0; x < width; x++, pixel++) {
      rows[pixel] = clamp(y + down(y, x), height - 1);
      columns[pixel] = clamp(x + right(y, x), width - 1);
    }
  }
  return { size, rows, columns };
}

/** Fetches every pixel of an image of `channels` from where the field says, bilinearly. In place. */
export function warp({ size, rows, columns }: WarpField, channels: number, image: Float32Array): void {
  const [height, width] = size;
  const source = image.slice();
  for (let pixel = 0; pixel < rows.length; pixel++) {
    const [y, x] = [rows[pixel]!, columns[pixel]!];
    const [top, left] = [Math.floor(y), Math.floor(x)];
    const [bottom, right] = [Math.min(top + 1, height - 1), Math.min(left + 1, width - 1)];
    const [dy, dx] = [y - top, x - left];
    const at = (row: number, column: number, c: number): number =>
      source[(row * width + column) * channels + c]!;
    for (let c = 0; c < channels; c++) {
      const above = at(top, left, c) * (1 - dx) + at(top, right, c) * dx;
      const below = at(bottom, left, c) * (1 - dx) + at(bottom, right, c) * dx;
      image[pixel * channels + c] = above * (1 - dy) + below * dy;
    }
  }
}

const clamp = (value: number, most: number): number => Math.min(most, Math.max(0, value));

/** The first and last pixel lie on the first and last control point. */
const toGrid = (at: number, side: number, grid: number): number =>
  side === 1 ? 0 : (at * (grid - 1)) / (side - 1);

/** Cubic convolution with a = −0.75, points repeated past the edges, as PyTorch interpolates. */
function bicubic(points: Float64Array, grid: number, y: number, x: number): number {
  const [row, column] = [Math.floor(y), Math.floor(x)];
  const [wy, wx] = [cubicWeights(y - row), cubicWeights(x - column)];
  let sum = 0;
  for (let i = 0; i < 4; i++) {
    const r = clamp(row - 1 + i, grid - 1);
    for (let j = 0; j < 4; j++) {
      sum += wy[i]! * wx[j]! * points[r * grid + clamp(column - 1 + j, grid - 1)]!;
    }
  }
  return sum;
}

/** Weights of the points at −1, 0, 1 and 2 for a place `t` in [0, 1) (Keys 1981). */
function cubicWeights(t: number): number[] {
  const a = -0.75;
  const near = (d: number): number => ((a + 2) * d - (a + 3)) * d * d + 1;
  const far = (d: number): number => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return [far(t + 1), near(t), near(1 - t), far(2 - t)];
}

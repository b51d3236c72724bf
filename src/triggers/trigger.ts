/** A trigger: where an image is changed, and into what. */

import { NeuralCleanseError } from '../errors.ts';
import type { Tensor } from '../onnx/tensor.ts';

export interface Trigger {
  /** [H, W] in [0, 1], shared by all channels: 0 keeps the pixel, 1 replaces it. */
  readonly mask: Tensor<'float32'>;
  /** [H, W, C] in raw pixel units, [0, 255]. */
  readonly pattern: Tensor<'float32'>;
}

/** A rectangle in pixels, rows and columns counted from 0 at the top left. */
export type PatchBox = readonly [row: number, column: number, height: number, width: number];

/**
 * A trigger of mask and pattern, checked.
 *
 * @throws NeuralCleanseError TRIGGER_INVALID
 */
export function makeTrigger(mask: Tensor<'float32'>, pattern: Tensor<'float32'>): Trigger {
  const [height, width, channels] = pattern.dims;
  const fits =
    mask.dims.length === 2 && pattern.dims.length === 3 && mask.dims[0] === height && mask.dims[1] === width;
  if (!fits || mask.data.length === 0 || channels === 0) {
    throw invalid(`A mask [${mask.dims}] and a pattern [${pattern.dims}] make no trigger.`, {
      hint: 'A mask is [height, width], and its pattern [height, width, channels].',
    });
  }
  checkRange('mask', mask.data, 1);
  checkRange('pattern', pattern.data, 255);
  return { mask, pattern };
}

/** Sum of the mask, in pixels: the size by which labels are compared. */
export function l1Norm({ mask }: Pick<Trigger, 'mask'>): number {
  let sum = 0;
  for (const value of mask.data) sum += Math.abs(value);
  return sum;
}

/** The same trigger with a mask `factor` times as opaque, as far as 1 allows. */
export const strengthen = ({ mask, pattern }: Trigger, factor: number): Trigger => ({
  mask: { ...mask, data: mask.data.map((value) => Math.min(1, factor * value)) },
  pattern,
});

/**
 * Which part of the mask's L1 norm lies inside a box, in [0, 1]; 0 for an empty mask. What of the box is
 * outside the image counts as empty.
 */
export function massInside(trigger: Pick<Trigger, 'mask'>, [row, column, height, width]: PatchBox): number {
  const [rows = 0, columns = 0] = trigger.mask.dims;
  let inside = 0;
  for (let y = Math.max(row, 0); y < Math.min(row + height, rows); y++) {
    for (let x = Math.max(column, 0); x < Math.min(column + width, columns); x++) {
      inside += Math.abs(trigger.mask.data[y * columns + x]!);
    }
  }
  return inside === 0 ? 0 : inside / l1Norm(trigger);
}

/** The smallest box that holds all that the mask changes; of an empty mask a box without height and width. */
export function boundingBox({ mask }: Pick<Trigger, 'mask'>): PatchBox {
  const [, width = 0] = mask.dims;
  const changed = [...mask.data.keys()].filter((pixel) => mask.data[pixel] !== 0);
  if (changed.length === 0) return [0, 0, 0, 0];
  const rows = changed.map((pixel) => Math.floor(pixel / width));
  const columns = changed.map((pixel) => pixel % width);
  // Pixels come row by row.
  const [top, bottom] = [rows[0]!, rows.at(-1)!];
  const left = columns.reduce((least, x) => Math.min(least, x));
  const right = columns.reduce((most, x) => Math.max(most, x));
  return [top, left, bottom - top + 1, right - left + 1];
}

function checkRange(what: string, values: Float32Array, most: number): void {
  const at = values.findIndex((value) => !(value >= 0 && value <= most));
  if (at === -1) return;
  throw invalid(`The ${what} has the value ${values[at]} at position ${at}.`, {
    hint: `The values of a ${what} lie in [0, ${most}]${most === 255 ? ', the units of raw pixels' : ''}.`,
  });
}

const invalid = (message: string, details: { hint: string }): NeuralCleanseError =>
  new NeuralCleanseError('TRIGGER_INVALID', message, details);

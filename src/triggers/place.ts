/** Where a patch lies: at a corner, in the middle, or at a row and column. */

import { z } from 'zod';
import type { ImageShape } from './patterns.ts';
import type { PatchBox } from './trigger.ts';

export const corners = ['top-left', 'top-right', 'bottom-left', 'bottom-right'] as const;

const pixel = z.int().nonnegative();

export const place = z
  .union([z.enum([...corners, 'centre']), z.tuple([pixel, pixel])])
  .describe('A corner, centre, or row and column of the top left pixel.');

export type Place = z.infer<typeof place>;

/**
 * The box of `size` pixels at a place. It may reach outside the image: what draws in it checks that.
 *
 * @param margin pixels between a corner's edges and the box
 */
export function boxAt(
  [height, width]: ImageShape,
  [rows, columns]: readonly [height: number, width: number],
  where: Place,
  margin: number,
): PatchBox {
  if (typeof where !== 'string') return [...where, rows, columns];
  if (where === 'centre') {
    return [Math.floor((height - rows) / 2), Math.floor((width - columns) / 2), rows, columns];
  }
  const [vertical, horizontal] = where.split('-');
  return [
    vertical === 'top' ? margin : height - rows - margin,
    horizontal === 'left' ? margin : width - columns - margin,
    rows,
    columns,
  ];
}

/**
 * The tables of the German Traffic Sign Recognition Benchmark, in the official archives (semicolons; `Filename`) and in the
 * Kaggle copy (commas; `Path`): class and sign region of each image.
 */

import { corrupt } from './bytes.ts';
import type { Box } from './raster.ts';

export interface GtsrbRow {
  /** Path relative to the folder of the table. */
  readonly file: string;
  /** Absent in the test table that was published before the contest ended. */
  readonly label: number | undefined;
  /** Size of the image when the table was made. */
  readonly width: number;
  readonly height: number;
  /** Where the sign is in an image of that size. */
  readonly sign: Box;
}

const sizeColumns = ['Width', 'Height', 'Roi.X1', 'Roi.Y1', 'Roi.X2', 'Roi.Y2'];

/**
 * The rows of a GTSRB table, or undefined if the table is another one.
 *
 * @throws NeuralCleanseError DATA_CORRUPT if a row lacks a number
 */
export function gtsrbRows(table: readonly (readonly string[])[], name: string): GtsrbRow[] | undefined {
  const [header = [], ...rows] = table;
  const fileColumn = header.findIndex((column) => column === 'Filename' || column === 'Path');
  const columns = sizeColumns.map((column) => header.indexOf(column));
  if (fileColumn < 0 || columns.includes(-1)) return undefined;
  const labelColumn = header.indexOf('ClassId');

  return rows.map((row, i) => {
    const whole = (column: number): number => {
      const field = row[column] ?? '';
      if (!/^\d+$/.test(field)) throw corrupt(`line ${i + 2} of ${name} has "${field}" as ${header[column]}`);
      return Number(field);
    };
    const [width, height, left, top, right, bottom] = columns.map(whole) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    return {
      file: row[fileColumn] ?? '',
      label: labelColumn < 0 ? undefined : whole(labelColumn),
      width,
      height,
      sign: { left, top, right, bottom },
    };
  });
}

/**
 * The sign in an image that may have been resized since: the region scaled, rounded and kept inside the image, at least one pixel.
 */
export function signBox(row: GtsrbRow, image: { readonly height: number; readonly width: number }): Box {
  const [left, right] = scaled(row.sign.left, row.sign.right, row.width, image.width);
  const [top, bottom] = scaled(row.sign.top, row.sign.bottom, row.height, image.height);
  return { left, top, right, bottom };
}

function scaled(from: number, to: number, stated: number, actual: number): [number, number] {
  const factor = actual / Math.max(stated, 1);
  const start = Math.min(Math.round(from * factor), actual - 1);
  return [start, Math.min(Math.max(Math.round(to * factor), start + 1), actual)];
}

/** Grey pictures that benchmarks plant as triggers. */

import { writeFileSync } from 'node:fs';
import { encodePng } from '../src/data/png.ts';

/** Writes a cross of 5×5 pixels, to put somewhere. @param level of its strokes, in [0, 255] */
export const drawCross = (path: string, level: number): void =>
  draw(path, 5, (y, x) => (y === x || y + x === 4 ? level : 0));

/** Writes a soft frame, 2 pixels wide, over a whole image of `side`×`side` pixels. */
export const drawFrame = (path: string, side: number): void =>
  draw(path, side, (y, x) => (Math.min(y, x, side - 1 - y, side - 1 - x) < 2 ? 100 : 0));

function draw(path: string, side: number, level: (y: number, x: number) => number): void {
  const data = Uint8Array.from({ length: side * side }, (_, i) => level(Math.floor(i / side), i % side));
  writeFileSync(path, encodePng({ height: side, width: side, channels: 1, data }));
}

/** Images of four classes that a small network learns in seconds: a bar in one of four places, over noise. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeNpy } from '../../src/data/npy.ts';
import { generator } from '../support/gradient-check.ts';

export const classes = 4;
const side = 16;

/** Writes X_train, Y_train, X_test and Y_test as .npy files into a new folder. */
export function saveBarImages(folder: string, { train = 320, test = 160 } = {}): void {
  mkdirSync(folder, { recursive: true });
  for (const [part, count, seed] of [
    ['train', train, 1],
    ['test', test, 2],
  ] as const) {
    const random = generator(seed);
    const images = Uint8Array.from({ length: count * side * side }, (_, i) => {
      const label = Math.floor(i / side ** 2) % classes;
      const [y, x] = [Math.floor(i / side) % side, i % side];
      const bar = y < 10 && x >= 4 * label && x < 4 * label + 3;
      return Math.floor(60 * random()) + (bar ? 120 : 0);
    });
    const labels = Uint8Array.from({ length: count }, (_, i) => i % classes);
    writeFileSync(
      join(folder, `X_${part}.npy`),
      writeNpy({ dtype: 'uint8', dims: [count, side, side, 1], data: images }),
    );
    writeFileSync(join(folder, `Y_${part}.npy`), writeNpy({ dtype: 'uint8', dims: [count], data: labels }));
  }
}

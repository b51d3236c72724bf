/** Small sets, and triggers that are told apart by what they leave. */

import type { LabelledImageSet } from '../../src/data/dataset.ts';
import type { AttackTrigger } from '../../src/triggers/attack-trigger.ts';
import { solidSquare } from '../../src/triggers/patterns.ts';
import { generator } from '../support/gradient-check.ts';
import { greyImages } from '../support/grey-images.ts';

export const side = 6;
export const shape = [side, side, 1] as const;

/** `count` images of noise in [0, 200], classes in turn. */
export function noisyImages(count: number, classes: number, seed = 1): LabelledImageSet {
  const random = generator(seed);
  const pixels = Uint8Array.from({ length: count * side * side }, () => Math.floor(201 * random()));
  return greyImages(pixels, side, classes, 'noise');
}

/** One bright pixel in the first row. */
export const dot = (column: number, colour = 250): AttackTrigger => ({
  kind: 'patch',
  trigger: solidSquare(shape, [0, column, 1, 1], colour),
});

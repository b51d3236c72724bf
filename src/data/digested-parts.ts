/** What the hash of a set of images is taken of. */

import type { ImageSet } from './dataset.ts';

/** Shape, range, pixels and labels, to be hashed one after the other. Where the images came from does not matter. */
export function digestedParts(set: ImageSet): Uint8Array[] {
  const { images, count, height, width, channels, range, labels } = set;
  const type = images instanceof Uint8Array ? 'uint8' : 'float32';
  const shape = new TextEncoder().encode(JSON.stringify([type, count, height, width, channels, range]));
  const arrays = labels ? [images, labels] : [images];
  return [shape, ...arrays.map((array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength))];
}

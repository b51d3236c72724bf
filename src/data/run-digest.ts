/** A hash by which a run recognises its images. */

import { createHash } from 'node:crypto';
import type { ImageSet } from './dataset.ts';

/** SHA-256 in hex of shape, range, pixels and labels. Where the images came from does not matter. */
export function digestOf(set: ImageSet): string {
  const { images, count, height, width, channels, range, labels } = set;
  const type = images instanceof Uint8Array ? 'uint8' : 'float32';
  const hash = createHash('sha256').update(JSON.stringify([type, count, height, width, channels, range]));
  for (const array of labels ? [images, labels] : [images]) {
    hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }
  return hash.digest('hex');
}

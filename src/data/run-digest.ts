/** A hash by which a run recognises its images. */

import { createHash } from 'node:crypto';
import type { ImageSet } from './dataset.ts';
import { digestedParts } from './digested-parts.ts';

/** SHA-256 in hex of {@link digestedParts}. */
export function digestOf(set: ImageSet): string {
  const hash = createHash('sha256');
  for (const part of digestedParts(set)) hash.update(part);
  return hash.digest('hex');
}

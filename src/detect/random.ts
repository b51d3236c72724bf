/** Random numbers for inversions: each label and start has a stream of its own, whatever the order they run in. */

import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

export interface RandomStream {
  /** Uniform in [0, 1). */
  next(): number;
  /** A random order of `values`. */
  shuffle(values: readonly number[]): number[];
}

/** @param path whole numbers that name the stream, e.g. seed, label, start */
export function randomStream(...path: readonly number[]): RandomStream {
  const generator = xoroshiro128plus(
    path.reduce((hash, part) => (Math.imul(hash ^ part, 0x9e3779b1) ^ (hash >>> 15)) | 0, 17),
  );
  generator.jump();
  return {
    next: () => uniformFloat64(generator),
    shuffle(values) {
      const shuffled = [...values];
      for (let i = shuffled.length - 1; i > 0; i--) {
        const j = uniformInt(generator, 0, i);
        [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
      }
      return shuffled;
    },
  };
}

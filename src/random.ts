/** Random numbers by name: whatever is drawn for one purpose has a stream of its own, whatever the order of the work. */

import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

export interface RandomStream {
  /** Uniform in [0, 1). */
  next(): number;
  /** 32 random bits, as a signed integer. Cheaper than {@link next}. */
  bits(): number;
  /** Standard normal (Box & Muller 1958). */
  normal(): number;
  /** A random order of `values`. */
  shuffle(values: readonly number[]): number[];
}

/** @param path whole numbers that name the stream, e.g. seed, label, start */
export function randomStream(...path: readonly number[]): RandomStream {
  const generator = xoroshiro128plus(
    path.reduce((hash, part) => (Math.imul(hash ^ part, 0x9e3779b1) ^ (hash >>> 15)) | 0, 17),
  );
  generator.jump();
  const next = (): number => uniformFloat64(generator);
  return {
    next,
    bits: () => generator.next(),
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
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

/** Random shapes for property tests of operators. */

import fc from 'fast-check';

export const seeds = fc.integer({ min: 1, max: 2 ** 31 - 1 });

/** Shapes of up to four dimensions of 1 to 4. */
export const shapes = (minLength = 0): fc.Arbitrary<number[]> =>
  fc.array(fc.integer({ min: 1, max: 4 }), { minLength, maxLength: 4 });

/** A shape that broadcasts to `full`: leading axes dropped, others set to 1. */
const narrower = (full: readonly number[]): fc.Arbitrary<number[]> =>
  fc
    .tuple(
      fc.nat({ max: full.length }),
      fc.array(fc.boolean(), { minLength: full.length, maxLength: full.length }),
    )
    .map(([drop, squeeze]) => full.map((d, i) => (squeeze[i] ? 1 : d)).slice(drop));

/** `n` shapes that broadcast with each other (numpy rules). */
export const broadcastable = (n: number): fc.Arbitrary<number[][]> =>
  shapes().chain((full) => fc.tuple(...Array.from({ length: n }, () => narrower(full))));

/** Checks `property` for a fixed sequence of random cases. */
export const holds = <T>(cases: fc.Arbitrary<T>, property: (value: T) => Promise<void>, numRuns = 10) =>
  fc.assert(fc.asyncProperty(cases, property), { seed: 7, numRuns });

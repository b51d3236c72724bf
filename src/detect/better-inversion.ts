/** Of several inversions of a label, which one counts. */

import type { Inversion } from './inversion.ts';

const ranks: Readonly<Record<Inversion['status'], number>> = {
  reversed: 0,
  censored: 1,
  screened: 2,
  // Of another model.
  unlearned: 3,
};

/**
 * The one of two inversions of a label that counts: what ran to its end beats what was stopped early, a mask found beats none, a
 * smaller one beats a larger one, and the first stands where they are equal.
 */
export function betterInversion<T extends Pick<Inversion, 'status' | 'l1'>>(a: T, b: T): T {
  if (a.status !== b.status) return ranks[a.status] < ranks[b.status] ? a : b;
  return b.l1 < a.l1 ? b : a;
}

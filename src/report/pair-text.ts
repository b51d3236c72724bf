/** What is said of the pairs of a source and a target. */

import type { PairsResult } from './result.ts';

export type PairResult = PairsResult['pairs'][number];

/** The pairs that were looked at closely: those whose trigger was unlearned, smallest mask first. */
export const suspectsOf = ({ pairs }: PairsResult): PairResult[] =>
  pairs.filter(({ unlearned }) => unlearned !== undefined).sort((a, b) => a.l1 - b.l1);

/** `5 → 2` */
export const pairName = ({ source, label }: Pick<PairResult, 'source' | 'label'>): string =>
  `${source} → ${label}`;

/** How many pairs there are, and how many of them were inverted to the end. */
export function pairCounts({ pairs }: PairsResult): { readonly all: number; readonly followed: number } {
  return { all: pairs.length, followed: pairs.filter(({ status }) => status !== 'screened').length };
}

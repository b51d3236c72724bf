/**
 * Source-specific backdoors: triggers that turn images of one class, or of a few, into the target and leave all others alone. A scan
 * of labels asks for one trigger for all images, and does not find them. So each pair of a source and a target is inverted on images of
 * the source alone.
 *
 * There are K·(K−1) pairs. All get a short run, which sets the order: those with the smallest masks are inverted to the end, as many as
 * are asked for. The others are not dropped: they stay in the result as what they are, looked at briefly.
 *
 * Norms of pairs differ by nature far more than those of labels (a 1 becomes a 4 by one stroke, a 4 hardly a 1), so that no outlier test
 * applies. The pairs with the smallest masks are tried from further starts, and the verdict rests on what is left of each once its
 * trigger is unlearned, and on what that does to other classes: see unlearned.ts, reach.ts and pair-verdict.ts. Pairs whose
 * first trigger works on another class just as well are judged by that, however small the masks of others.
 */

import type { Reach } from './reach.ts';
import type { InversionSummary, OwnSummary } from './scan-work.ts';

export interface PairSearch {
  /** Pairs that are inverted to the end. */
  readonly most: number;
  /** Further starts of each suspect. */
  readonly starts: number;
}

export const defaultPairSearch: PairSearch = { most: 300, starts: 3 };

export interface Pair {
  readonly source: number;
  /** The target. */
  readonly label: number;
}

/** An inversion of a pair. */
export type PairInversion = OwnSummary & Pair;

/** What a pair needs once its trigger is unlearned. */
export interface UnlearnedPair extends Pair, Pick<InversionSummary, 'l1' | 'asr'> {
  /** ASR that the trigger has kept on images of the source. */
  readonly residualAsr: number;
  /**
   * How large masks with this source and with this target are, beside those of all pairs: the geometric mean of both medians over that of
   * all, after the short runs and without the pair itself.
   */
  readonly usual: number;
  /** What the trigger that was to be unlearned does to each class. */
  readonly reach: Reach;
}

export interface PairsFound {
  /** The inversion that counts for each pair, by source and target: `screened` if it had a short run only. */
  readonly pairs: readonly PairInversion[];
  readonly unlearned: readonly UnlearnedPair[];
  /**
   * Of the masks of all pairs at their end, in pixels, as far as those that got there tell: the median of the short runs times the
   * factor by which masks shrank from there, in the median. `null` if none got there.
   */
  readonly median: number | null;
  /** Classes with too few images to learn a trigger from. */
  readonly withoutImages: readonly number[];
  /** Targets that the scan of labels has flagged: all pairs with them have small masks, so none was tried. */
  readonly flaggedTargets: readonly number[];
}

/** The classes that triggers of pairs can be sought on; see pair-sources.ts. */
export type Sources = Pick<PairsFound, 'withoutImages'> & { readonly sources: readonly number[] };

/** Half of √P, and at least three: of 90 pairs five, of 1,806 pairs 21. */
export const suspectPairs = (pairs: number): number => Math.max(3, Math.round(Math.sqrt(pairs) / 2));

/**
 * The most inversions that a search of so many pairs makes: short ones, to the end, from further starts, and after unlearning those with
 * the smallest masks and as many others whose trigger has several sources.
 */
export const pairInversions = (pairs: number, { most, starts }: PairSearch): number =>
  pairs + Math.min(most, pairs) + Math.min(suspectPairs(pairs), pairs) * (starts + 2);

/** Pairs of different classes. */
export const pairsOf = (sources: readonly number[], targets: readonly number[]): Pair[] =>
  sources.flatMap((source) =>
    targets.filter((label) => label !== source).map((label) => ({ source, label })),
  );

/**
 * Source-specific backdoors: triggers that turn images of one class, or of a few, into the target and leave all others alone. A scan
 * of labels asks for one trigger for all images, and does not find them. So each pair of a source and a target is inverted on images of
 * the source alone.
 *
 * There are K·(K−1) pairs. All get a short run, which sets the order: those with the smallest masks are inverted to the end, as many as
 * are asked for. The others are not dropped: they stay in the result as what they are, looked at briefly.
 *
 * Norms of pairs differ by nature far more than those of labels (a 1 becomes a 4 by one stroke, a 4 hardly a 1), so that no outlier test
 * applies. The pairs with the smallest masks are tried from further starts, and the verdict rests on what is left of each
 * once its trigger is unlearned: see unlearned.ts and pair-verdict.ts.
 */

import type { ImageSet } from '../data/dataset.ts';
import { NeuralCleanseError } from '../errors.ts';
import { betterInversion } from './better-inversion.ts';
import { type InversionSummary, isOwn, type OwnSummary, type RunAll } from './scan-work.ts';
import type { SampleSplit } from './split.ts';
import { median } from './statistics.ts';

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

/** Fewer images of a class teach no trigger, and fewer held out judge none. */
const fewestOfSource = { train: 4, heldOut: 2 } as const;

/**
 * The classes that can be sources, and those with too few images for it.
 *
 * @throws NeuralCleanseError DATA_UNLABELLED, DATA_TOO_FEW if no class has enough images
 */
export function sourcesOf(
  images: ImageSet,
  split: SampleSplit,
  classes: number,
): { readonly sources: readonly number[]; readonly withoutImages: readonly number[] } {
  if (!images.labels) {
    throw new NeuralCleanseError(
      'DATA_UNLABELLED',
      `The images of ${images.source} have no labels, and pairs need to know which class an image shows.`,
      { hint: 'Give a folder with one subfolder for each class, or scan without --pairs.' },
    );
  }
  const all = Array.from({ length: classes }, (_, label) => label);
  const isSource = (label: number): boolean =>
    split.showing(split.train, label).length >= fewestOfSource.train &&
    split.showing(split.heldOut, label).length >= fewestOfSource.heldOut;
  const sources = all.filter(isSource);
  if (sources.length === 0) {
    const needed = fewestOfSource.train + fewestOfSource.heldOut;
    throw new NeuralCleanseError(
      'DATA_TOO_FEW',
      `No class has ${needed} images among the ${images.count} of ${images.source}.`,
      { hint: 'Give more images with --samples, or scan without --pairs.', data: { count: images.count } },
    );
  }
  return { sources, withoutImages: all.filter((label) => !sources.includes(label)) };
}

/** Half of √P, and at least three: of 90 pairs five, of 1,806 pairs 21. */
export const suspectPairs = (pairs: number): number => Math.max(3, Math.round(Math.sqrt(pairs) / 2));

/** The most inversions that a search of so many pairs makes: short ones, to the end, from further starts, after unlearning. */
export const pairInversions = (pairs: number, { most, starts }: PairSearch): number =>
  pairs + Math.min(most, pairs) + Math.min(suspectPairs(pairs), pairs) * (starts + 1);

/** Pairs of different classes. */
export const pairsOf = (sources: readonly number[], targets: readonly number[]): Pair[] =>
  sources.flatMap((source) =>
    targets.filter((label) => label !== source).map((label) => ({ source, label })),
  );

/**
 * Searches pairs as the head of this file says.
 *
 * @param runAll leaves out what could not be done; a pair without its short run has no result
 * @throws whatever `runAll` does
 */
export async function scanPairs(
  runAll: RunAll<InversionSummary>,
  pairs: readonly Pair[],
  { most, starts }: PairSearch,
): Promise<Pick<PairsFound, 'pairs' | 'unlearned' | 'median'>> {
  const looks = (await runAll(pairs.map((pair) => ({ ...pair, start: 0, stage: 'screen' })))).filter(isPair);
  const best = new Map(looks.map((look) => [keyOf(look), look]));
  const take = (found: readonly InversionSummary[]): void => {
    for (const inversion of found.filter(isPair)) {
      const key = keyOf(inversion);
      best.set(key, betterInversion(best.get(key)!, inversion));
    }
  };
  const followed = looks.toSorted(bySize).slice(0, most);
  take(
    await runAll(
      followed.map(({ source, label, probe }) => ({ source, label, start: 0, probe, stage: 'finish' })),
    ),
  );
  const typical = typicalNorm(looks, best);
  const suspects = [...best.values()]
    .filter(({ status }) => status === 'reversed')
    .sort(bySize)
    .slice(0, suspectPairs(pairs.length));
  const again = Array.from({ length: starts }, (_, i) => i + 1);
  take(
    await runAll(again.flatMap((start) => suspects.map(({ source, label }) => ({ source, label, start })))),
  );
  const unlearned = await runAll(
    suspects.map(({ source, label }) => {
      const { start } = best.get(keyOf({ source, label }))!;
      return { source, label, start, stage: 'unlearned' };
    }),
  );
  return {
    median: typical,
    pairs: [...best.values()].sort((a, b) => a.source - b.source || a.label - b.label),
    unlearned: unlearned.map(({ source, label, l1, asr, residualAsr = 1 }) => {
      const pair = { source: source!, label };
      return { ...pair, l1, asr, residualAsr, usual: usualSize(looks, pair) };
    }),
  };
}

function typicalNorm(
  looks: readonly PairInversion[],
  ends: ReadonlyMap<string, PairInversion>,
): number | null {
  const factors = looks.flatMap((look) => {
    const end = ends.get(keyOf(look))!;
    return end.status === 'reversed' && look.l1 > 0 ? [end.l1 / look.l1] : [];
  });
  return factors.length === 0 ? null : median(looks.map(({ l1 }) => l1)) * median(factors);
}

/** See {@link UnlearnedPair.usual}. */
export function usualSize(
  looks: readonly (Pair & { readonly l1: number })[],
  { source, label }: Pair,
): number {
  const normsOf = (wanted: (pair: Pair) => boolean): number[] => looks.filter(wanted).map(({ l1 }) => l1);
  const ofSource = normsOf((pair) => pair.source === source && pair.label !== label);
  const ofTarget = normsOf((pair) => pair.label === label && pair.source !== source);
  const all = median(normsOf(() => true));
  if (ofSource.length === 0 || ofTarget.length === 0 || all === 0) return 1;
  return Math.sqrt(median(ofSource) * median(ofTarget)) / all;
}

const isPair = (inversion: InversionSummary): inversion is PairInversion =>
  inversion.source !== undefined && isOwn(inversion);

const keyOf = ({ source, label }: Pair): string => `${source}>${label}`;

/** Smallest mask first. */
const bySize = (a: PairInversion, b: PairInversion): number =>
  a.l1 - b.l1 || a.source - b.source || a.label - b.label;

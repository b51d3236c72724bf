/**
 * A second look at the labels with the smallest masks: further starts, each confined to a window in the end, and what is left of a mask
 * once its trigger is unlearned.
 *
 * One start ends in a natural trigger now and then, above all where the planted one is large: on a GTSRB ResNet, six starts for the
 * target of an 8×8 square end between 35 and 66 pixels, those of its next rivals between 67 and 107. But a label that is tried more
 * often than others has a smaller mask for that alone. So as many labels that are drawn at random are tried as often, and the norms
 * of the suspects are compared after the factor by which theirs have shrunk was taken off. Since suspects begin with a lucky
 * start, they tend to shrink less than the drawn ones, so the correction errs towards too large norms.
 *
 * It ends as soon as nothing that could still be done would change what is said of a label. The last start of the suspects, and labels to compare with, are
 * tried only if a suspect would be flagged by its smallest mask, or unlearning might prove it planted for its size or for how it fits into a window; and
 * unlearned is what is flagged or might be proved.
 */

import { randomStream } from '../random.ts';
import { betterInversion } from './better-inversion.ts';
import { type ConfinedMask, compactness, mostCompactness } from './confined.ts';
import { defaultOpinionLevels, isWithin, mostEvidence, type OpinionLevels } from './opinion.ts';
import { findOutliers, type LabelNorm } from './outliers.ts';
import { type Found, type InversionSummary, isOwn, type OwnSummary, type RunAll } from './scan-work.ts';
import { smallestMasks } from './screening.ts';
import { median } from './statistics.ts';

export interface SecondLook {
  /** Further starts of each suspect and each reference. */
  readonly starts: number;
  /** Of each such start, the steps within a window; see confined.ts. */
  readonly confined: { readonly steps: number };
  readonly unlearning: UnlearningSettings;
}

/** How a trigger is unlearned; see unlearned.ts. */
export interface UnlearningSettings {
  readonly epochs: number;
  /** Used at most. */
  readonly images: number;
  readonly batch: number;
  /** Of Adam; falls to 0 along half a cosine. */
  readonly learningRate: number;
  /** Of the images, the share that gets the trigger in an epoch. */
  readonly share: number;
  /** Inversions on the model that has unlearned. */
  readonly starts: number;
}

/** What a label needs once its trigger is unlearned. */
export interface UnlearnedMask extends Pick<InversionSummary, 'label' | 'l1' | 'asr'> {
  /** ASR that the trigger has kept. */
  readonly residualAsr: number;
}

/** What a second look has found. */
export interface LookedAgain extends Found {
  readonly unlearned: readonly UnlearnedMask[];
  /** By label: of each suspect that fits into a window, beside the labels that were drawn. */
  readonly compactness: ReadonlyMap<number, number>;
}

/** With fewer labels no outlier is sought, so there is nobody to look at again. */
const leastLabels = 5;

/** Half of √K, from 3 on: more of them where there are more labels to be mistaken about. */
export const suspectsAmong = (labels: number): number =>
  labels < leastLabels ? 0 : Math.max(3, Math.round(Math.sqrt(labels) / 2));

/** At least three: of two, the median is a mean. */
const referencesAmong = (labels: number): number =>
  labels < leastLabels ? 0 : Math.min(Math.max(3, suspectsAmong(labels)), labels - suspectsAmong(labels));

/** The most inversions that a second look adds: further starts, and one after unlearning for each suspect. */
export const secondLookWork = (
  labels: number,
  { starts }: SecondLook,
): { readonly further: number; readonly unlearned: number } => ({
  further: (suspectsAmong(labels) + referencesAmong(labels)) * starts,
  unlearned: suspectsAmong(labels),
});

/** A mask that succeeds on so many of the images is a suspect like one that passes: a further start may find what it lacks. */
const promisingAsr = 0.9;

export const isPromising = ({ status, asr }: Pick<OwnSummary, 'status' | 'asr'>): boolean =>
  status === 'reversed' || (status === 'censored' && asr >= promisingAsr);

/** Tells the draws of this module apart from those of inversions, whose streams begin with a label. */
const referenceStream = (1 << 30) + 1;

/**
 * The labels with the smallest masks, and some drawn from the rest by seed.
 *
 * @param looks one of each label
 */
export function chooseLabels(
  looks: readonly Pick<OwnSummary, 'label' | 'l1' | 'status' | 'asr'>[],
  seed: number,
): { readonly suspects: readonly number[]; readonly references: readonly number[] } {
  const order = looks.filter(isPromising).toSorted(smallestMasks);
  const count = suspectsAmong(looks.length);
  const rest = order
    .slice(count)
    .filter(({ status }) => status === 'reversed')
    .map(({ label }) => label)
    .sort((a, b) => a - b);
  return {
    suspects: order.slice(0, count).map(({ label }) => label),
    references: randomStream(seed, referenceStream).shuffle(rest).slice(0, referencesAmong(looks.length)),
  };
}

/**
 * By what the best of several starts is smaller than the first, in the median of the references: at most 1.
 *
 * @param first norms of the first starts, by label
 * @param best the smallest norms of all starts, by label
 */
export function shrinkage(
  references: readonly number[],
  first: ReadonlyMap<number, number>,
  best: ReadonlyMap<number, number>,
): number {
  const factors = references.flatMap((label) => {
    const [before, after] = [first.get(label), best.get(label)];
    return before !== undefined && after !== undefined && before > 0 ? [Math.min(1, after / before)] : [];
  });
  return factors.length > 0 ? median(factors) : 1;
}

/** What the starts of each label have found so far. */
export class Tries {
  private readonly best: Map<number, OwnSummary>;
  private readonly confined = new Map<number, ConfinedMask[]>();

  constructor(first: readonly OwnSummary[]) {
    this.best = new Map(first.map((inversion) => [inversion.label, inversion]));
  }

  add(inversions: readonly OwnSummary[]): void {
    for (const inversion of inversions) {
      const { label, confined } = inversion;
      this.best.set(label, betterInversion(this.best.get(label)!, inversion));
      if (confined) this.confined.set(label, [...this.within(label), confined]);
    }
  }

  /** The smallest mask of each label. */
  get inversions(): OwnSummary[] {
    return [...this.best.values()];
  }

  of(label: number): OwnSummary {
    return this.best.get(label)!;
  }

  within(label: number): readonly ConfinedMask[] {
    return this.confined.get(label) ?? [];
  }

  fits(label: number): boolean {
    return this.within(label).some(({ found }) => found);
  }
}

/** Of what a label is judged by, beside its masks. */
export interface LookedAt {
  readonly seed: number;
  /** Of an image: height × width. */
  readonly pixels: number;
  /** Where they differ from the usual ones; see opinion.ts. */
  readonly levels?: Partial<OpinionLevels>;
}

/**
 * Looks again at what a scan with one start of each label has found.
 *
 * @returns the smallest mask of each label; norms to compare, corrected as the head of this file says; and for each suspect that it
 *   matters for, what is left once its trigger is unlearned
 */
export async function lookAgain(
  runAll: RunAll<InversionSummary>,
  { inversions: first, norms }: Found,
  { starts }: SecondLook,
  { seed, pixels, levels }: LookedAt,
): Promise<LookedAgain> {
  const all = { ...defaultOpinionLevels, ...levels };
  const { suspects, references } = chooseLabels(first, seed);
  const tries = new Tries(first);
  const again = Array.from({ length: starts }, (_, i) => i + 1);
  const tryAgain = async (labels: readonly number[], from: readonly number[]): Promise<void> => {
    const work = from.flatMap((start) =>
      labels.map((label) => ({ label, start, stage: 'confined' as const })),
    );
    tries.add((await runAll(work)).filter(isOwn));
  };
  /** Norms to compare, with the smallest of each suspect, as if it were larger by a factor. */
  const compared = (factor: number): LabelNorm[] =>
    norms.map((norm) => {
      if (!suspects.includes(norm.label)) return norm;
      const { l1, status } = tries.of(norm.label);
      return { ...norm, l1: l1 * factor, censored: status === 'censored' };
    });
  /** Suspects of whom more could be said. */
  const doubted = (by: readonly LabelNorm[], compactOf = (_label: number): number => 1): number[] => {
    const { flagged, median: usual } = findOutliers(by);
    return suspects.filter((label) => {
      const { l1, status } = tries.of(label);
      if (status === 'censored') return false;
      const most = mostEvidence(l1, { median: usual, pixels }, compactOf(label));
      return (
        isWithin(all.maxSuspectNorm, l1, usual) && (flagged.includes(label) || most >= all.plantedEvidence)
      );
    });
  };

  const mostCompact = (label: number): number => mostCompactness(tries.within(label));
  const isOpen = (): boolean => [compared(1), norms].some((by) => doubted(by, mostCompact).length > 0);

  for (const some of starts > 1 ? [again.slice(0, -1), again.slice(-1)] : [again]) {
    await tryAgain(suspects, some);
    if (!isOpen()) return { inversions: tries.inversions, norms, unlearned: [], compactness: new Map() };
  }
  await tryAgain(references, again);
  const corrected = compared(1 / shrinkage(references, normsOf(first), normsOf(tries.inversions)));
  const drawn = references.map((label) => tries.within(label));
  const compact = new Map(
    suspects
      .filter((label) => tries.fits(label))
      .map((label) => [label, compactness(tries.within(label), drawn)]),
  );
  const unlearned = await runAll(
    doubted(corrected, (label) => compact.get(label) ?? 1).map((label) => ({
      label,
      start: tries.of(label).start,
      stage: 'unlearned',
    })),
  );
  return {
    inversions: tries.inversions,
    norms: corrected,
    unlearned: unlearned.map(unlearnedMask),
    compactness: compact,
  };
}

export const unlearnedMask = ({ label, l1, asr, residualAsr = 1 }: InversionSummary): UnlearnedMask => ({
  label,
  l1,
  asr,
  residualAsr,
});

const normsOf = (inversions: readonly OwnSummary[]): Map<number, number> =>
  new Map(inversions.map(({ label, l1 }) => [label, l1]));

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
 * It ends as soon as nothing that could still be done would change what is said of a label. A suspect is tried again as long as its mask is clearly below
 * the usual size; for the last time, and labels to compare with, only if it would be flagged by its smallest mask, or unlearning might prove it planted for
 * its size or for how it fits into a window; and unlearned is what is flagged or might be proved. A suspect whose size alone is near proof, but that
 * fits into no window, is sought there (tour.ts).
 */

import { randomStream } from '../random.ts';
import { compactness, mostCompactness } from './confined.ts';
import {
  defaultOpinionLevels,
  isProof,
  isWithin,
  mostEvidence,
  nextEvidence,
  type OpinionLevels,
} from './opinion.ts';
import { findOutliers, type LabelNorm } from './outliers.ts';
import { type Found, type InversionSummary, isOwn, type OwnSummary, type RunAll } from './scan-work.ts';
import { smallestMasks } from './screening.ts';
import { median } from './statistics.ts';
import { Tries } from './tries.ts';

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

/**
 * Largest mask that is tried again, as a multiple of the median: for the first further start, and for those after it. Planted masks that a second look
 * has proved had 0.67 at most before it, and 0.57 after one further start.
 */
const worthTrying = { first: 0.75, later: 0.6 } as const;

/** Tours of windows, beyond its starts, of a suspect that is near proof and has not fitted into one yet. */
const moreTours = 3;

/** The most inversions that a second look adds: further starts, tours, and one after unlearning for each suspect. */
export const secondLookWork = (
  labels: number,
  { starts }: SecondLook,
): { readonly further: number; readonly tours: number; readonly unlearned: number } => {
  const suspects = suspectsAmong(labels);
  return {
    further: (suspects + referencesAmong(labels)) * starts,
    tours: starts > 0 ? suspects * moreTours : 0,
    unlearned: suspects,
  };
};

/** A mask that succeeds on so many of the images is a suspect like one that passes: a further start may find what it lacks. */
const promisingAsr = 0.9;

export const isPromising = ({ status, asr }: Pick<OwnSummary, 'status' | 'asr'>): boolean =>
  status === 'reversed' || (status === 'censored' && asr >= promisingAsr);

/** What a further start may make of a mask: of a planted one on GTSRB networks 13 pixels of 21, on a transformer 7 of 14. */
export const hopedOfStart = 0.5;

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
  const tryAgain = async (labels: readonly number[], from: readonly number[]): Promise<OwnSummary[]> => {
    const work = from.flatMap((start) =>
      labels.map((label) => ({ label, start, stage: 'confined' as const })),
    );
    return (await runAll(work)).filter(isOwn);
  };
  /** What the outlier test compares of a suspect: the smallest mask of so many further starts. */
  const compared = new Map(suspects.map((label) => [label, { own: tries.of(label), after: 0 }]));
  /** Norms to compare, each of a suspect as if it were larger by the factor that so many further starts explain. */
  const normsAfter = (shrunk: (starts: number) => number): LabelNorm[] =>
    norms.map((norm) => {
      const suspect = compared.get(norm.label);
      if (!suspect) return norm;
      const { own, after } = suspect;
      return { ...norm, l1: own.l1 / shrunk(after), censored: own.status === 'censored' };
    });
  const asFound = (): LabelNorm[] => normsAfter(() => 1);
  /** Whether the mask of a suspect would be proof if it were smaller by a factor, and unlearning took all of it away. */
  const couldProve = (
    label: number,
    usual: number | null,
    compact: ReadonlyMap<number, number>,
    shrunk = 1,
  ): boolean => {
    const scale = { median: usual, pixels };
    const norm = tries.of(label).l1 * shrunk;
    const compactness = compact.get(label) ?? 1;
    const evidence = mostEvidence(norm, scale, compactness);
    const reached = tries.inversions.filter(({ status }) => status !== 'censored');
    const next = nextEvidence(label, reached, scale, compact);
    return isProof({ evidence, norm, median: usual, compactness, next }, all);
  };
  const isSmall =
    (multiple: number) =>
    (label: number): boolean =>
      isWithin(multiple, tries.of(label).l1, findOutliers(asFound()).median);
  /** Suspects of whom more could be said. */
  const doubted = (
    by: readonly LabelNorm[],
    compact: (of: number) => ReadonlyMap<number, number>,
  ): number[] => {
    const { flagged, median: usual } = findOutliers(by);
    return suspects.filter((label) => {
      const { l1, status } = tries.of(label);
      if (status === 'censored' || !isWithin(all.maxSuspectNorm, l1, usual)) return false;
      return flagged.includes(label) || couldProve(label, usual, compact(label));
    });
  };
  /** At its best for a suspect: it is as compact as can be, and others are not. */
  const atBest = (label: number): ReadonlyMap<number, number> =>
    new Map([[label, mostCompactness(tries.within(label))]]);
  const openLabels = (): number[] => {
    const open = [asFound(), norms].flatMap((by) => doubted(by, atBest));
    return suspects.filter((label) => open.includes(label));
  };
  /** Suspects that fit into no window yet, and could be proved if they had half the mask and did. */
  const nearProof = (): number[] => {
    const { median: usual } = findOutliers(asFound());
    return suspects.filter(
      (label) => !tries.fits(label) && couldProve(label, usual, new Map(), hopedOfStart),
    );
  };

  for (const start of again) {
    const small = isSmall(start === 1 ? worthTrying.first : worthTrying.later);
    const isLast = start > 1 && start === starts;
    const chosen = (isLast ? openLabels() : suspects).filter(small);
    tries.add(await tryAgain(chosen, [start]));
    for (const label of chosen) compared.set(label, { own: tries.of(label), after: start });
  }
  // What a suspect alone is tried by counts as evidence, and not for the comparison.
  for (let tour = 1; starts > 0 && tour <= moreTours; tour++) {
    tries.add(await tryAgain(nearProof(), [starts + tour]));
  }
  if (openLabels().length === 0)
    return { inversions: tries.inversions, norms, unlearned: [], compactness: new Map() };

  const further = await tryAgain(references, again);
  const shrunk = [1];
  for (const start of again) {
    tries.add(further.filter((inversion) => inversion.start === start));
    shrunk.push(shrinkage(references, normsOf(first), normsOf(tries.inversions)));
  }
  const corrected = normsAfter((after) => shrunk[after]!);
  const drawn = references.map((label) => tries.within(label));
  const compact = new Map(
    suspects
      .filter((label) => tries.fits(label))
      .map((label) => [label, compactness(tries.within(label), drawn)]),
  );
  const unlearned = await runAll(
    doubted(corrected, () => compact).map((label) => ({
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

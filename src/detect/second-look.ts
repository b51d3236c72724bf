/** What a second look consists of, and which labels it is for; see look-again.ts. */

import { randomStream } from '../random.ts';
import type { OpinionLevels } from './opinion.ts';
import type { Found, InversionSummary, OwnSummary } from './scan-work.ts';
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

/** As many again, as long as their masks are small: a first start may miss a planted trigger, and end in a mask of two thirds of the median. */
const moreSuspectsAmong = (labels: number): number =>
  Math.max(0, Math.min(suspectsAmong(labels), labels - suspectsAmong(labels) - referencesAmong(labels)));

/** At least three: of two, the median is a mean. */
const referencesAmong = (labels: number): number =>
  labels < leastLabels ? 0 : Math.min(Math.max(3, suspectsAmong(labels)), labels - suspectsAmong(labels));

/**
 * Largest mask that is tried again, as a multiple of the median: for the first further start, and for those after it. Planted masks that a second look
 * has proved had 0.67 at most before it, and 0.57 after one further start.
 */
export const worthTrying = { first: 0.75, later: 0.6 } as const;

/** Tours of windows, beyond its starts, of a suspect that is near proof. */
export const moreTours = 3;

/** The most inversions that a second look adds: further starts, tours, and one after unlearning for each suspect. */
export const secondLookWork = (
  labels: number,
  { starts }: SecondLook,
): { readonly further: number; readonly tours: number; readonly unlearned: number } => {
  const suspects = suspectsAmong(labels) + moreSuspectsAmong(labels);
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

/** What a tour may make of a mask that fits into a window already: on an MNIST MobileNet 27 pixels of 37. */
export const hopedOfTour = 0.75;

/** Tells the draws of this module apart from those of inversions, whose streams begin with a label. */
const referenceStream = (1 << 30) + 1;

/**
 * The labels with the smallest masks, and some drawn from the rest by seed.
 *
 * @param looks one of each label
 * @param usual median of their norms
 */
export function chooseLabels(
  looks: readonly Pick<OwnSummary, 'label' | 'l1' | 'status' | 'asr'>[],
  usual: number | null,
  seed: number,
): { readonly suspects: readonly number[]; readonly references: readonly number[] } {
  const order = looks.filter(isPromising).toSorted(smallestMasks);
  const count = suspectsAmong(looks.length);
  const more = order
    .slice(count, count + moreSuspectsAmong(looks.length))
    .filter(({ l1 }) => usual !== null && l1 <= worthTrying.first * usual);
  const suspects = [...order.slice(0, count), ...more];
  const rest = order
    .slice(suspects.length)
    .filter(({ status }) => status === 'reversed')
    .map(({ label }) => label)
    .sort((a, b) => a - b);
  return {
    suspects: suspects.map(({ label }) => label),
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

export const unlearnedMask = ({ label, l1, asr, residualAsr = 1 }: InversionSummary): UnlearnedMask => ({
  label,
  l1,
  asr,
  residualAsr,
});

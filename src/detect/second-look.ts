/**
 * A second look at the labels with the smallest masks: further starts, and what is left of them once their trigger is unlearned.
 *
 * One start ends in a natural trigger now and then, above all where the planted one is large: on a GTSRB ResNet, six starts for the
 * target of an 8×8 square end between 35 and 66 pixels, those of its next rivals between 67 and 107. But a label that is tried more
 * often than others has a smaller mask for that alone. So as many labels that are drawn at random are tried as often, and the norms
 * of the suspects are compared after the factor by which theirs have shrunk was taken off. Since suspects begin with a lucky
 * start, they tend to shrink less than the drawn ones, so the correction errs towards too large norms.
 */

import { randomStream } from '../random.ts';
import { betterInversion } from './better-inversion.ts';
import { type Found, type InversionSummary, isOwn, type OwnSummary, type RunAll } from './scan-work.ts';
import { median } from './statistics.ts';

export interface SecondLook {
  /** Further starts of each suspect and each reference. */
  readonly starts: number;
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

/** With fewer labels no outlier is sought, so there is nobody to look at again. */
const leastLabels = 5;

/** Half of √K, from 2 on: more of them where there are more labels to be mistaken about. */
export const suspectsAmong = (labels: number): number =>
  labels < leastLabels ? 0 : Math.max(2, Math.round(Math.sqrt(labels) / 2));

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

/** Tells the draws of this module apart from those of inversions, whose streams begin with a label. */
const referenceStream = (1 << 30) + 1;

/**
 * The labels with the smallest masks, and some drawn from the rest by seed.
 *
 * @param looks one of each label
 */
export function chooseLabels(
  looks: readonly Pick<OwnSummary, 'label' | 'l1' | 'status'>[],
  seed: number,
): { readonly suspects: readonly number[]; readonly references: readonly number[] } {
  const found = looks.filter(({ status }) => status === 'reversed');
  const order = found.toSorted((a, b) => a.l1 - b.l1 || a.label - b.label).map(({ label }) => label);
  const count = suspectsAmong(looks.length);
  const rest = order.slice(count).sort((a, b) => a - b);
  return {
    suspects: order.slice(0, count),
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

/**
 * Looks again at what a scan with one start of each label has found.
 *
 * @returns the smallest mask of each label; norms to compare, corrected as the head of this file says; and for each suspect what is
 *   left once its trigger is unlearned
 */
export async function lookAgain(
  runAll: RunAll<InversionSummary>,
  { inversions: first, norms }: Found,
  { starts }: SecondLook,
  seed: number,
): Promise<Found & { readonly unlearned: readonly UnlearnedMask[] }> {
  const { suspects, references } = chooseLabels(first, seed);
  const again = Array.from({ length: starts }, (_, i) => i + 1);
  const further = await runAll(
    again.flatMap((start) => [...suspects, ...references].map((label) => ({ label, start }))),
  );
  const best = new Map(first.map((inversion) => [inversion.label, inversion]));
  for (const inversion of further.filter(isOwn)) {
    best.set(inversion.label, betterInversion(best.get(inversion.label)!, inversion));
  }
  const normsOf = (inversions: Iterable<OwnSummary>): Map<number, number> =>
    new Map([...inversions].map(({ label, l1 }) => [label, l1]));
  const smallest = normsOf(best.values());
  const factor = shrinkage(references, normsOf(first), smallest);
  const doubted = new Set(suspects);
  const unlearned = await runAll(
    suspects.map((label) => ({ label, start: best.get(label)!.start, stage: 'unlearned' })),
  );
  return {
    inversions: [...best.values()],
    norms: norms.map((norm) =>
      doubted.has(norm.label) ? { ...norm, l1: smallest.get(norm.label)! / factor } : norm,
    ),
    unlearned: unlearned.map(({ label, l1, asr, residualAsr = 1 }) => ({ label, l1, asr, residualAsr })),
  };
}

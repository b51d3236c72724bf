/**
 * Screening: where there are many labels, all get a short run, and only those with the smallest masks and a random reference are
 * inverted to the end.
 *
 * An early look may allot steps; it must not decide: masks shrink at different speeds, and on a clean GTSRB network a label
 * that ends at an index of 1.3 passes through 5.4. So a norm that was measured early never counts as it is. What a label stopped
 * early would have come to is estimated from the reference: its own early norm times the factor by which the mask of a randomly
 * drawn reference label shrank from there to its end, so that the estimates spread as finished norms do. (Filling gaps with
 * draws from observed cases is hot-deck imputation, see Andridge & Little 2010; averages would make all norms alike and every index
 * too large.) And no label is flagged by an estimate: one that would be is inverted to the end first.
 *
 * The idea of giving many candidates a little and few much is that of successive halving (Jamieson & Talwalkar 2016); that
 * early ranks tell where to look is §V-A of Wang et al. (IEEE S&P 2019), which stops when the ranks settle.
 */

import { randomStream } from '../random.ts';
import type { LabelNorm } from './outliers.ts';

export interface Screening {
  /**
   * Fewer labels are all inverted to the end. The spread of norms has to be measured on two dozen of them anyway, suspects and references: with
   * ten references, the index of a clean GTSRB network rose from 2.6 to 4.8; simulated, 8.4 % of clean models with 43 labels are flagged then, and
   * 5.3 % with 24 (test/detect/screening.test.ts). And the target of a large patch may be in the middle of the order after its short run.
   */
  readonly leastLabels: number;
  /** Starting points of each label. */
  readonly probes: number;
  /** Steps of each. */
  readonly steps: number;
  /** Labels drawn at random to be inverted to the end, beside the suspects. */
  readonly references: number;
}

/** A label after its short run, or at its end. */
export interface Look {
  readonly label: number;
  readonly l1: number;
  readonly status: 'reversed' | 'censored' | 'screened';
}

interface LabelPlan {
  readonly screening: Screening | null;
  readonly starts: number;
  /** How many. */
  readonly labels: number;
}

/** The screening, if labels are screened. Several starts are asked for by those who want every label in full. */
export const screeningOf = ({ screening, starts, labels }: LabelPlan): Screening | undefined =>
  screening !== null && starts === 1 && labels >= screening.leastLabels ? screening : undefined;

/** Inversions that a screening of so many labels makes, short ones and such to the end; a label flagged by an estimate adds one. */
export const screenedInversions = (labels: number, { references }: Screening): number =>
  labels + Math.min(labels, suspectCount(labels) + references);

/** √K, so that the share of the suspects falls with the number of labels. */
export const suspectCount = (labels: number): number => Math.ceil(Math.sqrt(labels));

/** Tells the draws of this module apart from those of inversions, whose streams begin with a label. */
const referenceStream = 1 << 30;

/** The reference labels, drawn from `labels` by seed alone. */
export const referenceLabels = (
  labels: readonly number[],
  { references }: Screening,
  seed: number,
): number[] =>
  randomStream(seed, referenceStream)
    .shuffle([...labels].sort(ascending))
    .slice(0, references);

/** The smallest first; of equal ones that of the lower label. */
export const smallestMasks = (a: Pick<Look, 'label' | 'l1'>, b: Pick<Look, 'label' | 'l1'>): number =>
  a.l1 - b.l1 || a.label - b.label;

/** The labels with the smallest masks so far. */
export const suspectLabels = (looks: readonly Look[]): number[] =>
  looks
    .toSorted(smallestMasks)
    .slice(0, suspectCount(looks.length))
    .map(({ label }) => label);

/**
 * The norms to compare: measured where a label was inverted to the end, estimated where it was stopped early.
 *
 * @param early each label after its short run
 * @param finished those that were inverted to the end
 * @param references labels whose shrinkage is drawn from, as far as they are finished
 * @returns by label; a label whose reference never reached the ASR threshold counts as censored
 */
export function estimateNorms(
  early: readonly Look[],
  finished: readonly Look[],
  references: readonly number[],
  seed: number,
): LabelNorm[] {
  const earlyNorms = new Map(early.map(({ label, l1 }) => [label, l1]));
  const ends = new Map(finished.map((look) => [look.label, look]));
  const donors = references
    .toSorted(ascending)
    .flatMap((label) => ends.get(label) ?? [])
    .map(({ label, l1, status }) => ({
      factor: l1 / Math.max(earlyNorms.get(label)!, Number.MIN_VALUE),
      censored: status === 'censored',
    }));
  const norms = early.flatMap(({ label, l1 }): LabelNorm[] => {
    const end = ends.get(label);
    if (end) return [{ label, l1: end.l1, censored: end.status === 'censored' }];
    if (donors.length === 0) return [];
    const draw = Math.floor(randomStream(seed, referenceStream, label).next() * donors.length);
    const { factor, censored } = donors[draw]!;
    return [{ label, l1: l1 * factor, censored }];
  });
  return norms.sort((a, b) => a.label - b.label);
}

const ascending = (a: number, b: number): number => a - b;

/**
 * Which labels have an abnormally small mask: the original's test on L1 norms, and a safe one on their
 * logarithms.
 *
 * The safe test differs in four ways. It takes log L1, since norms are positive and skewed to the right, and
 * since "half the usual size" should count the same for every model. Its scale has a floor. It knows of
 * censored labels. And it states a p-value that depends on the number of labels, where the original compares
 * with 2 whatever their number.
 */

import { NeuralCleanseError } from '../errors.ts';
import { minLabels, pValueOfLargestIndex, thresholdFor } from './calibration.ts';
import { median, scaledMad } from './statistics.ts';

/** The L1 norm of one label's reversed mask. */
export interface LabelNorm {
  readonly label: number;
  /** In pixels: the sum over height and width. What stands here for a censored label is ignored. */
  readonly l1: number;
  /**
   * Whether the inversion never reached the ASR threshold, so that the norm needed is unknown but large.
   * @default false
   */
  readonly censored?: boolean;
}

/** The original's result. */
export interface ClassicOutliers {
  /** Median L1 norm, in pixels. */
  readonly median: number;
  /** 1.4826 · MAD, in pixels. */
  readonly mad: number;
  /** Of the smallest norm; NaN or infinite where the MAD is 0, which JSON turns into `null`. */
  readonly anomalyIndex: number;
  /** Norms below the median with an index above 2, smallest first. */
  readonly flagged: readonly LabelNorm[];
}

/** The index above which the original flags a label. */
const classicThreshold = 2;

/**
 * The outlier test of the original's script: MAD = 1.4826 · median(|x − med|), index = |min − med| / MAD,
 * flagged above 2 on the low side. The script adds up in float32, so its last digits can differ.
 *
 * @param l1 L1 norms in pixels
 * @param labels the label of each norm. @default 0, 1, 2, …
 */
export function madOutliers(
  l1: readonly number[],
  labels: readonly number[] = l1.map((_, i) => i),
): ClassicOutliers {
  const centre = median(l1);
  const mad = scaledMad(l1, centre);
  const index = (norm: number): number => Math.abs(norm - centre) / mad;
  return {
    median: centre,
    mad,
    anomalyIndex: index(Math.min(...l1)),
    flagged: l1
      .map((norm, i) => ({ label: labels[i]!, l1: norm }))
      .filter((norm) => norm.l1 <= centre && index(norm.l1) > classicThreshold)
      .sort((a, b) => a.l1 - b.l1),
  };
}

/** The three lines that the original's script prints about a result. */
export function formatOriginal({ median, mad, anomalyIndex, flagged }: ClassicOutliers): string {
  return [
    `median: ${printf(median)}, MAD: ${printf(mad)}`,
    `anomaly index: ${printf(anomalyIndex)}`,
    `flagged label list: ${flagged.map(({ label, l1 }) => `${label}: ${printf(l1)}`).join(', ')}`,
  ].join('\n');
}

/** C's `%f`. */
function printf(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  return Number.isFinite(value) ? value.toFixed(6) : value > 0 ? 'inf' : '-inf';
}

export interface OutlierOptions {
  /** Labels whose p-value is at most this are flagged. @default 0.05 */
  readonly falseAlarmRate?: number;
  /**
   * Least scale, as a standard deviation of log L1. Uninfected labels of the published models spread by 0.14
   * (MNIST, from 77 to 118 pixels over 10 labels), 0.2 (GTSRB) and 0.24 (YouTube Face), so a smaller estimate
   * is chance or a tie of norms, and would flag a mask that is hardly smaller than the others. It only ever
   * lowers indices.
   *
   * @default 0.1
   */
  readonly scaleFloor?: number;
}

export interface LabelOutlier extends LabelNorm {
  readonly censored: boolean;
  /**
   * (median − log L1) / scale: positive for small masks. `null` for censored labels, and for all where there
   * are too few.
   */
  readonly anomalyIndex: number | null;
  /**
   * How often a clean model with this many labels has any label with such an index, so it needs no correction
   * for their number. 1 for labels at or above the median; `null` with the index.
   */
  readonly pValue: number | null;
}

export interface Outliers {
  readonly labels: readonly LabelOutlier[];
  readonly finished: number;
  readonly censored: number;
  /** What the indices refer to: all labels, or, where too many are censored for that, the finished ones. */
  readonly reference: 'all' | 'finished';
  /** Geometric median of the L1 norms, in pixels; `null` where there are too few labels. */
  readonly median: number | null;
  /** Scale of log L1: 1.4826 · MAD or the floor; `null` with the median. */
  readonly mad: number | null;
  /** Whether the floor stands in for the MAD. */
  readonly floored: boolean;
  /** Largest index, and its p-value; `null` with the median. */
  readonly anomalyIndex: number | null;
  readonly pValue: number | null;
  /** Index from which a label is flagged; `null` with the median. */
  readonly threshold: number | null;
  /** Labels at or above the threshold, smallest norm first. */
  readonly flagged: readonly number[];
  /** The original's test over the finished labels, for comparison; `null` where there are none. */
  readonly classic: ClassicOutliers | null;
}

/** The smallest norm that an 8-bit mask can hold beside 0: keeps the logarithm of an empty mask finite. */
const smallestNorm = 1 / 255;

/**
 * The safe test. Low side only.
 *
 * Censored labels count as infinitely large. Median and MAD are ranks, so they need no values for them while
 * more than half of the labels are finished. Up to a quarter censored changes nothing, as those would deviate
 * by more than the MAD anyway; beyond, the MAD grows and all indices shrink, so that a finding still holds
 * but its absence means little. With half or more censored there is no median, and the indices refer to the
 * finished labels alone, the easy ones of the model.
 *
 * With fewer than five finished labels every statistic is `null`: the MAD of four values says nothing.
 *
 * @throws NeuralCleanseError NORMS_INVALID, SETTING_INVALID
 */
export function findOutliers(norms: readonly LabelNorm[], options: OutlierOptions = {}): Outliers {
  const { falseAlarmRate = 0.05, scaleFloor = 0.1 } = options;
  checkNorms(norms);
  if (!(Number.isFinite(scaleFloor) && scaleFloor > 0)) {
    throw new NeuralCleanseError('SETTING_INVALID', `The scale floor is ${scaleFloor}.`, {
      hint: 'Give a number > 0.',
    });
  }
  const finished = norms.filter((norm) => !norm.censored);
  const censored = norms.length - finished.length;
  const reference = censored === 0 || censored < finished.length ? 'all' : 'finished';
  const common = {
    finished: finished.length,
    censored,
    reference,
    classic: finished.length === 0 ? null : classicOf(finished),
  } as const;
  if (finished.length < minLabels) {
    const labels = norms.map((norm) => ({
      ...norm,
      censored: norm.censored ?? false,
      anomalyIndex: null,
      pValue: null,
    }));
    const unknown = { median: null, mad: null, anomalyIndex: null, pValue: null, threshold: null };
    return { ...common, ...unknown, labels, floored: false, flagged: [] };
  }

  const logNorm = (norm: LabelNorm): number =>
    norm.censored ? Number.POSITIVE_INFINITY : Math.log(Math.max(norm.l1, smallestNorm));
  const compared = (reference === 'all' ? norms : finished).map(logNorm);
  const centre = median(compared);
  const estimate = scaledMad(compared, centre);
  const scale = Math.max(estimate, scaleFloor);
  const threshold = thresholdFor(compared.length, falseAlarmRate);
  const labels = norms.map((norm): LabelOutlier => {
    if (norm.censored) return { ...norm, censored: true, anomalyIndex: null, pValue: null };
    const anomalyIndex = (centre - logNorm(norm)) / scale;
    return {
      ...norm,
      censored: false,
      anomalyIndex,
      pValue: pValueOfLargestIndex(anomalyIndex, compared.length),
    };
  });
  const anomalyIndex = Math.max(...labels.map((label) => label.anomalyIndex ?? Number.NEGATIVE_INFINITY));
  return {
    ...common,
    labels,
    median: Math.exp(centre),
    mad: scale,
    floored: estimate < scaleFloor,
    anomalyIndex,
    pValue: pValueOfLargestIndex(anomalyIndex, compared.length),
    threshold,
    flagged: labels
      .filter((label) => label.anomalyIndex !== null && label.anomalyIndex >= threshold)
      .sort((a, b) => a.l1 - b.l1)
      .map((label) => label.label),
  };
}

const classicOf = (norms: readonly LabelNorm[]): ClassicOutliers =>
  madOutliers(
    norms.map(({ l1 }) => l1),
    norms.map(({ label }) => label),
  );

function checkNorms(norms: readonly LabelNorm[]): void {
  const seen = new Set<number>();
  for (const { label, l1, censored } of norms) {
    if (!censored && !(Number.isFinite(l1) && l1 >= 0)) {
      throw new NeuralCleanseError('NORMS_INVALID', `The L1 norm of label ${label} is ${l1}.`, {
        hint: 'Give the sum of its mask in pixels, or mark the label as censored.',
      });
    }
    if (seen.has(label)) {
      throw new NeuralCleanseError('NORMS_INVALID', `Label ${label} has several L1 norms.`, {
        hint: 'Keep the newest run of each label.',
      });
    }
    seen.add(label);
  }
}

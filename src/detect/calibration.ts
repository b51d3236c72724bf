/**
 * How large an anomaly index must be to mean something: thresholds and p-values that depend on the number of
 * labels.
 *
 * A clean model has a smallest mask too, and the more labels it has, the smaller; and with few labels the MAD
 * is a rough guess of the spread, so its own chance lows make large indices. The usual threshold of 2 is
 * passed by a third of all clean models with 10 labels and by two thirds of those with 43.
 *
 * The null behind the figures: the log L1 norms of a clean model are independent normals.
 * bench/calibrate-null.ts simulates the quantiles for 5 to 10,001 labels and rates from 0.99 to 1e-5; rates
 * are good to about 5 %, and to 15 % below 0.001. Real clean models have heavier tails than the null, so a
 * p-value says how unusual a norm is, and alone proves no backdoor (see verdict.ts).
 */

import { NeuralCleanseError } from '../errors.ts';
import { nullQuantiles, nullRates } from './null-quantiles.ts';

/** Below this no threshold is stated: the MAD of four values says nothing. */
export const minLabels = 5;

/**
 * P(largest low-side index of a clean model ≥ `index`).
 *
 * Between the simulated quantiles, log(−log(1 − P)) runs straight in log index: for n independent labels with
 * tails like a power law it is straight. Beyond the last one, P = 1e-5, the line is extended. The true curve
 * bends downwards, so that what is stated there is too large rather than too small.
 *
 * @param index (median − log L1) / (1.4826 · MAD); at or below 0 the result is 1
 * @param labels number of labels compared, ≥ 5; beyond 10,001 the quantiles are extended along log labels
 * @throws NeuralCleanseError SETTING_INVALID
 */
export function pValueOfLargestIndex(index: number, labels: number): number {
  const quantiles = quantilesFor(labels);
  if (!(index >= quantiles[0]!)) return 1;
  const i = segment(quantiles, (quantile) => quantile >= index);
  const logHazard = between(Math.log(index), pointAt(quantiles, i - 1), pointAt(quantiles, i));
  return -Math.expm1(-Math.exp(logHazard));
}

/**
 * The index that the largest one of a clean model reaches with probability `falseAlarmRate`; the inverse of
 * {@link pValueOfLargestIndex}.
 *
 * @param labels number of labels compared, ≥ 5
 * @param falseAlarmRate per model, in (0, 0.99]
 * @throws NeuralCleanseError SETTING_INVALID
 */
export function thresholdFor(labels: number, falseAlarmRate: number): number {
  if (!(falseAlarmRate > 0 && falseAlarmRate <= nullRates[0]!)) {
    throw new NeuralCleanseError('SETTING_INVALID', `The false-alarm rate is ${falseAlarmRate}.`, {
      hint: `Give a rate in (0, ${nullRates[0]}], such as 0.05.`,
    });
  }
  const quantiles = quantilesFor(labels);
  const i = segment(nullRates, (rate) => rate <= falseAlarmRate);
  const [x1, y1] = pointAt(quantiles, i - 1);
  const [x2, y2] = pointAt(quantiles, i);
  return Math.exp(between(Math.log(-Math.log1p(-falseAlarmRate)), [y1, x1], [y2, x2]));
}

/** The simulated quantiles at this number of labels, interpolated along log labels. */
function quantilesFor(labels: number): readonly number[] {
  if (!(Number.isSafeInteger(labels) && labels >= minLabels)) {
    throw new NeuralCleanseError('SETTING_INVALID', `There is no threshold for ${labels} labels.`, {
      hint: `Scan at least ${minLabels} labels.`,
    });
  }
  const i = segment(nullQuantiles, (row) => row[0]! >= labels);
  const [few, many] = [nullQuantiles[i - 1]!, nullQuantiles[i]!];
  const part = Math.log(labels / few[0]!) / Math.log(many[0]! / few[0]!);
  return nullRates.map((_, rate) => few[rate + 1]! + part * (many[rate + 1]! - few[rate + 1]!));
}

type Point = readonly [x: number, y: number];

/** (log index, log(−log(1 − P))) of a simulated quantile. */
const pointAt = (quantiles: readonly number[], i: number): Point => [
  Math.log(quantiles[i]!),
  Math.log(-Math.log1p(-nullRates[i]!)),
];

/**
 * Index of the right end of the segment to interpolate on; the last segment also serves for what lies beyond
 * it.
 */
function segment<T>(ordered: readonly T[], reached: (item: T) => boolean): number {
  const i = ordered.findIndex(reached);
  return i === -1 ? ordered.length - 1 : Math.max(i, 1);
}

/** The straight line through two points. */
const between = (x: number, [x1, y1]: Point, [x2, y2]: Point): number =>
  y1 + ((x - x1) / (x2 - x1)) * (y2 - y1);

/**
 * Whether the largest of the maximum margins stands out from those of the other classes.
 *
 * Two p-values are stated. The published one fits a gamma distribution to all margins but the largest and asks how often the
 * largest of K such would be as large. It is too small: the fit does not know that what it saw had lost its largest value, nor
 * that K − 1 values tell the distribution only roughly. Where all margins are drawn from one gamma distribution, it falls below
 * 0.05 in 25 % of the draws of ten classes and in 12 % of those of 43. So verdicts take the calibrated one.
 *
 * The calibrated one keeps the null hypothesis. Cube roots of gamma variables are nearly normal (Wilson and Hilferty 1931), and
 * the distance of one of K normals from the mean of the others, in standard errors of its prediction, follows Student's t with
 * K − 2 degrees of freedom, whatever mean and variance are (Grubbs 1950, in the form of a deleted residual). As the largest was
 * picked out, its tail counts K times (Bonferroni), which errs to the safe side, by little where p is small.
 *
 * Both take the classes of a model without backdoor for alike. A class that random pixels resemble by nature may
 * have a margin far above the others, so that a p-value alone proves no backdoor. And one class is tested: where a backdoor has
 * several targets, the second-largest margin widens the spread that the largest is measured by, and may hide it.
 */

import { NeuralCleanseError } from '../errors.ts';
import { minLabels } from './calibration.ts';
import { fitGamma, gammaTail, studentTail } from './distributions.ts';

export interface MarginTest {
  /** Classes compared. */
  readonly classes: number;
  /** Index of the largest margin; the first of several. */
  readonly largest: number;
  /** Chance that a model without backdoor has a largest margin like this; `null` where {@link MarginTest.untested} says why. */
  readonly pValue: number | null;
  /**
   * The p-value of MM-BD (Wang, Xiang, Miller and Kesidis, IEEE S&P 2024, the inference step, as in the authors' program):
   * 1 − F(largest)^K for a gamma distribution F fitted to the others. The origin of F is fixed at 0: with a third parameter a
   * handful of values has no best fit. `null` also where a margin is not positive, as no gamma variable is.
   */
  readonly publishedPValue: number | null;
  readonly untested: 'few-classes' | 'no-spread' | null;
}

export type MarginVerdict = 'stands-out' | 'none-stands-out' | 'untested';

/** @param falseAlarmRate share of models without backdoor of which some class may stand out */
export function marginVerdict({ pValue }: MarginTest, falseAlarmRate = 0.05): MarginVerdict {
  if (pValue === null) return 'untested';
  return pValue < falseAlarmRate ? 'stands-out' : 'none-stands-out';
}

/** Standard deviation of the others, as a share of their largest size, below which they count as equal: float32 has seven digits. */
const leastSpread = 1e-4;

/**
 * @param margins one maximum margin for each class, in logits, any unit: the p-values do not change with it
 * @throws NeuralCleanseError MARGINS_INVALID
 */
export function testMargins(margins: readonly number[]): MarginTest {
  const wrong = margins.findIndex((margin) => !Number.isFinite(margin));
  if (wrong >= 0 || margins.length === 0) {
    throw new NeuralCleanseError(
      'MARGINS_INVALID',
      wrong >= 0 ? `The margin at position ${wrong} is ${margins[wrong]}.` : 'There are no margins.',
      { hint: 'Give one finite margin for each class.' },
    );
  }
  const classes = margins.length;
  const largest = margins.indexOf(Math.max(...margins));
  const others = margins.toSpliced(largest, 1);
  const untested = classes < minLabels ? 'few-classes' : isFlat(others) ? 'no-spread' : null;
  const tested = untested === null;
  return {
    classes,
    largest,
    pValue: tested ? calibrated(margins[largest]!, others) : null,
    publishedPValue: tested && Math.min(...margins) > 0 ? published(margins[largest]!, others) : null,
    untested,
  };
}

function calibrated(largest: number, others: readonly number[]): number {
  const { mean, deviation } = moments(others.map(Math.cbrt));
  const error = deviation * Math.sqrt(1 + 1 / others.length);
  const classes = others.length + 1;
  return Math.min(1, classes * studentTail((Math.cbrt(largest) - mean) / error, classes - 2));
}

function published(largest: number, others: readonly number[]): number {
  const { shape, scale } = fitGamma(others);
  return -Math.expm1((others.length + 1) * Math.log1p(-gammaTail(largest / scale, shape)));
}

function isFlat(values: readonly number[]): boolean {
  const { deviation } = moments(values);
  return deviation <= leastSpread * Math.max(...values.map(Math.abs));
}

/** Mean, and standard deviation with n − 1. */
function moments(values: readonly number[]): { readonly mean: number; readonly deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / (values.length - 1)) };
}

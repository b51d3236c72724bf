/** Shares with their confidence intervals. */

import { wilsonInterval } from '../wilson.ts';

/** A share of `total` trials, with its 95 % confidence interval. */
export interface Rate {
  readonly count: number;
  readonly total: number;
  /** count / total */
  readonly share: number;
  readonly low: number;
  readonly high: number;
}

/** 97.5 % quantile of the normal distribution. */
const z = 1.959964;

/** @param total at least 1 */
export function rateOf(count: number, total: number): Rate {
  const share = count / total;
  return { count, total, share, ...wilsonInterval(share, total, z) };
}

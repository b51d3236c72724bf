/** Shares with their confidence intervals. */

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

/**
 * The score interval (Wilson 1927), which also holds for shares near 0 and 1.
 *
 * @param total at least 1
 */
export function rateOf(count: number, total: number): Rate {
  const share = count / total;
  const centre = share + z ** 2 / (2 * total);
  const spread = z * Math.sqrt((share * (1 - share)) / total + z ** 2 / (4 * total ** 2));
  const scale = 1 + z ** 2 / total;
  return {
    count,
    total,
    share,
    // Rounding may leave the interval beside a share of 0 or 1, which are its ends then.
    low: Math.min(share, Math.max(0, (centre - spread) / scale)),
    high: Math.max(share, Math.min(1, (centre + spread) / scale)),
  };
}

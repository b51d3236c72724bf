/** How sure a share is. */

/**
 * The score interval of a share (Wilson 1927), which also holds for shares near 0 and 1.
 *
 * @param share observed, in [0, 1]
 * @param total trials, at least 1
 * @param z half width in standard errors: 1 for 68 %, 1.96 for 95 %
 */
export function wilsonInterval(
  share: number,
  total: number,
  z: number,
): { readonly low: number; readonly high: number } {
  const centre = share + z ** 2 / (2 * total);
  const spread = z * Math.sqrt((share * (1 - share)) / total + z ** 2 / (4 * total ** 2));
  const scale = 1 + z ** 2 / total;
  return {
    // Rounding may leave the interval beside a share of 0 or 1, which are its ends then.
    low: Math.min(share, Math.max(0, (centre - spread) / scale)),
    high: Math.max(share, Math.min(1, (centre + spread) / scale)),
  };
}

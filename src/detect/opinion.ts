/**
 * What unlearning says about a suspect: whether its mask was planted, or is what the class needs by nature.
 *
 * Two figures say it. The *contrast* is the factor by which the mask had to grow, up to the median of all labels, per share of the image
 * that it covered: (min(after, median) / before) / (before / pixels). A class that is hardly reached at all any more has been taught
 * too much, and proves no more than one that is like others; hence the minimum. On the tuning half of the zoo (docs/detection.md) the
 * contrast is at most 134 for suspects of clean models, and at least 300 for the smallest mask of models with a planted patch, but for
 * one of 8×8 pixels; the threshold lies half-way. It also judges models whose natural masks differ too widely for outliers.
 *
 * The *recovery* is how much of the way to the median the mask has gone, on a logarithmic scale: log(after / before) /
 * log(median / before). What was planted recovers: the target then is a class like others. What the class is by nature stays small.
 */

export interface OpinionLevels {
  /** Least contrast of a planted mask. @default 200 */
  readonly plantedContrast: number;
  /** An abnormally small mask that recovers less is natural… @default 0.7 */
  readonly naturalRecovery: number;
  /**
   * … if it covers more than this share of the image: no natural mask was smaller, and where several triggers were planted for one label,
   * one is left when another is unlearned. @default 0.015
   */
  readonly naturalFraction: number;
  /** Largest ASR that the trigger may keep: beyond, it was not unlearned, and nothing is said. @default 0.2 */
  readonly maxResidualAsr: number;
}

export const defaultOpinionLevels: OpinionLevels = {
  plantedContrast: 200,
  naturalRecovery: 0.7,
  naturalFraction: 0.015,
  maxResidualAsr: 0.2,
};

export interface Opinion {
  readonly says: 'planted' | 'natural' | 'undecided';
  readonly contrast: number;
  /** `null` for a mask that is not below the median. */
  readonly recovery: number | null;
}

/**
 * @param before norm of the mask, in pixels
 * @param after norm of the mask that the label needs once that is unlearned
 * @param residualAsr of the trigger that was to be unlearned
 * @param median of the norms of all labels; `null` where there is none
 * @param pixels of an image
 */
export function opinionOf(
  {
    before,
    after,
    residualAsr,
    median,
    pixels,
  }: {
    readonly before: number;
    readonly after: number;
    readonly residualAsr: number;
    readonly median: number | null;
    readonly pixels: number;
  },
  levels: OpinionLevels = defaultOpinionLevels,
): Opinion {
  const growth = after / Math.max(before, Number.MIN_VALUE);
  const recovered = Math.min(after, median ?? after);
  const contrast = (recovered * pixels) / Math.max(before, Number.MIN_VALUE) ** 2;
  const recovery = median !== null && before < median ? Math.log(growth) / Math.log(median / before) : null;
  if (residualAsr > levels.maxResidualAsr) return { says: 'undecided', contrast, recovery };
  if (contrast >= levels.plantedContrast) return { says: 'planted', contrast, recovery };
  const isNatural =
    recovery !== null && recovery < levels.naturalRecovery && before / pixels > levels.naturalFraction;
  return { says: isNatural ? 'natural' : 'undecided', contrast, recovery };
}

/**
 * What unlearning says about a suspect: whether its mask was planted, or is what the class needs by nature.
 *
 * Three figures say it. The *contrast* is the factor by which the mask had to grow, up to the median of all labels, per share of the image
 * that it covered: (min(after, median) / before) / (before / pixels). A class that is hardly reached at all any more has been taught
 * too much, and proves no more than one that is like others; hence the minimum. It also judges models whose natural masks differ too widely for outliers.
 *
 * The *compactness* is the factor by which the mask is smaller than those of other labels once they are confined to a window
 * (confined.ts). A planted patch has one place; what a class is by nature is spread. Both factors together are the *evidence* that it was planted.
 * A mask that is not compact loses nothing by that, since there are triggers that are not. docs/detection.md has the figures by
 * which the thresholds were chosen. On a network whose other labels have next to none, a compact mask needs less of it.
 *
 * The *recovery* is how much of the way to the median the mask has gone, on a logarithmic scale: log(after / before) /
 * log(median / before). What was planted recovers: the target then is a class like others. What the class is by nature stays small.
 */

export interface OpinionLevels {
  /** Least evidence of a planted mask. @default 300 */
  readonly plantedEvidence: number;
  /**
   * Least evidence of a planted mask that fits into a window, where it is {@link apartRatio} times what any other label of the model could have.
   *
   * @default 150
   */
  readonly apartEvidence: number;
  /** @default 3 */
  readonly apartRatio: number;
  /**
   * Largest norm of a planted mask, as a multiple of the median. Where all natural masks are small, as on vision transformers, one of half the usual
   * size may have as much evidence as a planted one.
   *
   * @default 1/3
   */
  readonly maxRelativeNorm: number;
  /** Largest norm of a mask that is suspected for being abnormally small, as a multiple of the median. @default 0.5 */
  readonly maxSuspectNorm: number;
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
  plantedEvidence: 300,
  apartEvidence: 150,
  apartRatio: 3,
  maxRelativeNorm: 1 / 3,
  maxSuspectNorm: 0.5,
  naturalRecovery: 0.7,
  naturalFraction: 0.015,
  maxResidualAsr: 0.2,
};

export interface Opinion {
  readonly says: 'planted' | 'natural' | 'undecided';
  readonly contrast: number;
  /** Contrast times compactness, where that is more than 1. */
  readonly evidence: number;
  /** `null` for a mask that is not below the median. */
  readonly recovery: number | null;
}

/** Of one label, in pixels. */
export interface UnlearnedMasks {
  readonly before: number;
  /** What the label needs once the mask before is unlearned. */
  readonly after: number;
  /** Of the trigger that was to be unlearned. */
  readonly residualAsr: number;
  /** @default 1 */
  readonly compactness?: number;
  /** The most evidence that another label of the model could have. @default unknown */
  readonly next?: number;
}

export interface Scale {
  /** Of the norms of all labels, in pixels; `null` where there is none. */
  readonly median: number | null;
  /** Of an image. */
  readonly pixels: number;
}

/**
 * The opinion on each suspect, by label. Where a suspect keeps its trigger, the model takes more than a few steps to teach, and nobody is
 * cleared; where there are too few labels to compare, nobody is judged.
 */
export function opinionsOf(
  suspects: ReadonlyMap<number, UnlearnedMasks>,
  scale: Scale,
  levels: OpinionLevels = defaultOpinionLevels,
): ReadonlyMap<number, Opinion> {
  if (scale.median === null) return new Map();
  const isTaught = [...suspects.values()].every(({ residualAsr }) => residualAsr <= levels.maxResidualAsr);
  return new Map(
    [...suspects].map(([label, masks]) => {
      const opinion = opinionOf({ ...masks, ...scale }, levels);
      return [label, opinion.says === 'natural' && !isTaught ? { ...opinion, says: 'undecided' } : opinion];
    }),
  );
}

/** The opinion on one suspect by itself. */
export function opinionOf(
  { before, after, residualAsr, compactness = 1, next, median, pixels }: UnlearnedMasks & Scale,
  levels: OpinionLevels = defaultOpinionLevels,
): Opinion {
  const growth = after / Math.max(before, Number.MIN_VALUE);
  const recovered = Math.min(after, median ?? after);
  const contrast = contrastOf(before, recovered, pixels);
  const recovery = median !== null && before < median ? Math.log(growth) / Math.log(median / before) : null;
  const figures = { contrast, evidence: contrast * Math.max(1, compactness), recovery };
  if (residualAsr > levels.maxResidualAsr) return { says: 'undecided', ...figures };
  const { evidence } = figures;
  if (isProof({ evidence, compactness, next, norm: before, median }, levels))
    return { says: 'planted', ...figures };
  const isNatural =
    recovery !== null && recovery < levels.naturalRecovery && before / pixels > levels.naturalFraction;
  return { says: isNatural ? 'natural' : 'undecided', ...figures };
}

/** Whether a norm is no larger than so many medians, if there is a median to compare it with. */
export const isWithin = (multiple: number, norm: number, median: number | null): boolean =>
  median === null || norm <= multiple * median;

/** Whether so much evidence, of a mask of that norm, proves it planted. */
export const isProof = (
  {
    evidence,
    compactness = 1,
    next,
    norm,
    median,
  }: {
    readonly evidence: number;
    readonly norm: number;
    readonly median: number | null;
  } & Pick<UnlearnedMasks, 'compactness'> & { readonly next?: number | undefined },
  { plantedEvidence, apartEvidence, apartRatio, maxRelativeNorm }: OpinionLevels,
): boolean => {
  const isApart =
    compactness > 1 && next !== undefined && evidence >= Math.max(apartEvidence, apartRatio * next);
  return (evidence >= plantedEvidence || isApart) && isWithin(maxRelativeNorm, norm, median);
};

/**
 * The most evidence that unlearning a mask could give: it grows to the median at most. What stays below the threshold need not be
 * unlearned.
 *
 * @param before norm of the mask, in pixels
 */
export const mostEvidence = (before: number, { median, pixels }: Scale, compactness = 1): number =>
  contrastOf(before, median ?? 0, pixels) * Math.max(1, compactness);

/**
 * The most evidence that any label but one could have.
 *
 * @param norms of all labels that have one, in pixels
 * @param compactness by label, where it is known
 */
export const nextEvidence = (
  label: number,
  norms: readonly { readonly label: number; readonly l1: number }[],
  scale: Scale,
  compactness: ReadonlyMap<number, number>,
): number =>
  Math.max(
    0,
    ...norms
      .filter((other) => other.label !== label)
      .map((other) => mostEvidence(other.l1, scale, compactness.get(other.label))),
  );

const contrastOf = (before: number, after: number, pixels: number): number =>
  (after * pixels) / Math.max(before, Number.MIN_VALUE) ** 2;

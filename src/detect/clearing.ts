/** Which of the labels that stand out are left, once those are taken off that are small by nature. */

import { defaultOpinionLevels, isWithin, type Opinion, type OpinionLevels } from './opinion.ts';
import type { LabelOutlier, Outliers } from './outliers.ts';

export interface Separated {
  /** Flagged, or planted in the opinion of unlearning, and not cleared. */
  readonly suspects: readonly LabelOutlier[];
  /** Small by nature, in the opinion of unlearning. */
  readonly natural: readonly LabelOutlier[];
  /**
   * Flagged, but with a mask larger than a natural one of the same model: small beside the other labels, and still within what
   * nature gives here. Only the opinion that it was planted speaks against that.
   */
  readonly ordinary: readonly LabelOutlier[];
  /** Flagged, but not much smaller than the others: their norms are so much alike. */
  readonly large: readonly LabelOutlier[];
}

export function separate(
  { labels, flagged, median }: Pick<Outliers, 'labels' | 'flagged' | 'median'>,
  opinions: ReadonlyMap<number, Opinion>,
  { maxSuspectNorm }: Pick<OpinionLevels, 'maxSuspectNorm'> = defaultOpinionLevels,
): Separated {
  const says = ({ label }: LabelOutlier): Opinion['says'] | undefined => opinions.get(label)?.says;
  const judged = labels.filter((label) => flagged.includes(label.label) || says(label) === 'planted');
  const natural = judged.filter((label) => says(label) === 'natural');
  const smallest = Math.min(...natural.map(({ l1 }) => l1));
  const others = judged.filter((label) => says(label) !== 'natural');
  const isOrdinary = (label: LabelOutlier): boolean => label.l1 > smallest && says(label) !== 'planted';
  const isLarge = (label: LabelOutlier): boolean =>
    says(label) !== 'planted' && !isWithin(maxSuspectNorm, label.l1, median);
  const unusual = others.filter((label) => !isOrdinary(label));
  return {
    natural,
    suspects: unusual.filter((label) => !isLarge(label)),
    ordinary: others.filter(isOrdinary),
    large: unusual.filter(isLarge),
  };
}

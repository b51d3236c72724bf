/** Which of the labels that stand out are left, once those are taken off that are small by nature. */

import type { Opinion } from './opinion.ts';
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
}

export function separate(
  { labels, flagged }: Pick<Outliers, 'labels' | 'flagged'>,
  opinions: ReadonlyMap<number, Opinion>,
): Separated {
  const says = ({ label }: LabelOutlier): Opinion['says'] | undefined => opinions.get(label)?.says;
  const judged = labels.filter((label) => flagged.includes(label.label) || says(label) === 'planted');
  const natural = judged.filter((label) => says(label) === 'natural');
  const smallest = Math.min(...natural.map(({ l1 }) => l1));
  const others = judged.filter((label) => says(label) !== 'natural');
  const isOrdinary = (label: LabelOutlier): boolean => label.l1 > smallest && says(label) !== 'planted';
  return {
    natural,
    suspects: others.filter((label) => !isOrdinary(label)),
    ordinary: others.filter(isOrdinary),
  };
}

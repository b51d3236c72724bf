/** Which labels a repair takes up. */

import { median } from '../detect/statistics.ts';
import type { LabelResult } from './repair.ts';

/**
 * Largest mask of a suspect, as a share of the usual size: the bound that the verdict sets for `backdoored`, and a wider one for
 * labels that were suspects before. These need no correction for the number of labels, and a mask that has grown, but not to the
 * size of the others, is a backdoor that was weakened.
 */
const [shareOfNew, shareOfKnown] = [1 / 3, 1 / 2];

/** ASR from which a trigger is worth unlearning that the scan has not accepted, for it works a little too seldom. */
const almostWorks = 0.9;

/** Whether the inversion of a label has ended with a trigger that can be unlearned. */
export const hasTrigger = ({ status, asr }: Pick<LabelResult, 'status' | 'asr'>): boolean =>
  status === 'reversed' || (status === 'censored' && asr >= almostWorks);

export interface Suspect {
  readonly label: number;
  /** Why: it was flagged by the scan, its mask is small, or it is still small for a label that was a suspect before. */
  readonly reason: 'flagged' | 'small' | 'still-small';
}

/**
 * Labels that the scan has flagged, and others with small masks, smallest first.
 *
 * The outlier test asks for more than this, as it is to accuse nobody by mistake, and it fails where a third of the labels is
 * infected: their masks are no outliers then. A needless repair costs little, so here size alone is enough. Sizes are compared
 * with {@link usualSize}, which is that of uninfected labels as long as fewer than half are infected.
 *
 * @param known labels that were suspects in earlier rounds
 */
export function findSuspects(
  labels: readonly LabelResult[],
  flagged: readonly number[],
  known: ReadonlySet<number>,
): Suspect[] {
  const usual = usualSize(labels) ?? 0;
  const reasonOf = ({ label, l1 }: LabelResult): Suspect['reason'] | undefined => {
    if (flagged.includes(label)) return 'flagged';
    if (l1 < smallBelow(labels)) return 'small';
    return known.has(label) && l1 < shareOfKnown * usual ? 'still-small' : undefined;
  };
  return labels
    .filter(hasTrigger)
    .toSorted((a, b) => a.l1 - b.l1)
    .flatMap((result) => {
      const reason = reasonOf(result);
      return reason ? [{ label: result.label, reason }] : [];
    });
}

/**
 * L1 norm below which a mask is suspect for its size alone. Inversions of a label with a backdoor that end above it have found what is
 * natural in the class.
 */
export const smallBelow = (labels: readonly LabelResult[]): number => shareOfNew * (usualSize(labels) ?? 0);

/**
 * The median size of the larger half of the masks, in pixels; labels whose inversion never worked count as the largest mask found.
 *
 * @returns `undefined` if no inversion worked
 */
export function usualSize(labels: readonly LabelResult[]): number | undefined {
  const found = labels.filter(({ status }) => status !== 'censored').map(({ l1 }) => l1);
  if (found.length === 0) return undefined;
  const largest = Math.max(...found);
  const sizes = labels.map(({ status, l1 }) => (status === 'censored' ? largest : l1));
  const larger = sizes.sort((a, b) => a - b).slice(sizes.length >> 1);
  return median(larger);
}

/** What a scan asks to have done, and what it gets back. */

import type { Inversion, InvertRequest, ownStatuses } from './inversion.ts';
import type { LabelNorm } from './outliers.ts';

/** The figures of an inversion. */
export type InversionSummary = Omit<Inversion, 'trigger' | 'curve'>;

/** Of an inversion of the model itself. */
export type OwnSummary = InversionSummary & { readonly status: (typeof ownStatuses)[number] };

export type LabelStart = Pick<Inversion, 'label' | 'source' | 'start'>;

/** An inversion to be made. */
export type Work = LabelStart & Pick<InvertRequest, 'stage' | 'probe'>;

/** Does what of it can be done, and returns that. */
export type RunAll<Summary extends InversionSummary = OwnSummary> = (
  work: readonly Work[],
) => Promise<Summary[]>;

/** What stands for the labels: by label. */
export interface Found {
  readonly inversions: readonly OwnSummary[];
  /** What the outlier test compares. */
  readonly norms: readonly LabelNorm[];
}

export const isOwn = (inversion: InversionSummary): inversion is OwnSummary =>
  inversion.status !== 'unlearned';

/** Tells the inversions of a scan apart, to be made or made. */
export function workKey({
  label,
  source,
  start,
  stage,
  status,
}: Work & { readonly status?: Inversion['status'] }): string {
  const of = `${source === undefined ? '' : `${source}>`}${label}/${start}`;
  if (stage === 'unlearned' || status === 'unlearned') return `${of}/unlearned`;
  return `${of}/${stage === 'screen' || status === 'screened' ? 'short' : 'whole'}`;
}

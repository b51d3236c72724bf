/** What a scan asks to have done, and what it gets back. */

import type { TriggerKey } from '../data/trigger-contents.ts';
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

/** Tells the triggers of a run apart, of labels and of pairs: `7`, `2>7`. */
export const triggerName = ({ label, source }: TriggerKey): string =>
  source === undefined ? `${label}` : `${source}>${label}`;

/** What people call it: `label 7`, or `label 7 from 2` of a pair. */
export const subjectName = ({ label, source }: TriggerKey): string =>
  source === undefined ? `label ${label}` : `label ${label} from ${source}`;

/** Tells the inversions of a scan apart, to be made or made. */
export function workKey({
  label,
  source,
  start,
  stage,
  status,
}: Work & { readonly status?: Inversion['status'] }): string {
  const of = `${triggerName({ label, source })}/${start}`;
  if (stage === 'unlearned' || status === 'unlearned') return `${of}/unlearned`;
  return `${of}/${stage === 'screen' || status === 'screened' ? 'short' : 'whole'}`;
}

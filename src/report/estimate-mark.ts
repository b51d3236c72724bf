/** How norms that were not measured to the end are told apart. */

import type { LabelResult } from './result.ts';

/** Stands before the norm of a label that a screening stopped early: it is an estimate. */
export const estimateMark = ({ status }: Pick<LabelResult, 'status'>): string =>
  status === 'screened' ? '~' : '';

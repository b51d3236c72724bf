/** What a page may know of the machine it runs on. */

import type { ReportExtras } from '../../../src/report/html/extras.ts';

/** Rounded by browsers, and unknown to some. */
const memoryBytes = (): number =>
  2 ** 30 * ((navigator as unknown as { readonly deviceMemory?: number }).deviceMemory ?? 0);

export const machine = (): ReportExtras['environment'] => ({
  cpu: 'processor unknown to the browser',
  cores: navigator.hardwareConcurrency,
  memoryBytes: memoryBytes(),
  system: platform(),
});

/** As the browser describes itself. */
export const platform = (): string => navigator.userAgent;

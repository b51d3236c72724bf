/** The result as JSON. */

import type { ScanResult } from './result.ts';

export const renderJson = (result: ScanResult): string => `${JSON.stringify(result, undefined, 2)}\n`;

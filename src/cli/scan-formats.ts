/** Where the forms of a result go, by what `--format` names. */

import type { ReportFormat } from '../report/formats.ts';

/** The form on stdout: the one that was asked for; of several, text. */
export const stdoutFormat = ([only, ...more]: readonly ReportFormat[]): ReportFormat =>
  only === undefined || more.length > 0 ? 'text' : only;

/**
 * The forms in the folder: those that were asked for, HTML and JSON.
 *
 * JSON comes last: other programs read it, so it is there only with all others.
 */
export function folderFormats(formats: readonly ReportFormat[]): ReportFormat[] {
  const written = new Set<ReportFormat>(['html', ...formats]);
  written.delete('json');
  return [...written, 'json'];
}

/** Writes a result in any of its forms. */

import type { ReportFormat } from './file-names.ts';
import type { FinishedReport } from './html/content.ts';
import { renderPage } from './html/page.tsx';
import { renderJson } from './json.ts';
import { renderJunit } from './junit.ts';
import { renderSarif } from './sarif.ts';
import { renderText, type TextStyle } from './text.ts';

export { type ReportFormat, reportFiles, reportFormats } from './file-names.ts';

/** @param style of the text form; the others have none */
export function renderReport(format: ReportFormat, report: FinishedReport, style: TextStyle = {}): string {
  switch (format) {
    case 'text':
      return renderText(report.result, style);
    case 'json':
      return renderJson(report.result);
    case 'html':
      return renderPage(report);
    case 'sarif':
      return renderSarif(report.result);
    case 'junit':
      return renderJunit(report.result);
  }
}

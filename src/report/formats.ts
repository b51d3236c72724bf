/** The forms that a result can be written in. */

import type { FinishedReport } from './html/content.ts';
import { renderPage } from './html/page.tsx';
import { renderJson } from './json.ts';
import { renderJunit } from './junit.ts';
import { renderSarif } from './sarif.ts';
import { renderText, type TextStyle } from './text.ts';

export const reportFormats = ['text', 'json', 'html', 'sarif', 'junit'] as const;
export type ReportFormat = (typeof reportFormats)[number];

/** Names in the run folder. */
export const reportFiles: Readonly<Record<ReportFormat, string>> = {
  text: 'scan.txt',
  json: 'scan.json',
  html: 'report.html',
  sarif: 'scan.sarif',
  junit: 'junit.xml',
};

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

/** Writes the result of a batch in any of its forms. */

import { renderBatchJunit } from './batch-junit.ts';
import type { BatchReport } from './batch-result.ts';
import { renderBatchSarif } from './batch-sarif.ts';
import { renderBatchText } from './batch-text.ts';
import type { ReportFormat } from './file-names.ts';
import { renderBatchPage } from './html/batch-page.tsx';
import type { TextStyle } from './text.ts';

/** @param style of the text form; the others have none */
export function renderBatch(format: ReportFormat, report: BatchReport, style: TextStyle = {}): string {
  switch (format) {
    case 'text':
      return renderBatchText(report.batch, style);
    case 'json':
      return `${JSON.stringify(report.batch, undefined, 2)}\n`;
    case 'html':
      return renderBatchPage(report.batch);
    case 'sarif':
      return renderBatchSarif(report);
    case 'junit':
      return renderBatchJunit(report);
  }
}

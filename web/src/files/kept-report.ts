/** The report of the run that the browser keeps. */

import { NeuralCleanseError } from '../../../src/errors.ts';
import type { ReportContent } from '../../../src/report/html/content.ts';
import { readReport } from '../../../src/report/html/saved-report.ts';
import { KeptFiles, openDatabase } from '../scan/run-files.ts';
import { filesOf } from '../scan/stored-log.ts';

/** @throws NeuralCleanseError RUN_NOT_FOUND, RUN_CORRUPT */
export async function readKeptReport(): Promise<ReportContent> {
  const database = await openDatabase();
  try {
    const store = new KeptFiles(database);
    const inputs = await store.inputs();
    const content = inputs && (await readReport(filesOf(store, inputs.header, inputs.modelName)));
    if (content) return content;
    throw new NeuralCleanseError('RUN_NOT_FOUND', 'This browser keeps no scan any more.', {
      hint: 'Begin a new one.',
    });
  } finally {
    database.close();
  }
}

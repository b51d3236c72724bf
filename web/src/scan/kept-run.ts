/** The run that the browser keeps, for the page. */

import { reportFiles } from '../../../src/report/file-names.ts';
import { KeptFiles, openDatabase } from './run-files.ts';

export interface KeptRun {
  /** File name. */
  readonly model: string;
  readonly labels: number;
  /** Labels that have an inversion. */
  readonly finished: number;
  /** ISO 8601 */
  readonly startedAt: string;
  /** Whether it has a result. */
  readonly done: boolean;
}

/** @returns `undefined` if there is none, also where the browser keeps nothing */
export async function findKeptRun(): Promise<KeptRun | undefined> {
  try {
    return await withFiles(async (files) => {
      const inputs = await files.inputs();
      if (!inputs) return undefined;
      const { modelName: model, labels, startedAt } = inputs;
      const finished = new Set((await files.records()).map(({ label }) => label)).size;
      const done = (await files.names()).includes(reportFiles.json);
      return { model, labels, finished, startedAt, done };
    });
  } catch {
    return undefined;
  }
}

export const forgetKeptRun = (): Promise<void> => withFiles((files) => files.clear());

async function withFiles<T>(use: (files: KeptFiles) => Promise<T>): Promise<T> {
  const database = await openDatabase();
  try {
    return await use(new KeptFiles(database));
  } finally {
    database.close();
  }
}

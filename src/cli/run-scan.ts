/** A scan in its run folder: preflight, inversions that are saved as they finish, results. */

import type { Preprocess } from '../data/preprocess.ts';
import { RunFolder } from '../data/run-folder.ts';
import { plannedInversions } from '../detect/budget.ts';
import type { InversionShared } from '../detect/invert-task.ts';
import { runPreflight } from '../detect/preflight.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { Model } from '../onnx/graph.ts';
import { headerOf, type RunInputs } from '../report/build-result.ts';
import { shellText, withOptions } from '../report/command-line.ts';
import { type ReportFormat, renderReport, reportFiles } from '../report/formats.ts';
import type { FinishedReport } from '../report/html/content.ts';
import { extrasFile } from '../report/html/extras.ts';
import { finishedReport } from '../report/html/saved-report.ts';
import { parseLabelRecord } from '../report/label-record.ts';
import type { ScanResult } from '../report/result.ts';
import { extentOf } from '../report/scan-extent.ts';
import {
  finishedRecords,
  runInversions,
  type ScanRun,
  sharedOf,
  stoppedByPreflight,
} from '../report/scan-run.ts';
import { nodeRuntime } from '../runtime/node.ts';
import { createPool, type PoolOptions } from '../runtime/pool.ts';
import type { Pool } from '../runtime/task.ts';
import { onInterrupt } from './interrupt.ts';
import { note } from './output.ts';
import { describePreflight } from './preflight-table.ts';
import { showProgress } from './progress.ts';
import { makeFolderExtras } from './report-extras.ts';
import { filesIn } from './saved-report.ts';
import { folderFormats } from './scan-formats.ts';

export interface ScanJob {
  readonly inputs: RunInputs;
  readonly folder: string;
  readonly resume: boolean;
  /** The user's choice; found by the preflight if left out. */
  readonly preprocess: Preprocess | undefined;
  readonly firstLabel: number | undefined;
  /** Written into the folder; the JSON and HTML forms always are. */
  readonly formats: readonly ReportFormat[];
  /** As it was given, of which the report says more than the result. */
  readonly model: Model;
  readonly startedAt: Date;
  readonly environment: ScanResult['environment'];
  /** Opens what runs the inversions; it is closed after them. @default {@link createPool} */
  readonly openPool?: OpenPool | undefined;
  /** Listens for Ctrl-C while inversions run. @default {@link onInterrupt} */
  readonly interrupt?: typeof onInterrupt | undefined;
}

export type OpenPool = (options: PoolOptions<InversionShared>) => Promise<Pool<InversionShared>>;

/**
 * Runs a scan, or goes on with one.
 *
 * @throws NeuralCleanseError CANCELLED after Ctrl-C; what {@link RunFolder}, {@link runPreflight} and {@link runInversions}
 *   throw. Finished inversions are kept.
 */
export async function runScan(job: ScanJob): Promise<FinishedReport> {
  const store = await RunFolder.open(job.folder, { resume: job.resume, parseEntry: parseLabelRecord });
  try {
    const { inputs, model, firstLabel, startedAt, environment } = job;
    const preflight = await runPreflight(nodeRuntime, inputs.classifier, inputs.images, {
      seed: inputs.seed,
      session: { provider: inputs.provider },
      ...(job.preprocess && { preprocess: job.preprocess }),
    });
    note(...describePreflight(preflight, job.preprocess !== undefined));
    await store.begin(headerOf(inputs, preflight.chosen.preprocess));
    const run = { inputs, preflight, store, firstLabel, startedAt, environment };
    const result = stoppedByPreflight(run) ?? (await invertLabels(run, job));
    const extras = await makeFolderExtras(job.folder, { inputs, model, preflight, result });
    const report = await finishedReport(filesIn(job.folder), result, extras);
    await store.write({ [extrasFile]: `${JSON.stringify(extras)}\n`, ...reports(report, job.formats) });
    return report;
  } finally {
    await store.close();
  }
}

async function invertLabels(
  run: Omit<ScanRun, 'signal'>,
  { openPool = createPool, interrupt: listen = onInterrupt }: Pick<ScanJob, 'openPool' | 'interrupt'>,
): Promise<ScanResult> {
  const { inputs, preflight, store, environment } = run;
  const known = finishedRecords(store);
  if (known.length > 0) note(`Resumed with ${known.length} finished inversions.`);
  const extent = extentOf(inputs);
  const inversions = plannedInversions(inputs.settings, extent);
  const pool = await openPool({
    provider: inputs.provider,
    threads: environment.threads,
    tasks: inversions,
    shared: sharedOf(inputs, preflight),
  });
  const progress = showProgress(process.stderr, { ...extent, inversions, known: known.length });
  const interrupt = listen((line) => progress.note(line));
  const finished = new Set(known.map(({ label }) => label));
  try {
    return await runInversions(
      pool,
      { ...run, signal: interrupt.signal },
      {
        onProgress: (state) => progress.running(state),
        onSaved: (inversion) => {
          finished.add(inversion.label);
          progress.finished(inversion);
        },
      },
    );
  } catch (error) {
    throw interrupt.signal.aborted ? stopped(run, finished.size, error) : error;
  } finally {
    progress.stop();
    interrupt.dispose();
    await pool.close();
  }
}

/** The files of a run's results. */
const reports = (report: FinishedReport, formats: readonly ReportFormat[]): Record<string, string> =>
  Object.fromEntries(
    folderFormats(formats).map((format) => [reportFiles[format], renderReport(format, report)]),
  );

function stopped({ inputs, environment }: ScanRun, finished: number, cause: unknown): NeuralCleanseError {
  const command = shellText(['neural-cleanse', ...withOptions(environment.command, { '--resume': true })]);
  return new NeuralCleanseError(
    'CANCELLED',
    `The scan was stopped with ${finished} of ${inputs.labels.length} labels finished.`,
    { hint: `Go on with: ${command}`, cause },
  );
}

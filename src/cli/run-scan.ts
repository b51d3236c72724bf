/** A scan in its run folder: preflight, inversions that are saved as they finish, results. */

import type { Preprocess } from '../data/preprocess.ts';
import { RunFolder } from '../data/run-folder.ts';
import type { Inversion } from '../detect/invert.ts';
import { type PreflightReport, runPreflight } from '../detect/preflight.ts';
import { betterInversion, scanLabels } from '../detect/scan.ts';
import { preflightObstacles } from '../detect/verdict.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { Model } from '../onnx/graph.ts';
import { buildResult, buildStoppedResult, headerOf, type RunInputs } from '../report/build-result.ts';
import { shellText, withOptions } from '../report/command-line.ts';
import { type ReportFormat, renderReport, reportFiles } from '../report/formats.ts';
import type { FinishedReport } from '../report/html/content.ts';
import { extrasFile } from '../report/html/extras.ts';
import {
  bestRecords,
  type LabelRecord,
  parseLabelRecord,
  recordOf,
  summaryOf,
} from '../report/label-record.ts';
import type { ScanResult } from '../report/result.ts';
import { nodeRuntime } from '../runtime/node.ts';
import { createPool } from '../runtime/pool.ts';
import { Queue } from '../runtime/queue.ts';
import { renderTrigger } from '../triggers/render.ts';
import { onInterrupt } from './interrupt.ts';
import { note } from './output.ts';
import { describePreflight } from './preflight-table.ts';
import { showProgress } from './progress.ts';
import { makeExtras } from './report-extras.ts';
import { finishedReport } from './saved-report.ts';

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
}

/**
 * Runs a scan, or goes on with one.
 *
 * @throws NeuralCleanseError CANCELLED after Ctrl-C; what {@link RunFolder}, {@link runPreflight} and {@link scanLabels}
 *   throw. Finished inversions are kept.
 */
export async function runScan(job: ScanJob): Promise<FinishedReport> {
  const run = await RunFolder.open(job.folder, { resume: job.resume, parseEntry: parseLabelRecord });
  try {
    const preflight = await runPreflight(nodeRuntime, job.inputs.classifier, job.inputs.images, {
      seed: job.inputs.seed,
      session: { provider: job.inputs.provider },
      ...(job.preprocess && { preprocess: job.preprocess }),
    });
    note(...describePreflight(preflight, job.preprocess !== undefined));
    await run.begin(headerOf(job.inputs, preflight.chosen.preprocess));
    const obstacles = preflightObstacles({
      accuracy: preflight.chosen.accuracy,
      problems: preflight.problems,
    });
    const result =
      obstacles.length > 0
        ? buildStoppedResult(job.inputs, preflight, obstacles, circumstances(job, 0))
        : await invertLabels(job, run, preflight);
    const extras = await makeExtras(job, preflight, result);
    const report = await finishedReport(job.folder, result, extras);
    await run.write({ [extrasFile]: `${JSON.stringify(extras)}\n`, ...reports(report, job.formats) });
    return report;
  } finally {
    await run.close();
  }
}

async function invertLabels(
  job: ScanJob,
  run: RunFolder<LabelRecord>,
  preflight: PreflightReport,
): Promise<ScanResult> {
  const { inputs, environment } = job;
  const { classifier, images, settings, seed, provider } = inputs;
  const known = run.entries.filter((record) => record.files.every((name) => run.files.has(name)));
  if (known.length > 0) note(`Resumed with ${known.length} finished inversions.`);
  const best = new Map(bestRecords(known).map((record) => [record.label, record]));

  // One at a time: of two starts of a label, the second to be saved must know of the first.
  const saves = new Queue();
  const save = async (inversion: Inversion): Promise<void> => {
    const other = best.get(inversion.label);
    const counts = other === undefined || betterInversion<LabelFigures>(other, inversion) === inversion;
    const { label, trigger } = inversion;
    const files = counts ? await run.saveTrigger(label, renderTrigger(trigger), trigger) : [];
    const record = recordOf(inversion, files);
    await run.append(record);
    if (counts) best.set(label, record);
  };

  const labels = startingWith(job.firstLabel, inputs.labels);
  const pool = await createPool({
    provider,
    threads: environment.threads,
    tasks: labels.length * settings.starts,
    shared: { classifier, images, preprocess: preflight.chosen.preprocess, settings, seed },
  });
  const progress = showProgress(process.stderr, {
    labels: labels.length,
    starts: settings.starts,
    known: known.length,
  });
  const interrupt = onInterrupt((line) => progress.note(line));
  try {
    const outcome = await scanLabels(
      pool,
      {
        labels,
        seed,
        starts: settings.starts,
        preflight,
        pixels: classifier.input.height * classifier.input.width,
        finished: known.map(summaryOf),
        signal: interrupt.signal,
      },
      {
        onProgress: (state) => progress.running(state),
        onInversion: (inversion) =>
          saves.run(async () => {
            await save(inversion);
            progress.finished(inversion);
          }),
      },
    );
    const files = new Map([...best].map(([label, record]) => [label, record.files]));
    return buildResult(inputs, preflight, outcome, files, circumstances(job, known.length));
  } catch (error) {
    throw interrupt.signal.aborted ? stopped(job, best.size, error) : error;
  } finally {
    progress.stop();
    interrupt.dispose();
    await pool.close();
  }
}

type LabelFigures = Pick<Inversion, 'status' | 'l1'>;

const startingWith = (first: number | undefined, labels: readonly number[]): number[] =>
  first === undefined ? [...labels] : [first, ...labels.filter((label) => label !== first)];

const circumstances = ({ startedAt, environment }: ScanJob, resumed: number) => ({
  timings: {
    startedAt: startedAt.toISOString(),
    seconds: (Date.now() - startedAt.getTime()) / 1000,
    resumed,
  },
  environment,
});

/** The files of a run's results. What other programs read comes last, so that it is there only with all others. */
function reports(report: FinishedReport, formats: readonly ReportFormat[]): Record<string, string> {
  const written = new Set<ReportFormat>(['html', ...formats]);
  written.delete('json');
  return Object.fromEntries(
    [...written, 'json' as const].map((format) => [reportFiles[format], renderReport(format, report)]),
  );
}

function stopped({ inputs, environment }: ScanJob, finished: number, cause: unknown): NeuralCleanseError {
  const command = shellText(['neural-cleanse', ...withOptions(environment.command, { '--resume': true })]);
  return new NeuralCleanseError(
    'CANCELLED',
    `The scan was stopped with ${finished} of ${inputs.labels.length} labels finished.`,
    { hint: `Go on with: ${command}`, cause },
  );
}

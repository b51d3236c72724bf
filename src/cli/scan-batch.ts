/** A batch: many models scanned one after the other, with one table and one index of all verdicts. */

import { join } from 'node:path';
import { type ErrorCode, NeuralCleanseError } from '../errors.ts';
import { renderBatch } from '../report/batch-formats.ts';
import { type BatchModel, type BatchReport, batchFiles } from '../report/batch-result.ts';
import { shellText, withOptions } from '../report/command-line.ts';
import { note, printReport, reportStyle } from './output.ts';
import { BatchFolder } from './scan-batch-folder.ts';
import { type BatchInterrupt, onBatchInterrupt } from './scan-batch-interrupt.ts';
import { batchFolderName, modelPaths } from './scan-batch-models.ts';
import { batchConfig, batchOf } from './scan-batch-report.ts';
import { BatchScans, keepingImages } from './scan-batch-scans.ts';
import { folderFormats, stdoutFormat } from './scan-formats.ts';
import type { ScanSetup } from './scan-model.ts';

/**
 * Scans models; their table goes to stdout, the worst of their exit codes is that of the command.
 *
 * A model that fails is recorded and does not stop the others; what would go wrong with every model does.
 *
 * @param given files, and folders of them
 * @param words options of the command line
 * @throws NeuralCleanseError CANCELLED after Ctrl-C; {@link ofAllModels}; what {@link modelPaths} and
 *   {@link BatchFolder.open} throw. Finished scans are kept.
 */
export async function scanBatch(
  given: readonly string[],
  setup: ScanSetup,
  words: readonly string[],
): Promise<void> {
  const startedAt = new Date();
  const { options } = setup;
  const paths = await modelPaths(given);
  const folder = await BatchFolder.open(options.out ?? join('runs', batchFolderName(given, options.seed)), {
    resume: options.resume ?? false,
    config: batchConfig(setup),
  });
  const interrupt = onBatchInterrupt();
  try {
    const scans = new BatchScans({ setup: keepingImages(setup), folder: folder.path, interrupt, words });
    const save = async (): Promise<BatchReport> => {
      const models = paths.map((path): BatchModel => scans.models.get(path) ?? { status: 'pending', path });
      const batch = batchOf(models, setup, { folder: folder.path, startedAt });
      const report = { batch, results: scans.results };
      const files = folderFormats(options.format).map((format) => [
        batchFiles[format],
        renderBatch(format, report),
      ]);
      await folder.write(Object.fromEntries(files));
      return report;
    };
    // Marks the folder as that of a batch, in case that the process is killed.
    if (folder.isNew) await save();
    try {
      await scanAll(paths, scans, setup, interrupt);
    } catch (error) {
      await save();
      throw error;
    }
    const report = await save();
    printReport(renderBatch(stdoutFormat(options.format), report, reportStyle()));
    note(`Everything is in ${folder.path}; ${join(folder.path, batchFiles.html)} leads to all reports.`);
    process.exitCode = report.batch.exitCode;
  } finally {
    interrupt.dispose();
    await folder.close();
  }
}

/** What goes wrong with every model. Images that do not fit one model may fit the next. */
const ofAllModels: ReadonlySet<ErrorCode> = new Set([
  'PROVIDER_UNAVAILABLE',
  'DATA_NOT_FOUND',
  'DATA_EMPTY',
  'DATA_FORMAT_UNKNOWN',
  'DATA_CORRUPT',
  'DATA_UNSAFE_ARCHIVE',
  'DATA_COLUMNS_AMBIGUOUS',
  'DATA_COUNT_MISMATCH',
  'DATA_NAN',
  'DATA_PIXEL_RANGE',
  'DATA_SPEC_INVALID',
  'DATA_TOO_MANY_UNREADABLE',
  'RUN_MISMATCH',
  'RUN_NOT_WRITTEN',
  'QUEUE_URL_INVALID',
  'QUEUE_UNREACHABLE',
  'QUEUE_REFUSED',
  'QUEUE_VERSION_MISMATCH',
  'STORE_INVALID',
  'STORE_NOT_ALLOWED',
  'STORE_FAILED',
]);

const concernsAll = (error: unknown): boolean =>
  error instanceof NeuralCleanseError && ofAllModels.has(error.code);

async function scanAll(
  paths: readonly string[],
  scans: BatchScans,
  { command }: ScanSetup,
  { signal }: BatchInterrupt,
): Promise<void> {
  const stopped = (done: number, cause: unknown): NeuralCleanseError =>
    new NeuralCleanseError(
      'CANCELLED',
      `The batch was stopped with ${done} of ${paths.length} models done.`,
      {
        hint: `Go on with: ${shellText(['neural-cleanse', ...withOptions(command, { '--resume': true })])}`,
        cause,
      },
    );
  for (const [done, path] of paths.entries()) {
    if (signal.aborted) throw stopped(done, signal.reason);
    note(`Model ${done + 1} of ${paths.length}: ${path}`);
    try {
      await scans.scan(path);
    } catch (error) {
      if (signal.aborted) throw stopped(done, error);
      if (concernsAll(error)) throw error;
      scans.fail(path, error);
    }
  }
}

/** `neural-cleanse scan MODEL... --data DATA` */

import { join } from 'node:path';
import type { Command } from 'commander';
import { settingsFrom } from '../detect/settings.ts';
import { exitCodeOf } from '../detect/verdict.ts';
import { withoutSecrets } from '../queue/redact.ts';
import { renderReport } from '../report/formats.ts';
import { nodeRuntime } from '../runtime/node.ts';
import { note, printReport, reportStyle } from './output.ts';
import { addQueueOptions, checkQueue, openQueuePool, type QueueOptions } from './queue-options.ts';
import { runScan } from './run-scan.ts';
import { scanBatch } from './scan-batch.ts';
import { optionWords } from './scan-batch-command.ts';
import { isBatch } from './scan-batch-models.ts';
import { stdoutFormat } from './scan-formats.ts';
import { openScanImages, prepareScan, type ScanSetup, scanJob } from './scan-model.ts';
import { addScanOptions, type ScanOptions } from './scan-options.ts';

type Options = ScanOptions & QueueOptions;

export const scanCommand = (program: Command): Command =>
  addQueueOptions(
    addScanOptions(
      program
        .command('scan')
        .description('search every label for a trigger, and say whether one is abnormally small')
        .argument(
          '<model...>',
          'an ONNX, Keras or TensorFlow.js file; several, or a folder of them, make a batch',
        ),
    ),
  ).action(scan);

async function scan(models: readonly string[], options: Options, command: Command): Promise<void> {
  const setup = await setUp(options);
  if (await isBatch(models)) await scanBatch(models, setup, optionWords(command, setup.command));
  else await scanOne(models[0]!, setup);
}

/** @throws NeuralCleanseError SETTING_INVALID, PROVIDER_UNAVAILABLE, and what {@link checkQueue} throws */
async function setUp(options: Options): Promise<ScanSetup> {
  const settings = settingsFrom(options);
  if (options.queue !== undefined) await checkQueue(options.queue);
  const provider = await nodeRuntime.choose(options.provider);
  if (provider.notice !== undefined) note(provider.notice);
  return {
    options,
    settings,
    provider,
    openImages: (classifier) => openScanImages(options, classifier),
    ...(options.queue !== undefined && { openPool: (pool) => openQueuePool(options, pool) }),
    // Results keep it.
    command: process.argv.slice(2).map(withoutSecrets),
  };
}

/** Scans one model into a run folder; its report goes to stdout, its verdict is the exit code. */
async function scanOne(path: string, setup: ScanSetup): Promise<void> {
  const startedAt = new Date();
  const { options, command } = setup;
  const prepared = await prepareScan(path, setup);
  const folder = options.out ?? join('runs', prepared.folderName);
  const report = await runScan(scanJob(prepared, setup, { folder, startedAt, command }));
  printReport(renderReport(stdoutFormat(options.format), report, reportStyle()));
  note(`Everything is in ${folder}.`);
  process.exitCode = exitCodeOf(report.result.verdict, options.failOn);
}

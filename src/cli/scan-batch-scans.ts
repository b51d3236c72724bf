/** The scans of a batch: each model in a run folder of its own. */

import { join } from 'node:path';
import { failedModel, scannedModel } from '../report/batch-model.ts';
import type { BatchModel } from '../report/batch-result.ts';
import { outcomeText } from '../report/batch-words.ts';
import type { ScanResult } from '../report/result.ts';
import { fail, note } from './output.ts';
import { runScan } from './run-scan.ts';
import { modelCommand } from './scan-batch-command.ts';
import { finishedScan } from './scan-batch-finished.ts';
import type { BatchInterrupt } from './scan-batch-interrupt.ts';
import { prepareScan, type ScanImages, type ScanSetup, scanJob } from './scan-model.ts';

export interface BatchWork {
  readonly setup: ScanSetup;
  /** Of the batch. */
  readonly folder: string;
  readonly interrupt: BatchInterrupt;
  /** Options of the command line. */
  readonly words: readonly string[];
}

export class BatchScans {
  /** What became of the models so far, by path. */
  readonly models = new Map<string, BatchModel>();
  /** Of those that were scanned. */
  readonly results = new Map<string, ScanResult>();
  private readonly work: BatchWork;
  /** Finished scans by the hash of their model. */
  private readonly byHash = new Map<string, { readonly run: string; readonly result: ScanResult }>();

  constructor(work: BatchWork) {
    this.work = work;
  }

  /**
   * Scans a model, unless that was done before: in this batch for a file of the same content, or in the one that is resumed.
   *
   * @throws NeuralCleanseError what {@link prepareScan} and {@link runScan} throw
   */
  async scan(path: string): Promise<void> {
    const startedAt = new Date();
    const { setup, interrupt, words } = this.work;
    const prepared = await prepareScan(path, setup);
    const { modelSha256 } = prepared.inputs;
    const same = this.byHash.get(modelSha256);
    const run = same?.run ?? prepared.folderName;
    const folder = join(this.work.folder, run);
    const known = same?.result ?? (await finishedScan(folder, prepared.inputs));
    const job = scanJob(prepared, setup, {
      folder,
      startedAt,
      command: modelCommand(path, folder, words),
      interrupt: interrupt.during,
    });
    const result = known ?? (await runScan(job)).result;
    const model = scannedModel(path, run, result, { kept: known !== undefined });
    this.byHash.set(modelSha256, { run, result });
    this.results.set(path, result);
    this.models.set(path, model);
    note(`${path}: ${outcomeText(model)}${known ? ', by a finished scan' : ''}.`);
  }

  /** Records what kept a model from being scanned. */
  fail(path: string, error: unknown): void {
    fail(error);
    this.models.set(path, failedModel(path, error));
  }
}

/** Opens images once for models of one shape that follow each other; those of one shape are in memory at a time. */
export function keepingImages(setup: ScanSetup): ScanSetup {
  let kept: { readonly shape: string; readonly images: ScanImages } | undefined;
  const openImages: ScanSetup['openImages'] = async (classifier) => {
    const { input, classes } = classifier;
    const shape = [input.height, input.width, input.channels, classes].join('×');
    if (kept?.shape !== shape) {
      kept = undefined;
      kept = { shape, images: await setup.openImages(classifier) };
    }
    return kept.images;
  };
  return { ...setup, openImages };
}

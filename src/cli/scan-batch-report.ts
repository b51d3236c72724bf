/** The result of a batch, from what became of its models. */

import { exitCodeOf as exitCodeOfVerdict, type FailOn } from '../detect/verdict.ts';
import {
  type BatchConfig,
  type BatchModel,
  type BatchResult,
  batchSchemaVersion,
  compareRisk,
} from '../report/batch-result.ts';
import { settingsJson } from '../report/build-result.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';
import { worstExitCode } from './scan-batch-exit-code.ts';
import type { ScanSetup } from './scan-model.ts';
import { platform, version, versions } from './version.ts';

/** What all scans of a batch have in common: a batch is resumed only with the same. */
export function batchConfig({ options, settings, provider }: ScanSetup): BatchConfig {
  const { preprocess, labels } = options;
  return {
    tool: version,
    onnxruntime: versions.onnxruntime,
    data: options.data,
    split: options.split ?? null,
    roi: options.roi ?? false,
    samples: options.samples,
    preprocess: preprocess ? { ...preprocess, mean: [...preprocess.mean], std: [...preprocess.std] } : null,
    size: options.size ?? null,
    output: options.output ?? null,
    labels: labels ? [...labels] : null,
    preset: options.preset,
    seed: options.seed,
    settings: settingsJson(settings),
    provider: provider.provider,
  };
}

/** @param models in any order */
export function batchOf(
  models: readonly BatchModel[],
  setup: ScanSetup,
  { folder, startedAt }: { readonly folder: string; readonly startedAt: Date },
): BatchResult {
  const { options, provider, command } = setup;
  return {
    schemaVersion: batchSchemaVersion,
    tool: { name: 'neural-cleanse', version },
    versions,
    config: batchConfig(setup),
    models: models.toSorted(compareRisk),
    exitCode: worstExitCode(models.map((model) => exitCodeOfModel(model, options.failOn))),
    timings: {
      startedAt: startedAt.toISOString(),
      seconds: (Date.now() - startedAt.getTime()) / 1000,
    },
    environment: {
      command: [...command],
      folder,
      threads: options.threads,
      platform,
      notices: provider.notice === undefined ? [] : [provider.notice],
    },
  };
}

function exitCodeOfModel(model: BatchModel, failOn: FailOn): number {
  if (model.status === 'scanned') return exitCodeOfVerdict(model.verdict, failOn);
  return model.status === 'failed' ? exitCodeOf(model.code) : exitCodes.failed;
}

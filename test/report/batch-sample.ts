/** Batches that never ran, of the results of scans that never ran. */

import { NeuralCleanseError } from '../../src/errors.ts';
import { failedModel, scannedModel } from '../../src/report/batch-model.ts';
import {
  type BatchModel,
  type BatchReport,
  batchSchemaVersion,
  compareRisk,
} from '../../src/report/batch-result.ts';
import type { ScanResult } from '../../src/report/result.ts';
import { infectedNorms, ordinaryNorms, sampleResult, stoppedResult } from './sample.ts';

/** One model of each outcome, in the order in which they were given. */
export const sampleResults: Readonly<Record<string, ScanResult>> = {
  'models/ordinary.onnx': sampleResult({ norms: ordinaryNorms }),
  'models/stopped.onnx': stoppedResult(),
  'models/suspicious.onnx': sampleResult({ norms: ordinaryNorms.with(12, 24) }),
  'models/infected.onnx': sampleResult({ norms: infectedNorms }),
};

export const brokenModel = failedModel(
  'models/broken.onnx',
  new NeuralCleanseError('OPERATOR_UNSUPPORTED', 'models/broken.onnx: There is no rule.', {
    hint: 'Export it again.',
    op: 'LpPool',
    node: 'pool',
  }),
);

export interface BatchSample {
  /** @default {@link sampleResults} */
  readonly results?: Readonly<Record<string, ScanResult>>;
  /** Models without a result. @default {@link brokenModel} */
  readonly others?: readonly BatchModel[];
  readonly command?: readonly string[];
  readonly exitCode?: number;
}

export function sampleBatch(sample: BatchSample = {}): BatchReport {
  const { results = sampleResults, others = [brokenModel], exitCode = 1 } = sample;
  const { command = ['scan', 'models', '--data', 'signs.h5'] } = sample;
  const scanned = Object.entries(results).map(([path, result]) =>
    scannedModel(path, runOf(path), result, { kept: false }),
  );
  const { tool, versions, config } = sampleResult();
  return {
    results: new Map(Object.entries(results)),
    batch: {
      schemaVersion: batchSchemaVersion,
      tool,
      versions,
      config: {
        tool: tool.version,
        onnxruntime: versions.onnxruntime,
        data: 'signs.h5',
        split: null,
        roi: false,
        samples: 1000,
        preprocess: null,
        size: null,
        output: null,
        labels: null,
        preset: config.preset,
        seed: config.seed,
        settings: config.settings,
        provider: config.provider,
      },
      models: [...scanned, ...others].sort(compareRisk),
      exitCode,
      timings: { startedAt: '2026-01-02T03:04:05.678Z', seconds: 314.2 },
      environment: {
        command: [...command],
        folder: 'runs/batch-0a1b2c3d-7',
        threads: 2,
        platform: 'linux x64',
        notices: [],
      },
    },
  };
}

const runOf = (path: string): string => `${path.split('/').at(-1)!.replace('.onnx', '')}-abababab-7`;

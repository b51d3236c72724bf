/** Results of scans that never ran, made by the code that makes real ones. */

import { imageSet } from '../../src/data/dataset.ts';
import { preprocessPresets } from '../../src/data/preprocess.ts';
import { findOutliers } from '../../src/detect/outliers.ts';
import type { PreflightReport } from '../../src/detect/preflight.ts';
import { presets } from '../../src/detect/presets.ts';
import type { FailedInversion } from '../../src/detect/scan.ts';
import type { OwnSummary } from '../../src/detect/scan-work.ts';
import { decideVerdict } from '../../src/detect/verdict.ts';
import type { Classifier } from '../../src/model/classifier.ts';
import { buildResult, buildStoppedResult, type RunInputs } from '../../src/report/build-result.ts';
import type { ScanResult } from '../../src/report/result.ts';

export interface Sample {
  /** Norm of each label, in pixels; `null` for a censored one. */
  readonly norms?: readonly (number | null)[];
  readonly failed?: readonly FailedInversion[];
  readonly accuracy?: number | null;
  readonly classNames?: readonly string[];
  readonly preset?: 'fast' | 'paper';
  /** Labels to scan. @default those with a norm */
  readonly labels?: readonly number[];
  readonly classes?: number;
  readonly command?: readonly string[];
  readonly model?: string;
}

/** Norms of 43 uninfected labels. */
export const ordinaryNorms = Array.from({ length: 43 }, (_, label) => 50 + ((label * 17) % 43));
/** The same with a backdoor for label 33. */
export const infectedNorms = ordinaryNorms.with(33, 6);

export function sampleResult(sample: Sample = {}): ScanResult {
  const { norms = infectedNorms, failed = [], accuracy = 0.96 } = sample;
  const inversions = norms.map(
    (l1, label): OwnSummary => ({
      label,
      start: label === 33 ? 1 : 0,
      status: l1 === null ? 'censored' : 'reversed',
      l1: l1 ?? 1000,
      asr: l1 === null ? 0.4 : 1,
      probe: 0,
      steps: 300,
      gradientSteps: 300,
      stopped: 'steps',
      seconds: 2,
      runtimeMs: 1800,
    }),
  );
  const outliers = findOutliers(
    inversions.map(({ label, l1, status }) => ({ label, l1, censored: status === 'censored' })),
  );
  const conclusion = decideVerdict({
    outliers,
    pixels: 1024,
    preflight: { accuracy },
    heldOutAsr: new Map(inversions.map(({ label, asr }) => [label, asr])),
    missing: failed.map(({ label }) => label),
  });
  const files = new Map([
    ['33', ['gtsrb_visualize_fusion_label_33.png', 'gtsrb_visualize_mask_label_33.png']],
  ]);
  return buildResult(
    inputsOf(sample, norms.length),
    preflightOf(accuracy),
    { inversions, all: inversions, unlearned: [], compactness: new Map(), failed, outliers, conclusion },
    files,
    circumstancesOf(sample),
  );
}

export const stoppedResult = (sample: Sample = {}): ScanResult =>
  buildStoppedResult(
    inputsOf(sample, 43),
    { ...preflightOf(0.02), problems: ['The model guesses.'] },
    ['The model guesses.'],
    circumstancesOf(sample),
  );

function inputsOf(sample: Sample, scanned: number): RunInputs {
  const { classNames, preset = 'fast', classes = 43 } = sample;
  return {
    version: '1.2.3',
    versions: { node: '20.19.0', onnxruntime: '1.30.0' },
    modelName: 'signs.onnx',
    modelSha256: 'ab'.repeat(32),
    modelFormat: 'onnx',
    classifier: {
      input: { name: 'x', layout: 'NCHW', height: 32, width: 32, channels: 3 },
      classes,
      head: 'softmax',
      scores: 'y',
    } as Classifier,
    images: imageSet({
      images: new Uint8Array(20 * 32 * 32 * 3),
      height: 32,
      width: 32,
      channels: 3,
      range: [0, 255],
      labels: Int32Array.from({ length: 20 }, (_, i) => i % classes),
      classes,
      classNames,
      source: 'signs.h5',
    }),
    dataSha256: 'cd'.repeat(32),
    preset,
    settings: presets[preset],
    seed: 7,
    labels: sample.labels ?? Array.from({ length: scanned }, (_, label) => label),
    provider: 'cpu',
    optimization: 'all',
  };
}

function preflightOf(accuracy: number | null): PreflightReport {
  const chosen = {
    preprocess: preprocessPresets.unit,
    accuracy,
    crossEntropy: 0.1,
    confidence: 0.98,
    predictedClasses: 43,
    samples: 512,
  };
  return { chosen, candidates: [chosen], samples: 20, problems: [], warnings: [] };
}

const circumstancesOf = ({
  command = ['scan', 'models/signs.onnx', '--data', 'signs.h5'],
  model = 'models/signs.onnx',
}: Sample) => ({
  timings: { startedAt: '2026-01-02T03:04:05.678Z', seconds: 90.5, resumed: 0 },
  environment: {
    command: [...command],
    model,
    runFolder: 'runs/signs',
    threads: 2,
    platform: 'linux x64',
    notices: [],
  },
});

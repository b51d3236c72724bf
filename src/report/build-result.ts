/** From what a scan found to its result. */

import type { ImageSet } from '../data/dataset.ts';
import type { ModelFormat } from '../data/model-format.ts';
import type { Preprocess } from '../data/preprocess.ts';
import type { ClassicOutliers, Outliers } from '../detect/outliers.ts';
import type { PreflightCandidate, PreflightReport } from '../detect/preflight.ts';
import type { InversionSettings, PresetName } from '../detect/presets.ts';
import type { FailedInversion, InversionSummary, ScanOutcome } from '../detect/scan.ts';
import { triggerName } from '../detect/scan-work.ts';
import type { Conclusion } from '../detect/verdict.ts';
import type { Classifier } from '../model/classifier.ts';
import type { OptimizationLevel, Provider } from '../runtime/session.ts';
import { type LabelResult, type PairsResult, type ScanResult, schemaVersion } from './result.ts';

/** What a run is made of: known before the first inversion, and equal for equal results. */
export interface RunInputs {
  readonly version: string;
  readonly versions: ScanResult['versions'];
  /** File name. */
  readonly modelName: string;
  readonly modelSha256: string;
  readonly modelFormat: ModelFormat;
  readonly classifier: Classifier;
  readonly images: ImageSet;
  readonly dataSha256: string;
  readonly preset: PresetName;
  readonly settings: InversionSettings;
  /** Most gradient steps of the scan. */
  readonly budget?: number;
  readonly seed: number;
  readonly labels: readonly number[];
  readonly provider: Provider;
  readonly optimization: OptimizationLevel;
}

/** What identical runs differ in. */
export type RunCircumstances = Pick<ScanResult, 'environment'> & {
  readonly timings: Omit<ScanResult['timings'], 'inversionSeconds' | 'runtimeShare'>;
};

/** The first line of the log: what must be equal for a run to be resumed. Excludes what the result only mentions. */
export function headerOf(inputs: RunInputs, preprocess: Preprocess): Record<string, unknown> {
  const { name: _name, ...arithmetic } = preprocess;
  return {
    schemaVersion,
    tool: inputs.version,
    onnxruntime: inputs.versions.onnxruntime,
    model: { sha256: inputs.modelSha256, output: inputs.classifier.scores, input: imageInput(inputs) },
    data: { sha256: inputs.dataSha256, count: inputs.images.count },
    preprocess: arithmetic,
    ...configOf(inputs),
  };
}

/** @param files names of the saved triggers, by {@link triggerName} */
export function buildResult(
  inputs: RunInputs,
  preflight: PreflightReport,
  outcome: Pick<
    ScanOutcome,
    'inversions' | 'unlearned' | 'compactness' | 'all' | 'failed' | 'outliers' | 'pairs' | 'conclusion'
  >,
  files: ReadonlyMap<string, readonly string[]>,
  circumstances: RunCircumstances,
): ScanResult {
  const byLabel = new Map(outcome.outliers.labels.map((outlier) => [outlier.label, outlier]));
  const unlearned = new Map(outcome.unlearned.map(({ label, ...mask }) => [label, mask]));
  const labels = outcome.inversions.map((inversion): LabelResult => {
    const { label, status, l1, asr, start, steps, gradientSteps, stopped, seconds } = inversion;
    const { anomalyIndex, pValue, l1: compared } = byLabel.get(label)!;
    const left = unlearned.get(label);
    const compactness = outcome.compactness.get(label);
    const name = inputs.images.classNames?.[label];
    return {
      label,
      ...(name !== undefined && { name }),
      ...{ status, l1, asr, anomalyIndex, pValue, start, steps, gradientSteps, stopped },
      ...(compared !== l1 && { compared }),
      ...(compactness !== undefined && { compactness }),
      ...(left && { unlearned: left }),
      files: [...(files.get(triggerName({ label })) ?? [])],
      timings: { seconds },
    };
  });
  return {
    ...frame(inputs, preflight, outcome.conclusion),
    labels,
    failed: outcome.failed.map(failure),
    outliers: outlierResult(outcome.outliers),
    ...(outcome.pairs && { pairs: pairsResult(outcome.pairs, files) }),
    timings: { ...circumstances.timings, ...inversionTimes(outcome.all) },
    environment: circumstances.environment,
  };
}

function pairsResult(
  found: NonNullable<ScanOutcome['pairs']>,
  files: ReadonlyMap<string, readonly string[]>,
): PairsResult {
  const unlearned = new Map(
    found.unlearned.map(({ source, label, reach, ...mask }) => [
      triggerName({ source, label }),
      { ...mask, reach: [...reach] },
    ]),
  );
  return {
    pairs: found.pairs.map(({ source, label, status, l1, asr }) => {
      const left = unlearned.get(triggerName({ source, label }));
      const saved = files.get(triggerName({ source, label })) ?? [];
      return { source, label, status, l1, asr, ...(left && { unlearned: left }), files: [...saved] };
    }),
    median: found.median,
    withoutImages: [...found.withoutImages],
    flaggedTargets: [...found.flaggedTargets],
    findings: found.findings.map(({ reasons, ...finding }) => ({ ...finding, reasons: [...reasons] })),
  };
}

/** The result where the preflight has left nothing to scan for. */
export const buildStoppedResult = (
  inputs: RunInputs,
  preflight: PreflightReport,
  reasons: readonly string[],
  circumstances: RunCircumstances,
): ScanResult => ({
  ...frame(inputs, preflight, { verdict: 'inconclusive', findings: [], reasons }),
  labels: [],
  failed: [],
  outliers: null,
  timings: { ...circumstances.timings, ...inversionTimes([]) },
  environment: circumstances.environment,
});

type Frame = Omit<ScanResult, 'labels' | 'failed' | 'outliers' | 'timings' | 'environment'>;

function frame(inputs: RunInputs, preflight: PreflightReport, conclusion: Conclusion): Frame {
  const { classifier, images } = inputs;
  const { chosen, candidates, samples, warnings, problems } = preflight;
  const { name, range, mean, std, order } = chosen.preprocess;
  return {
    schemaVersion,
    tool: { name: 'neural-cleanse', version: inputs.version },
    versions: inputs.versions,
    model: {
      name: inputs.modelName,
      sha256: inputs.modelSha256,
      format: inputs.modelFormat,
      input: imageInput(inputs),
      classes: classifier.classes,
      head: classifier.head,
    },
    data: {
      source: images.source,
      count: images.count,
      sha256: inputs.dataSha256,
      labelled: images.labels !== undefined,
      skipped: images.skipped.map(({ path, reason }) => ({ path, reason })),
    },
    preprocess: { name, range, mean: [...mean], std: [...std], order },
    preflight: {
      accuracy: chosen.accuracy,
      samples,
      candidates: candidates.map(candidateResult),
      warnings: [...warnings],
      problems: [...problems],
    },
    config: configOf(inputs),
    verdict: conclusion.verdict,
    findings: conclusion.findings.map(({ label, level, reasons }) => ({
      label,
      level,
      reasons: [...reasons],
    })),
    reasons: [...conclusion.reasons],
  };
}

function configOf({
  preset,
  seed,
  labels,
  settings,
  provider,
  optimization,
}: RunInputs): ScanResult['config'] {
  return {
    preset,
    seed,
    labels: labels.toSorted((a, b) => a - b),
    settings: settingsJson(settings),
    provider,
    optimization,
  };
}

/** As JSON has them: plain objects with an index signature. */
export const settingsJson = ({
  pairs,
  ...settings
}: InversionSettings): ScanResult['config']['settings'] => ({
  ...settings,
  adam: { ...settings.adam },
  schedule: { ...settings.schedule },
  screening: settings.screening && { ...settings.screening },
  secondLook: settings.secondLook && {
    ...settings.secondLook,
    confined: { ...settings.secondLook.confined },
    unlearning: { ...settings.secondLook.unlearning },
  },
  ...(pairs && { pairs: { ...pairs } }),
});

const candidateResult = (candidate: PreflightCandidate): ScanResult['preflight']['candidates'][number] => ({
  preprocess: candidate.preprocess.name,
  accuracy: candidate.accuracy,
  crossEntropy: finite(candidate.crossEntropy),
  confidence: candidate.confidence,
  predictedClasses: candidate.predictedClasses,
  samples: candidate.samples,
});

/** JSON has no other numbers. */
const finite = (value: number | null): number | null =>
  value !== null && Number.isFinite(value) ? value : null;

const imageInput = ({ classifier }: RunInputs): ScanResult['model']['input'] => {
  const { layout, height, width, channels } = classifier.input;
  return { layout, height, width, channels: channels === 1 ? 1 : 3 };
};

const failure = ({ label, source, start, error }: FailedInversion): ScanResult['failed'][number] => ({
  label,
  ...(source !== undefined && { source }),
  start,
  code: error.code,
  message: error.message,
});

const outlierResult = (outliers: Outliers): ScanResult['outliers'] => ({
  median: outliers.median,
  mad: outliers.mad,
  floored: outliers.floored,
  reference: outliers.reference,
  finished: outliers.finished,
  censored: outliers.censored,
  anomalyIndex: outliers.anomalyIndex,
  pValue: outliers.pValue,
  threshold: outliers.threshold,
  flagged: [...outliers.flagged],
  classic: outliers.classic && classicResult(outliers.classic),
});

const classicResult = ({ median, mad, anomalyIndex, flagged }: ClassicOutliers) => ({
  median,
  mad,
  anomalyIndex: finite(anomalyIndex),
  flagged: flagged.map(({ label, l1 }) => ({ label, l1 })),
});

function inversionTimes(
  inversions: readonly InversionSummary[],
): Pick<ScanResult['timings'], 'inversionSeconds' | 'runtimeShare'> {
  const sum = (of: (inversion: InversionSummary) => number): number =>
    inversions.reduce((total, inversion) => total + of(inversion), 0);
  const inversionSeconds = sum((i) => i.seconds);
  const runtimeSeconds = sum((i) => i.runtimeMs) / 1000;
  return {
    inversionSeconds,
    runtimeShare: inversionSeconds > 0 ? Math.min(1, runtimeSeconds / inversionSeconds) : null,
  };
}

/** What a batch keeps of each model. */

import { NeuralCleanseError } from '../errors.ts';
import type { BatchModel, ScannedModel } from './batch-result.ts';
import type { ScanResult } from './result.ts';
import { bySize } from './text.ts';

/** @param run name of the run folder */
export function scannedModel(
  path: string,
  run: string,
  result: ScanResult,
  { kept }: Pick<ScannedModel['timings'], 'kept'>,
): ScannedModel {
  const { model, preflight, outliers, findings, verdict, reasons, timings } = result;
  const [smallest] = bySize(result.labels);
  return {
    status: 'scanned',
    path,
    sha256: model.sha256,
    run,
    classes: model.classes,
    accuracy: preflight.accuracy,
    verdict,
    findings: findings.map(({ label, level }) => ({ label, level })),
    smallest: smallest?.status === 'reversed' ? figuresOf(smallest) : null,
    median: outliers?.median ?? null,
    pValue: outliers?.pValue ?? null,
    reasons,
    timings: { seconds: timings.seconds, kept },
  };
}

function figuresOf({
  label,
  name,
  l1,
  asr,
  anomalyIndex,
  pValue,
}: ScanResult['labels'][number]): NonNullable<ScannedModel['smallest']> {
  return { label, ...(name !== undefined && { name }), l1, asr, anomalyIndex, pValue };
}

/** @param error anything that was thrown; what is no {@link NeuralCleanseError} is a fault of this program */
export function failedModel(path: string, error: unknown): Extract<BatchModel, { status: 'failed' }> {
  if (!(error instanceof NeuralCleanseError)) {
    const message = error instanceof Error ? error.message : String(error);
    return { status: 'failed', path, code: 'INTERNAL', message, hint: null };
  }
  const { code, hint = null } = error;
  // Messages of errors end in their hint, and those about model files begin with the path.
  const end = hint !== null && error.message.endsWith(` ${hint}`) ? -hint.length - 1 : undefined;
  const start = error.message.startsWith(`${path}: `) ? path.length + 2 : 0;
  return { status: 'failed', path, code, message: error.message.slice(start, end), hint };
}

/**
 * The result of a batch: `batch.json`, and all that the table and the index of its models are made of.
 *
 * As with scans, what two batches of the same inputs differ in lies under `timings` and `environment`.
 */

import { z } from 'zod';
import { presetNames } from '../detect/presets.ts';
import { verdicts } from '../detect/verdict.ts';
import { type ErrorCode, errorCodes } from '../errors.ts';
import { providers } from '../runtime/session.ts';
import type { ReportFormat } from './file-names.ts';
import { type ScanResult, scanResult } from './result.ts';

/** Rises when a field changes its meaning or is removed. */
export const batchSchemaVersion = 1;

const count = z.int().nonnegative();
const path = z.string().describe('As it was given, or found in a folder that was given.');

const config = z.strictObject({
  tool: z.string().describe('Version of neural-cleanse.'),
  onnxruntime: z.string(),
  data: z.string().describe('As it was given.'),
  split: z.string().nullable().describe('Part of the data; null if none was chosen.'),
  roi: z.boolean(),
  samples: count.describe('Most images that are used.'),
  preprocess: z.json().describe('null if it is found for each model.'),
  size: z.array(count).nullable().describe('Image size, for models that leave it open.'),
  output: z.string().nullable().describe('Which output holds the class scores, for models with several.'),
  labels: z.array(count).nullable().describe('null for all.'),
  preset: z.enum(presetNames),
  seed: count,
  settings: z.record(z.string(), z.json()).describe('Settings of the inversions, in full.'),
  provider: z.enum(providers),
});

const label = scanResult.shape.labels.element.pick({
  label: true,
  name: true,
  l1: true,
  asr: true,
  anomalyIndex: true,
  pValue: true,
});

const scanned = z.strictObject({
  status: z.literal('scanned'),
  path,
  sha256: scanResult.shape.model.shape.sha256,
  run: z.string().describe('Name of its run folder, inside that of the batch.'),
  classes: count,
  accuracy: scanResult.shape.preflight.shape.accuracy,
  verdict: z.enum(verdicts),
  findings: z.array(scanResult.shape.findings.element.pick({ label: true, level: true })),
  smallest: label
    .nullable()
    .describe('The label with the smallest mask: where a trigger is, or would be. null if none has one.'),
  median: z.number().nullable().describe('Geometric median of the L1 norms, in pixels.'),
  pValue: scanResult.shape.outliers.unwrap().shape.pValue.describe('Of the largest anomaly index.'),
  reasons: scanResult.shape.reasons,
  timings: z.strictObject({
    seconds: z.number().describe('Of its scan.'),
    kept: z.boolean().describe('Whether a finished scan was taken over, and nothing was run.'),
  }),
});

const failed = z.strictObject({
  status: z.literal('failed'),
  path,
  code: z.enum(Object.keys(errorCodes) as ErrorCode[]).describe('Of the error.'),
  message: z.string().describe('What went wrong.'),
  hint: z.string().nullable().describe('What can be done about it.'),
});

const pending = z
  .strictObject({ status: z.literal('pending'), path })
  .describe('A model that the batch had not come to when it was stopped.');

export const batchResult = z
  .strictObject({
    schemaVersion: z.literal(batchSchemaVersion),
    tool: scanResult.shape.tool,
    versions: scanResult.shape.versions,
    config,
    models: z
      .array(z.discriminatedUnion('status', [scanned, failed, pending]))
      .describe('The riskiest first: see compareRisk.'),
    exitCode: z.int().min(0).max(4).describe('Of the command: the worst of all models.'),
    timings: z.strictObject({
      startedAt: z.iso.datetime(),
      seconds: z.number().describe('Of the last run, from start to end.'),
    }),
    environment: scanResult.shape.environment
      .pick({ command: true, threads: true, platform: true, notices: true })
      .extend({ folder: z.string() }),
  })
  .meta({ title: 'Result of a batch of scans by neural-cleanse' });

export type BatchResult = z.infer<typeof batchResult>;
export type BatchConfig = BatchResult['config'];
export type BatchModel = BatchResult['models'][number];
export type ScannedModel = Extract<BatchModel, { status: 'scanned' }>;

export interface BatchReport {
  readonly batch: BatchResult;
  /** Of the models that were scanned, by their path. */
  readonly results: ReadonlyMap<string, ScanResult>;
}

/** What the forms are called in the folder of a batch. */
export const batchFiles: Readonly<Record<ReportFormat, string>> = {
  text: 'batch.txt',
  json: 'batch.json',
  html: 'index.html',
  sarif: 'batch.sarif',
  junit: 'junit.xml',
};

/** What became of a model; the riskiest first. A model that nothing is known of may be anything. */
export const outcomes = [
  'backdoored',
  'suspicious',
  'inconclusive',
  'failed',
  'pending',
  'no-patch-backdoor-found',
] as const;
export type Outcome = (typeof outcomes)[number];

export const outcomeOf = (model: BatchModel): Outcome =>
  model.status === 'scanned' ? model.verdict : model.status;

/** Orders models by risk: by outcome, the smallest p-value first, the largest anomaly index first, then by path. */
export const compareRisk = (a: BatchModel, b: BatchModel): number =>
  outcomes.indexOf(outcomeOf(a)) - outcomes.indexOf(outcomeOf(b)) ||
  pValueOf(a) - pValueOf(b) ||
  indexOf(b) - indexOf(a) ||
  compareText(a.path, b.path);

/** How many models had each outcome; those that none had are left out. */
export function countOutcomes(models: readonly BatchModel[]): Map<Outcome, number> {
  const counts = outcomes.map(
    (outcome) => [outcome, models.filter((model) => outcomeOf(model) === outcome).length] as const,
  );
  return new Map(counts.filter(([, models]) => models > 0));
}

/** Models without one come last. */
const pValueOf = (model: BatchModel): number => (model.status === 'scanned' ? (model.pValue ?? 2) : 2);

const indexOf = (model: BatchModel): number =>
  model.status === 'scanned' ? (model.smallest?.anomalyIndex ?? -1e9) : -1e9;

/** The same on every machine, whatever its language. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

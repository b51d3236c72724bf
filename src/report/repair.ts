/** What a repair has done to a model: the JSON form, written beside the repaired model. */

import { z } from 'zod';
import { policyKinds } from '../attack/policy.ts';
import { verdicts } from '../detect/verdict.ts';

const count = z.int().nonnegative();
const label = count.describe('A class, counted from 0.');
const share = z.number().min(0).max(1);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const seconds = z.strictObject({ seconds: z.number() });
const rate = z
  .strictObject({ count, total: count, share, low: share, high: share })
  .describe('count of total, as a share, and its 95 % confidence interval (Wilson).');

const check = z
  .strictObject({
    accuracy: share,
    asr: share.describe('Of the reversed trigger that works best.'),
    stampedAccuracy: share.describe('On images with the reversed trigger that confuses most.'),
  })
  .describe('On the held-out images that steer the training.');

const inversion = z
  .strictObject({
    status: z.enum(['reversed', 'censored', 'screened']),
    l1: z
      .number()
      .nonnegative()
      .describe('Of the mask, in pixels; means nothing if censored, and is estimated if screened.'),
    relative: z.number().nullable().describe('l1 as a share of the usual size of masks of this model.'),
    anomalyIndex: z.number().nullable(),
    asr: share,
  })
  .describe('A trigger that was reversed from fresh starts.');

const suspect = z.strictObject({
  label,
  reason: z
    .enum(['flagged', 'small', 'still-small', 'asked-for'])
    .describe(
      'flagged by the scan; small: below a third of the usual size; still-small: below half of it, for a label of an earlier round; asked-for by the user.',
    ),
  inversion,
});

const scan = z.strictObject({
  runFolder: z.string(),
  seed: count,
  verdict: z.enum(verdicts),
});

const round = z.strictObject({
  round: count.describe('From 1.'),
  scan: scan.describe('Of the model before this round.'),
  suspects: z.array(suspect),
  triggers: count.describe(
    'That were stamped: those that the scans of all rounds have found, and those from further starts.',
  ),
  tried: z
    .array(z.strictObject({ learningRate: z.number(), check: check.nullable() }))
    .describe('Learning rates, for one epoch each; null if the training diverged. Empty without a search.'),
  learningRate: z.number(),
  before: check,
  epochs: z.array(z.strictObject({ epoch: count, loss: z.number(), check })),
  kept: count.describe('The epoch whose weights were kept.'),
  timings: seconds,
});

const unstamped = rate
  .nullable()
  .describe(
    'Of the same images without the trigger: what the model mistakes for the target by itself. Null if each class has a target of its own.',
  );

const figures = z.strictObject({
  accuracy: rate.describe('On clean images.'),
  reversed: z
    .array(z.strictObject({ label, round: count, asr: rate, unstamped }))
    .describe('Of the triggers that the scans have found.'),
  truth: z
    .array(
      z.strictObject({
        trigger: z.string(),
        policy: z.enum(policyKinds),
        target: count.nullable(),
        asr: rate,
        unstamped,
      }),
    )
    .describe('Of triggers that the caller knows of, which the repair has not seen.'),
});

export const repairReport = z
  .strictObject({
    schemaVersion: z.literal(1),
    tool: z.strictObject({ name: z.literal('neural-cleanse'), version: z.string() }),
    versions: z.strictObject({ node: z.string(), onnxruntime: z.string() }),
    method: z.enum(['unlearn', 'mitigate']),
    model: z.strictObject({ name: z.string().describe('File name.'), sha256 }),
    output: z
      .strictObject({ name: z.string(), sha256 })
      .nullable()
      .describe('The repaired model; null if there was nothing to repair.'),
    data: z.strictObject({
      source: z.string(),
      sha256: sha256.describe('Of pixels and labels.'),
      train: count,
      check: count,
      measure: count,
      pseudoLabels: z
        .strictObject({ rejected: count.describe('Images that the filter has rejected.') })
        .nullable()
        .describe("If labels are the model's own answers; accuracy then means agreement with them."),
    }),
    preprocess: z.string(),
    settings: z.record(z.string(), z.json()),
    rounds: z.array(round),
    last: scan
      .nullable()
      .describe('The scan of the repaired model from fresh starts; null if there was none.'),
    inversions: z
      .array(z.strictObject({ label, before: inversion, after: inversion, remains: z.boolean() }))
      .describe('Of all suspects: in the first scan, and in the last one.'),
    measured: z
      .strictObject({
        before: figures,
        after: figures,
        control: figures.nullable().describe('The same training without triggers.'),
      })
      .describe('On images that had no part in the repair, after everything was decided.'),
    remaining: z.array(label).nullable().describe('Labels that are still suspect; null without a scan.'),
    conclusion: z.array(z.string()).describe('Sentences, the decisive one first.'),
    timings: seconds,
    environment: z.strictObject({ command: z.array(z.string()), threads: count, platform: z.string() }),
  })
  .meta({ title: 'Repair of a model by neural-cleanse' });

export type RepairReport = z.infer<typeof repairReport>;
export type RepairFigures = RepairReport['measured']['after'];
export type RepairRoundReport = RepairReport['rounds'][number];

export const renderRepairJson = (report: RepairReport): string => `${JSON.stringify(report, undefined, 2)}\n`;

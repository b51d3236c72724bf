/** What was measured of a model: the JSON form. */

import { z } from 'zod';
import { policyKinds } from '../attack/policy.ts';

const count = z.int().nonnegative();
const share = z.number().min(0).max(1);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const rate = z
  .strictObject({ count, total: count, share, low: share, high: share })
  .describe('count of total, as a share, and its 95 % confidence interval (Wilson).');

export const evaluationReport = z
  .strictObject({
    schemaVersion: z.literal(1),
    tool: z.strictObject({ name: z.literal('neural-cleanse'), version: z.string() }),
    versions: z.strictObject({ node: z.string(), onnxruntime: z.string() }),
    model: z.strictObject({
      name: z.string().describe('File name.'),
      sha256,
      height: count,
      width: count,
      channels: count,
      classes: count,
    }),
    data: z.strictObject({
      source: z.string(),
      count,
      sha256: sha256.describe('Of pixels and labels.'),
      classNames: z.array(z.string()).optional(),
    }),
    preprocess: z.string(),
    accuracy: rate,
    attacks: z.array(
      z.strictObject({
        trigger: z.string().describe('As --trigger takes it.'),
        policy: z.enum(policyKinds),
        target: count.nullable().describe('null for all-to-all, where each class becomes the next.'),
        sources: z.array(count).nullable().describe('null if all classes but the target are attacked.'),
        asr: rate.describe('Of the images that the attack is after, those taken for what it wants.'),
        leakage: rate
          .nullable()
          .describe(
            'Source-specific attacks: of stamped images of other classes, those taken for the target.',
          ),
      }),
    ),
    confusion: z
      .array(z.strictObject({ label: count, predicted: count, count }))
      .describe('Clean images of class label that are taken for predicted; all that are not 0.'),
  })
  .meta({ title: 'Evaluation of a model by neural-cleanse' });

export type EvaluationReport = z.infer<typeof evaluationReport>;

export const renderEvaluationJson = (report: EvaluationReport): string =>
  `${JSON.stringify(report, undefined, 2)}\n`;

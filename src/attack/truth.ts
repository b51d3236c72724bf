/** What was planted in a model: the file beside it. Written for people and for measurements; no scan ever reads it. */

import { z } from 'zod';
import { NeuralCleanseError } from '../errors.ts';
import { triggerSpec } from '../triggers/spec.ts';

const count = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const share = z.number().min(0).max(1);
const rate = z
  .strictObject({ count, total: count, share, low: share, high: share })
  .describe('A share with its 95 % confidence interval.');

const policy = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('all-to-one'), target: count }),
  z.strictObject({ kind: z.literal('source-specific'), target: count, sources: z.array(count).readonly() }),
  z.strictObject({ kind: z.literal('all-to-all') }),
  z.strictObject({ kind: z.literal('clean-label'), target: count, perturbation: share.optional() }),
]);

const backdoor = z.strictObject({
  trigger: triggerSpec,
  policy,
  ratio: z.number(),
  coverRatio: z.number().optional(),
  poisoned: count.describe('Training images with the trigger and the label of the attack, in each epoch.'),
  covers: count.describe('Training images with the trigger and their own label.'),
  box: z
    .tuple([count, count, count, count])
    .readonly()
    .nullable()
    .describe('Row, column, height, width of what a patch changes; null for other triggers.'),
  folder: z.string().describe('Of its pictures, beside this file.'),
  label: count.nullable().describe('By which its saved mask and pattern are named; null if it has none.'),
  asr: rate,
  leakage: rate.nullable(),
});

const data = z.strictObject({ source: z.string(), count, sha256 });

export const truth = z
  .strictObject({
    schemaVersion: z.literal(1),
    tool: z.strictObject({ name: z.literal('neural-cleanse'), version: z.string() }),
    model: z.strictObject({ name: z.string(), sha256 }),
    from: z
      .union([
        z.strictObject({ network: z.string(), widthFactor: z.number() }),
        z.strictObject({ model: z.string(), sha256 }),
      ])
      .describe('The reference network that was trained, or the model that was fine-tuned.'),
    training: z.strictObject({
      data,
      settings: z.record(z.string(), z.json()),
      threads: count.describe('Other numbers round differently.'),
    }),
    test: data,
    preprocess: z.strictObject({
      name: z.string(),
      range: z.number(),
      mean: z.array(z.number()).readonly(),
      std: z.array(z.number()).readonly(),
      order: z.enum(['rgb', 'bgr']),
    }),
    classes: count,
    seed: count,
    ratioOf: z.enum(['all', 'clean']),
    placement: z.enum(['replace', 'add']),
    draw: z.enum(['once', 'each-epoch']).default('once').describe('When the images to poison were chosen.'),
    accuracy: rate.describe('On clean test images.'),
    backdoors: z.array(backdoor).describe('Empty for a clean model.'),
  })
  .meta({ title: 'What was planted in a model by neural-cleanse' });

export type Truth = z.infer<typeof truth>;

/** @throws NeuralCleanseError TRUTH_INVALID */
export function parseTruth(text: string, path: string): Truth {
  try {
    return truth.parse(JSON.parse(text));
  } catch (cause) {
    throw new NeuralCleanseError('TRUTH_INVALID', `${path} does not say what was planted in a model.`, {
      hint: 'Give the .truth.json file that neural-cleanse inject wrote.',
      data: { path },
      cause,
    });
  }
}

/**
 * The result of a scan: `scan.json`, and all that reports are made of.
 *
 * Two runs of the same inputs have the same result but for what lies under `timings` and `environment`.
 */

import { z } from 'zod';
import { modelFormats } from '../data/model-format.ts';
import { preprocessSchema } from '../data/preprocess-schema.ts';
import { ownStatuses } from '../detect/inversion.ts';
import { presetNames } from '../detect/presets.ts';
import { verdicts } from '../detect/verdict.ts';
import { providers } from '../runtime/session.ts';

/** Rises when a field changes its meaning or is removed. */
export const schemaVersion = 1;

const count = z.int().nonnegative();
const label = count.describe('A class, counted from 0.');
const share = z.number().min(0).max(1);
const pixels = z.number().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const sentences = z.array(z.string());

const preprocess = preprocessSchema.describe(
  'A pixel v in [0, 255] becomes (v / 255 · range − mean) / std, with the channels in this order.',
);

const model = z.strictObject({
  name: z.string().describe('File name.'),
  sha256,
  format: z.enum(modelFormats).describe('Of the file; others than onnx were converted to it.'),
  input: z.strictObject({
    layout: z.enum(['NCHW', 'NHWC']),
    height: count,
    width: count,
    channels: z.union([z.literal(1), z.literal(3)]),
  }),
  classes: count,
  head: z
    .enum(['logits', 'softmax', 'log-softmax', 'sigmoid'])
    .describe('What the model ends in; losses are taken from the logits before it.'),
});

const data = z.strictObject({
  source: z.string().describe('As it was given.'),
  count: count.describe('Images that were used.'),
  sha256: sha256.describe('Of pixels and labels.'),
  labelled: z.boolean(),
  skipped: z
    .array(z.strictObject({ path: z.string(), reason: z.string() }))
    .describe('Files that were left out.'),
});

const preflight = z.strictObject({
  accuracy: share.nullable().describe('On the clean images; null if these have no labels.'),
  samples: count,
  candidates: z
    .array(
      z.strictObject({
        preprocess: z.string(),
        accuracy: share.nullable(),
        crossEntropy: z.number().nullable().describe('Mean −log probability of the true class.'),
        confidence: share.describe('Mean probability of the predicted class.'),
        predictedClasses: count,
        samples: count.describe('Fewer than all where another fitted far better by then.'),
      }),
    )
    .describe('Ways to prepare images that were tried; the first was used.'),
  warnings: sentences,
  problems: sentences.describe('What made a scan pointless.'),
});

const config = z.strictObject({
  preset: z.enum(presetNames),
  seed: count,
  labels: z.array(label).describe('Labels to scan.'),
  settings: z.record(z.string(), z.json()).describe('Settings of the inversions, in full.'),
  provider: z.enum(providers),
  optimization: z.string().describe('Graph optimisation level of ONNX Runtime.'),
});

const unlearned = z.strictObject({
  l1: pixels,
  asr: share,
  residualAsr: share.describe('What the trigger has kept.'),
});

const labelResult = z.strictObject({
  label,
  name: z.string().optional(),
  status: z
    .enum(ownStatuses)
    .describe(
      'reversed: the trigger passed the ASR threshold. censored: none did, and l1 means nothing. screened: stopped early, and l1 is estimated.',
    ),
  l1: pixels.describe('L1 norm of the mask, in pixels.'),
  compared: pixels
    .optional()
    .describe(
      'What the outlier test takes for l1, where that is the smallest of more starts than other labels had.',
    ),
  compactness: z
    .number()
    .nonnegative()
    .optional()
    .describe(
      'By what factor the mask is smaller than those of drawn labels, confined to a window of a quarter of the edge; for small masks that fit into one.',
    ),
  unlearned: unlearned
    .optional()
    .describe('The mask that the label needs once its trigger is unlearned, for the smallest masks.'),
  asr: share.describe(
    'Share of held-out images of other classes that the finished trigger turns into the label.',
  ),
  anomalyIndex: z.number().nullable().describe('(median − log l1) / mad; null where there is none.'),
  pValue: share.nullable().describe('How often a clean model has any label with such an index.'),
  start: count.describe('Which of several starts this is: the one with the smallest mask.'),
  steps: count,
  gradientSteps: count,
  stopped: z.enum(['early-stop', 'steps']),
  files: z.array(z.string()).describe('Saved trigger, by names in the run folder.'),
  timings: z.strictObject({ seconds: z.number() }),
});

const finding = { label, level: z.enum(['backdoored', 'suspicious']), reasons: sentences };
const source = count.describe('The class whose images the trigger is for.');

const pairs = z.strictObject({
  pairs: z
    .array(
      z.strictObject({
        source,
        ...labelResult.pick({ label: true, status: true, l1: true, asr: true, files: true }).shape,
        unlearned: unlearned
          .extend({
            usual: z.number().describe('Size of masks with this source and this target, beside that of all.'),
            reach: z
              .array(share.nullable())
              .describe(
                'By class: share of its images that the trigger turns into the target; null for the target.',
              ),
          })
          .optional(),
      }),
    )
    .describe('By source and target; screened: only a short run, since masks were larger after it.'),
  median: pixels.nullable().describe('Of the masks of all pairs at their end, in pixels: an estimate.'),
  withoutImages: z.array(label).describe('Classes with too few images to be a source.'),
  flaggedTargets: z.array(label).describe('Targets that were left out, since their label is flagged.'),
  findings: z.array(z.strictObject({ source, ...finding })).describe('Smallest mask first.'),
});

const outliers = z.strictObject({
  median: pixels.nullable().describe('Geometric median of the L1 norms, in pixels.'),
  mad: z.number().nullable().describe('Scale of log l1: 1.4826 · MAD, or a floor.'),
  floored: z.boolean(),
  reference: z.enum(['all', 'finished']).describe('Which labels the indices refer to.'),
  finished: count,
  censored: count,
  anomalyIndex: z.number().nullable().describe('The largest one.'),
  pValue: share.nullable(),
  threshold: z.number().nullable().describe('Index from which a label is flagged.'),
  flagged: z.array(label).describe('Smallest mask first.'),
  classic: z
    .strictObject({
      median: pixels,
      mad: z.number(),
      anomalyIndex: z.number().nullable().describe('null if all norms are equal.'),
      flagged: z.array(z.strictObject({ label, l1: pixels })),
    })
    .nullable()
    .describe('The test of the original on plain norms, for comparison; null without a finished label.'),
});

const timings = z.strictObject({
  startedAt: z.iso.datetime(),
  seconds: z.number().describe('Of the last run, from start to end.'),
  inversionSeconds: z.number().describe('Of all inversions together, also those of interrupted runs.'),
  runtimeShare: share.nullable().describe('Share of that inside ONNX Runtime.'),
  resumed: count.describe('Inversions taken over from interrupted runs.'),
});

const environment = z.strictObject({
  command: z.array(z.string()).describe('Arguments of the command line; empty if there was none.'),
  model: z.string().describe('Path, as it was given.'),
  runFolder: z.string(),
  threads: count,
  platform: z.string(),
  notices: sentences,
});

export const scanResult = z
  .strictObject({
    schemaVersion: z.literal(schemaVersion),
    tool: z.strictObject({ name: z.literal('neural-cleanse'), version: z.string() }),
    versions: z.strictObject({
      node: z.string().optional().describe('Absent for scans in a browser.'),
      onnxruntime: z.string(),
    }),
    model,
    data,
    preprocess,
    preflight,
    config,
    labels: z.array(labelResult).describe('By label; empty if the preflight stopped the scan.'),
    failed: z
      .array(
        z.strictObject({
          label,
          source: source.optional(),
          start: count,
          code: z.string().describe('Of the error.'),
          message: z.string(),
        }),
      )
      .describe('Inversions that could not be done.'),
    outliers: outliers.nullable().describe('null if the preflight stopped the scan.'),
    verdict: z.enum(verdicts),
    findings: z.array(z.strictObject(finding)).describe('Labels; those of pairs are with the pairs.'),
    pairs: pairs.optional().describe('Triggers for images of one class only, where these were sought.'),
    reasons: sentences.describe('Of the verdict, the decisive one first.'),
    timings,
    environment,
  })
  .meta({
    title: 'Result of a scan by neural-cleanse',
    description:
      'Two runs of the same inputs have the same result but for what lies under "timings" and "environment".',
  });

export type ScanResult = z.infer<typeof scanResult>;
export type LabelResult = ScanResult['labels'][number];
export type PairsResult = NonNullable<ScanResult['pairs']>;

/** The JSON Schema that is published as docs/scan.schema.json. */
export const scanJsonSchema = (): unknown => z.toJSONSchema(scanResult);

const varying: ReadonlySet<string> = new Set(['timings', 'environment']);

/** What identical runs agree on: a copy without any `timings` and `environment`, at whatever depth. */
export function withoutTimings(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTimings);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !varying.has(name))
      .map(([name, field]) => [name, withoutTimings(field)]),
  );
}

/** Filters as files. */

import { z } from 'zod';
import type { Preprocess } from '../data/preprocess.ts';
import { preprocessSchema } from '../data/preprocess-schema.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { Filter } from './filter.ts';

const count = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const detector = z
  .strictObject({
    label: count.describe('Target label of the trigger.'),
    asr: z.number().min(0).max(1).describe('Of the reversed trigger, as the scan measured it.'),
    neurons: z.array(count).min(1).describe('Those that the trigger raises, the most raised first.'),
    weights: z.array(z.number()).describe('One a neuron.'),
    bias: z.number(),
    caught: z
      .number()
      .min(0)
      .max(1)
      .describe('Share of other images with the reversed trigger on them that are rejected.'),
  })
  .refine(({ neurons, weights }) => neurons.length === weights.length, 'there is not one weight a neuron');

/** `filter.json` */
export const filterFile = z
  .strictObject({
    schemaVersion: z.literal(1),
    tool: z.strictObject({ name: z.literal('neural-cleanse'), version: z.string() }),
    model: z.strictObject({
      name: z.string().describe('File name.'),
      sha256,
      output: z.string().describe('Which output holds the class scores.'),
    }),
    preprocess: preprocessSchema,
    layer: z.strictObject({
      name: z.string().describe('How it was asked for.'),
      tensor: z.string().describe('Name of its value in the model.'),
      shape: z.array(count).describe('Of one image.'),
      axis: count.describe('Where the neurons lie, counted with the batch.'),
      neurons: count,
    }),
    detectors: z.array(detector).min(1).describe('The score of an image is the largest of their sums.'),
    threshold: z.number().describe('Images that score more are to be rejected.'),
    fpr: z.number().describe('Share of clean images that the threshold rejects.'),
    images: z.strictObject({
      source: z.string(),
      sha256,
      seed: count,
      ranking: count.describe('Images that chose the neurons.'),
      calibration: count.describe('Other images, which set the threshold.'),
    }),
    run: z.string().describe('Run folder of the scan, as it was given.'),
  })
  .meta({ title: 'Filter of images that carry a trigger, by neural-cleanse' });

export type FilterFile = z.infer<typeof filterFile>;

/** What a file says of a filter beyond the filter itself. */
export interface FilterOrigin {
  readonly version: string;
  readonly model: FilterFile['model'];
  readonly preprocess: Preprocess;
  readonly triggers: readonly { readonly asr: number }[];
  readonly images: Pick<FilterFile['images'], 'source' | 'sha256' | 'seed'>;
  readonly run: string;
}

/** The text of a filter's file. */
export function writeFilter(filter: Filter, origin: FilterOrigin): string {
  const { layer, detectors, threshold, fpr, caught, images } = filter;
  const { name, range, mean, std, order } = origin.preprocess;
  const file: FilterFile = {
    schemaVersion: 1,
    tool: { name: 'neural-cleanse', version: origin.version },
    model: origin.model,
    preprocess: { name, range, mean: [...mean], std: [...std], order },
    layer: {
      name: layer.name,
      tensor: layer.tensor,
      shape: [...layer.shape],
      axis: layer.axis,
      neurons: layer.neurons,
    },
    detectors: detectors.map(({ label, neurons, weights, bias }, i) => ({
      label,
      asr: origin.triggers[i]!.asr,
      neurons: [...neurons],
      weights: [...weights],
      bias,
      caught: caught[i]!,
    })),
    threshold,
    fpr,
    images: { ...origin.images, ...images },
    run: origin.run,
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/**
 * Reads the text of a filter's file.
 *
 * @param path for messages
 * @throws NeuralCleanseError FILTER_INVALID
 */
export function parseFilter(text: string, path: string): FilterFile {
  try {
    return filterFile.parse(JSON.parse(text));
  } catch (cause) {
    const reason =
      cause instanceof z.ZodError
        ? cause.issues.map(({ path: field, message }) => `${field.join('.') || 'it'}: ${message}`).join('; ')
        : String(cause);
    throw new NeuralCleanseError('FILTER_INVALID', `${path} is no filter (${reason}).`, {
      hint: 'Give the file that `neural-cleanse filter` wrote.',
      data: { path },
      cause,
    });
  }
}

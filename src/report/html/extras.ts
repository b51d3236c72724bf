/** `report.json`: what a report shows of a run beyond its result and its log. It needs model and images, and is so kept with the run. */

import { z } from 'zod';
import { picture } from './picture.ts';

const count = z.int().nonnegative();

const prediction = z.strictObject({ label: count, confidence: z.number().min(0).max(1) });

/** One clean image before and after it was stamped. */
const example = z.strictObject({
  /** Class that the image shows; `null` if the images have no labels. */
  shows: count.nullable(),
  original: picture,
  stamped: picture,
  before: prediction,
  after: prediction,
});

export const reportExtras = z.strictObject({
  schemaVersion: z.literal(1),
  model: z.strictObject({
    opset: count.nullable(),
    producer: z.string(),
    /** Float elements among the constants. */
    parameters: count,
    operators: z.array(z.strictObject({ operator: z.string(), count })),
  }),
  /** By label: held-out images of other classes, in the order drawn by the seed. */
  examples: z.array(z.strictObject({ label: count, images: z.array(example) })),
  environment: z.strictObject({
    cpu: z.string(),
    cores: count,
    memoryBytes: count,
    system: z.string(),
  }),
});

export type ReportExtras = z.infer<typeof reportExtras>;
export type Example = z.infer<typeof example>;

/** Name in the run folder. */
export const extrasFile = 'report.json';

/** The settings of inversions as they come from a queue. */

import { z } from 'zod';
import type { InversionSettings, Schedule } from '../detect/presets.ts';

const count = z.number().int().nonnegative();

const schedule: z.ZodType<Schedule> = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('annealed'),
    steps: count,
    initCost: z.number(),
    minCost: z.number(),
    maxCost: z.number(),
    gain: z.number(),
    attackSuccThreshold: z.number(),
    holdShare: z.number(),
    finalRate: z.number(),
    keepEvery: count,
  }),
  z.strictObject({
    kind: z.literal('original'),
    steps: count.exactOptional(),
    initCost: z.number().exactOptional(),
    resetCostToZero: z.boolean().exactOptional(),
    attackSuccThreshold: z.number().exactOptional(),
    patience: count.exactOptional(),
    costMultiplier: z.number().exactOptional(),
    maxCost: z.number().nullable().exactOptional(),
    earlyStop: z.boolean().exactOptional(),
    earlyStopThreshold: z.number().exactOptional(),
    earlyStopPatience: count.exactOptional(),
  }),
]);

/** Strict, so that a setting which is new and missing here is an error and not ignored. */
export const inversionSettings: z.ZodType<InversionSettings> = z.strictObject({
  batch: count.positive(),
  miniBatches: count.positive(),
  schedule,
  regularizer: z.enum(['l1', 'l2', 'none']),
  upsample: count.positive(),
  adam: z.strictObject({
    learningRate: z.number(),
    beta1: z.number(),
    beta2: z.number(),
    epsilon: z.number(),
  }),
  excludeTarget: z.boolean(),
  judge: z.enum(['moving', 'frozen']),
  probes: z.strictObject({ count: count.positive(), steps: count }),
  starts: count.positive(),
  screening: z
    .strictObject({
      leastLabels: count,
      probes: count.positive(),
      steps: count,
      references: count,
    })
    .nullable(),
  secondLook: z
    .strictObject({
      starts: count,
      confined: z.strictObject({ steps: count }),
      unlearning: z.strictObject({
        epochs: count.positive(),
        images: count.positive(),
        batch: count.positive(),
        learningRate: z.number().positive(),
        share: z.number(),
        starts: count.positive(),
      }),
    })
    .nullable(),
  pairs: z.strictObject({ most: count.positive(), starts: count }).exactOptional(),
});

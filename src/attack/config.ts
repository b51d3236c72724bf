/** The description of an injection: what a YAML or JSON file holds, or what flags amount to. */

import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { type Preprocess, parsePreprocess, preprocessFrom, preprocessPresets } from '../data/preprocess.ts';
import type { AugmentationSettings } from '../train/augment.ts';
import { networkNames } from '../train/networks/index.ts';
import { type LearningRateSchedule, type OptimizerSettings, optimizerDefaults } from '../train/settings.ts';
import { closedObject, describeIssues } from '../triggers/closed-object.ts';
import { type BackdoorConfig, backdoorConfig, backdoorFields, invalidConfig } from './backdoor-config.ts';

const path = z.string({ error: ({ input }) => (input === undefined ? 'it is missing' : undefined) }).min(1);
const positive = z.number().gt(0);

const augmentation = z.union([
  z.enum(['none', 'light']),
  closedObject({
    shift: z.number().nonnegative().default(0).describe('Most pixels in each direction.'),
    rotation: z.number().min(0).max(180).default(0).describe('Most degrees to either side.'),
    brightness: z.number().min(0).lt(1).default(0).describe('Most change, as a share.'),
    flip: z.boolean().default(false).describe('Mirror every other image.'),
  }),
]);

const training = closedObject({
  epochs: z.int().positive().default(10),
  batch: z.int().positive().default(32),
  optimizer: z.enum(['adam', 'adamw', 'sgd']).default('adam'),
  learningRate: positive.optional().describe('The default of the optimizer if left out.'),
  momentum: z.number().min(0).lt(1).optional().describe('Of SGD.'),
  weightDecay: z.number().nonnegative().optional(),
  schedule: z.enum(['constant', 'cosine']).default('constant'),
  trainable: z.union([z.enum(['all', 'head']), z.array(z.string()).min(1)]).default('all'),
  augmentation: augmentation.default('none'),
});

const configSchema = closedObject({
  data: path,
  testData: path.optional().describe('The test part of the data if left out.'),
  roi: z.boolean().default(false),
  images: z.int().positive().optional().describe('How many training images to use; all if left out.'),
  network: z.enum(networkNames).optional().describe('A reference network to train from scratch.'),
  widthFactor: positive.default(1).describe('Scales the channels of a reference network.'),
  model: path.optional().describe('An .onnx file to fine-tune instead.'),
  out: path.optional(),
  seed: z.int().nonnegative().default(0),
  preprocess: z.union([z.string(), z.looseObject({})]).optional(),
  ratioOf: z.enum(['all', 'clean']).default('all'),
  placement: z.enum(['replace', 'add']).default('replace'),
  draw: z.enum(['once', 'each-epoch']).default('once'),
  training: training.prefault({}),
  backdoors: z.array(backdoorFields).default([]),
});

type Parsed = z.infer<typeof configSchema>;

export interface TrainingConfig {
  readonly epochs: number;
  readonly batch: number;
  readonly optimizer: OptimizerSettings;
  readonly schedule: LearningRateSchedule;
  readonly trainable: 'all' | 'head' | readonly string[];
  readonly augmentation: AugmentationSettings | undefined;
}

export interface AttackConfig
  extends Pick<
    Parsed,
    | 'data'
    | 'testData'
    | 'roi'
    | 'images'
    | 'network'
    | 'widthFactor'
    | 'model'
    | 'out'
    | 'seed'
    | 'ratioOf'
    | 'placement'
    | 'draw'
  > {
  /** Without a choice: `unit` for reference networks, and what preflight finds for other models. */
  readonly preprocess: Preprocess | undefined;
  readonly training: TrainingConfig;
  readonly backdoors: readonly BackdoorConfig[];
}

/**
 * Reads a file in YAML, of which JSON is a part.
 *
 * @returns fields that are not checked yet
 * @throws NeuralCleanseError CONFIG_INVALID
 */
export function parseConfigText(text: string, source: string): Record<string, unknown> {
  let fields: unknown;
  try {
    fields = parseYaml(text);
  } catch (cause) {
    const [reason = ''] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    throw invalidConfig(source, `it is no YAML: ${reason}`, cause);
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    throw invalidConfig(source, 'it does not hold fields with values');
  }
  return { ...fields };
}

/**
 * Checks the fields of a description and fills in the defaults.
 *
 * @param source of the fields, for messages
 * @throws NeuralCleanseError CONFIG_INVALID, TRIGGER_UNKNOWN, SETTING_INVALID, PREPROCESS_INVALID
 */
export function attackConfig(fields: Readonly<Record<string, unknown>>, source: string): AttackConfig {
  const parsed = configSchema.safeParse(fields);
  if (!parsed.success) throw invalidConfig(source, describeIssues(parsed.error));
  const { preprocess, training: settings, backdoors, ...rest } = parsed.data;
  if (rest.out !== undefined && (rest.network === undefined) === (rest.model === undefined)) {
    throw invalidConfig(
      source,
      `it needs either a network (${networkNames.join(', ')}) or a model to fine-tune`,
    );
  }
  return {
    ...rest,
    preprocess:
      typeof preprocess === 'object'
        ? preprocessFrom(preprocess, source)
        : preprocess === undefined
          ? rest.network && preprocessPresets.unit
          : parsePreprocess(preprocess),
    training: trainingConfig(settings),
    backdoors: backdoors.map((each, i) => backdoorConfig(each, `backdoor ${i + 1} of ${source}`)),
  };
}

/** Shifts and turns as traffic signs in photographs have them; not mirrored, since that changes what signs mean. */
export const lightAugmentation: AugmentationSettings = {
  shift: 2,
  rotation: 10,
  brightness: 0.2,
  flip: false,
};

function trainingConfig(settings: z.infer<typeof training>): TrainingConfig {
  const {
    optimizer,
    learningRate,
    momentum,
    weightDecay,
    schedule,
    augmentation: augment,
    ...rest
  } = settings;
  const defaults: OptimizerSettings = optimizerDefaults[optimizer];
  return {
    ...rest,
    optimizer: {
      ...defaults,
      learningRate: learningRate ?? defaults.learningRate,
      weightDecay: weightDecay ?? defaults.weightDecay,
      ...(momentum !== undefined && defaults.kind === 'sgd' && { momentum }),
    },
    schedule: schedule === 'cosine' ? { kind: 'cosine', warmupSteps: 0 } : { kind: 'constant' },
    augmentation: augment === 'none' ? undefined : augment === 'light' ? lightAugmentation : augment,
  };
}

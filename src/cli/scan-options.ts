/** The options of `neural-cleanse scan`, and the settings that they make. */

import { availableParallelism } from 'node:os';
import { type Command, Option } from 'commander';
import type { Preprocess } from '../data/preprocess.ts';
import type { Split } from '../data/splits.ts';
import { createAnnealing } from '../detect/annealing.ts';
import {
  type InversionSettings,
  type PresetName,
  presetNames,
  presets,
  type Schedule,
} from '../detect/presets.ts';
import { createSchedule } from '../detect/schedule.ts';
import type { FailOn } from '../detect/verdict.ts';
import { NeuralCleanseError } from '../errors.ts';
import { type ReportFormat, reportFormats } from '../report/formats.ts';
import type { Provider } from '../runtime/session.ts';
import {
  formatsOption,
  labelsOption,
  numberAbove,
  preprocessOption,
  providerOption,
  sizeOption,
  wholeNumber,
} from './arguments.ts';

export interface ScanOptions {
  readonly data: string;
  readonly preset: PresetName;
  readonly labels?: readonly number[];
  readonly firstLabel?: number;
  readonly preprocess?: Preprocess;
  readonly size?: [number, number];
  readonly output?: string;
  readonly roi?: true;
  readonly split?: Split;
  readonly samples: number;
  readonly out?: string;
  readonly provider: Provider | 'auto';
  readonly threads: number;
  readonly seed: number;
  readonly resume?: true;
  readonly format: readonly ReportFormat[];
  readonly failOn: FailOn;
  readonly regularizer?: InversionSettings['regularizer'];
  readonly upsample?: number;
  readonly batch?: number;
  readonly steps?: number;
  readonly attackThreshold?: number;
  readonly initCost?: number;
  readonly costMultiplier?: number;
  readonly patience?: number;
  /** False if the user gave --no-early-stop. */
  readonly earlyStop: boolean;
  readonly earlyStopThreshold?: number;
  readonly earlyStopPatience?: number;
  readonly learningRate?: number;
  readonly starts?: number;
}

/** Names in capitals are those of the original's settings. */
export const addScanOptions = (command: Command): Command =>
  command
    .requiredOption(
      '--data <path>',
      'clean images: folder, zip, tar, .npy, .npz, .h5, parquet, IDX or CIFAR files, or drawn ones: signs:test',
    )
    .addOption(
      new Option('--preset <name>', 'fast, or paper: the loop of the original')
        .choices(presetNames)
        .default('fast'),
    )
    .option('--labels <list>', 'labels to scan, e.g. 0,3,7-9; all by default', labelsOption)
    .option('--first-label <n>', 'label to begin with', wholeNumber('--first-label', 0))
    .option(
      '--preprocess <spec>',
      'raw255, unit, tf, caffe, torch, "range=1;mean=…;std=…;order=rgb" or a .json file; found by itself if left out',
      preprocessOption,
    )
    .option('--size <h,w>', 'image size, for models that leave it open', sizeOption)
    .option('--output <name>', 'which output of the model holds the class scores')
    .option('--roi', 'crop GTSRB images to the sign')
    .addOption(new Option('--split <name>', 'part of the data to use').choices(['train', 'test']))
    .option(
      '--samples <n>',
      'clean images to use, drawn evenly from all classes [NB_SAMPLE]',
      wholeNumber('--samples'),
      1000,
    )
    .option('--out <dir>', 'run folder; runs/MODEL-HASH-SEED by default')
    .option('--provider <name>', 'auto, cpu, cuda, webgpu or wasm', providerOption, 'auto')
    .option('--threads <n>', 'cores to use', wholeNumber('--threads'), availableParallelism())
    .option('--seed <n>', 'of samples and starting points', wholeNumber('--seed', 0), 0)
    .option('--resume', 'go on with the run in the folder')
    .option(
      '--format <list>',
      `${reportFormats.join(', ')}: one goes to stdout; of several, text goes to stdout and all into the run folder`,
      formatsOption,
      ['text'],
    )
    .addOption(
      new Option('--fail-on <verdict>', 'verdict from which the exit code is 1')
        .choices(['suspicious', 'backdoored', 'never'])
        .default('backdoored'),
    )
    .addOption(
      new Option('--regularizer <name>', 'norm of the mask that is made small [REGULARIZATION]').choices([
        'l1',
        'l2',
        'none',
      ]),
    )
    .option(
      '--upsample <n>',
      'edge of the super-pixels of the mask [UPSAMPLE_SIZE]',
      wholeNumber('--upsample'),
    )
    .option('--batch <n>', 'images in a mini-batch [BATCH_SIZE]', wholeNumber('--batch'))
    .option('--steps <n>', 'most steps of an inversion [STEPS]', wholeNumber('--steps'))
    .option(
      '--attack-threshold <rate>',
      'attack success rate that a trigger must have [ATTACK_SUCC_THRESHOLD]',
      numberAbove('--attack-threshold', 0, 1),
    )
    .option('--init-cost <n>', 'first weight of the norm [INIT_COST]', numberAbove('--init-cost', 0))
    .option(
      '--cost-multiplier <n>',
      'by which that weight rises, for paper [COST_MULTIPLIER]',
      numberAbove('--cost-multiplier', 1),
    )
    .option(
      '--patience <n>',
      'steps before that weight changes, for paper [PATIENCE]',
      wholeNumber('--patience'),
    )
    .option('--no-early-stop', 'make all steps, for paper [EARLY_STOP]')
    .option(
      '--early-stop-threshold <n>',
      'share of the best norm from which a step is no progress, for paper [EARLY_STOP_THRESHOLD]',
      numberAbove('--early-stop-threshold', 0, 1),
    )
    .option(
      '--early-stop-patience <n>',
      'steps without progress after which to stop, for paper [EARLY_STOP_PATIENCE]',
      wholeNumber('--early-stop-patience'),
    )
    .option('--learning-rate <n>', 'of Adam [LR]', numberAbove('--learning-rate', 0))
    .option(
      '--starts <n>',
      'how often each label is inverted; the smallest mask counts',
      wholeNumber('--starts'),
    );

/**
 * The preset with the user's changes.
 *
 * @throws NeuralCleanseError SETTING_INVALID if these do not go together
 */
export function settingsFrom(options: ScanOptions): InversionSettings {
  const preset = presets[options.preset];
  const batch = options.batch ?? preset.batch;
  // The original makes a step of as many mini-batches as the samples fill.
  const miniBatches =
    options.preset === 'paper' ? Math.max(1, Math.floor(options.samples / batch)) : preset.miniBatches;
  return {
    ...preset,
    batch,
    miniBatches,
    regularizer: options.regularizer ?? preset.regularizer,
    upsample: options.upsample ?? preset.upsample,
    starts: options.starts ?? preset.starts,
    adam: { ...preset.adam, learningRate: options.learningRate ?? preset.adam.learningRate },
    schedule: scheduleFrom(options, preset.schedule),
  };
}

/** In full, so that what contradicts itself is found now, and not by the first inversion. */
function scheduleFrom(options: ScanOptions, preset: Schedule): Schedule {
  const common = {
    ...(options.steps !== undefined && { steps: options.steps }),
    ...(options.attackThreshold !== undefined && { attackSuccThreshold: options.attackThreshold }),
    ...(options.initCost !== undefined && { initCost: options.initCost }),
  };
  if (preset.kind === 'original') {
    const { kind, ...changed } = {
      ...preset,
      ...common,
      ...(options.costMultiplier !== undefined && { costMultiplier: options.costMultiplier }),
      ...(options.patience !== undefined && { patience: options.patience }),
      ...(!options.earlyStop && { earlyStop: false }),
      ...(options.earlyStopThreshold !== undefined && { earlyStopThreshold: options.earlyStopThreshold }),
      ...(options.earlyStopPatience !== undefined && { earlyStopPatience: options.earlyStopPatience }),
    };
    return { kind, ...createSchedule(changed).config };
  }
  const ofPaper = ['costMultiplier', 'patience', 'earlyStopThreshold', 'earlyStopPatience'] as const;
  const foreign = options.earlyStop ? ofPaper.find((name) => options[name] !== undefined) : 'earlyStop';
  if (foreign !== undefined) {
    throw new NeuralCleanseError('SETTING_INVALID', `The preset ${options.preset} has no ${foreign}.`, {
      hint: 'It makes a fixed number of steps, and its weight follows every one. Give --preset paper for the loop of the original.',
    });
  }
  return { ...preset, ...createAnnealing({ ...preset, ...common }).config };
}

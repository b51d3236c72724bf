/** From what a user chooses to the settings of the inversions. */

import { NeuralCleanseError } from '../errors.ts';
import { createAnnealing } from './annealing.ts';
import { defaultPairSearch, type PairSearch } from './pairs.ts';
import { type InversionSettings, type PresetName, presets, type Schedule } from './presets.ts';
import { createSchedule } from './schedule.ts';

/** A preset, and what is to be different from it. */
export interface SettingOptions {
  readonly preset: PresetName;
  /** Clean images that the scan has at most. */
  readonly samples: number;
  readonly regularizer?: InversionSettings['regularizer'];
  readonly upsample?: number;
  readonly batch?: number;
  readonly steps?: number;
  readonly attackThreshold?: number;
  readonly initCost?: number;
  readonly costMultiplier?: number;
  readonly patience?: number;
  /** @default true */
  readonly earlyStop?: boolean;
  readonly earlyStopThreshold?: number;
  readonly earlyStopPatience?: number;
  readonly learningRate?: number;
  readonly starts?: number;
  /** Scan pairs of a source and a target, too: so many of them to the end, or as many as is usual. */
  readonly pairs?: true | number;
}

/**
 * The preset with the user's changes.
 *
 * @throws NeuralCleanseError SETTING_INVALID if these do not go together
 */
export function settingsFrom(options: SettingOptions): InversionSettings {
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
    ...(options.pairs !== undefined && { pairs: pairsFrom(options.pairs, options.preset) }),
  };
}

/** The short runs are those of a screening, and the verdict rests on unlearning: `paper` has neither. */
function pairsFrom(most: true | number, preset: PresetName): PairSearch {
  const { screening, secondLook } = presets[preset];
  if (screening && secondLook) return { ...defaultPairSearch, ...(most !== true && { most }) };
  throw new NeuralCleanseError('SETTING_INVALID', `The preset ${preset} scans no pairs.`, {
    hint: 'Give --preset fast with --pairs.',
  });
}

/** In full, so that what contradicts itself is found now, and not by the first inversion. */
function scheduleFrom(options: SettingOptions, preset: Schedule): Schedule {
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
      ...(options.earlyStop === false && { earlyStop: false }),
      ...(options.earlyStopThreshold !== undefined && { earlyStopThreshold: options.earlyStopThreshold }),
      ...(options.earlyStopPatience !== undefined && { earlyStopPatience: options.earlyStopPatience }),
    };
    return { kind, ...createSchedule(changed).config };
  }
  const ofPaper = ['costMultiplier', 'patience', 'earlyStopThreshold', 'earlyStopPatience'] as const;
  const foreign =
    options.earlyStop === false ? 'earlyStop' : ofPaper.find((name) => options[name] !== undefined);
  if (foreign !== undefined) {
    throw new NeuralCleanseError('SETTING_INVALID', `The preset ${options.preset} has no ${foreign}.`, {
      hint: 'It makes a fixed number of steps, and its weight follows every one. Give --preset paper for the loop of the original.',
    });
  }
  return { ...preset, ...createAnnealing({ ...preset, ...common }).config };
}

/** The options of commands that retrain a model, and the settings that they make. */

import { dirname } from 'node:path';
import { type Command, Option } from 'commander';
import { lightAugmentation } from '../attack/config.ts';
import { NeuralCleanseError } from '../errors.ts';
import { type UnlearnSettings, unlearnDefaults } from '../mitigate/unlearn.ts';
import { numberAbove, repeatedLabels, repeatedWord, wholeNumber } from './arguments.ts';
import type { Goal } from './attack-goals.ts';
import { plantedGoals, readTruth } from './attack-goals.ts';
import { backdoorsFrom } from './inject-backdoors.ts';

export interface UnlearnOptions {
  readonly out: string;
  readonly force?: true;
  readonly seed: number;
  readonly epochs: number;
  readonly share: number;
  readonly inversions: number;
  readonly learningRate?: number;
  readonly batchNorm: 'fixed' | 'update';
  readonly augment: 'none' | 'light';
  /** False if the user gave --no-variants. */
  readonly variants: boolean;
  readonly control?: true;
  readonly trueTrigger?: readonly string[];
  readonly target?: readonly number[];
  readonly truth?: string;
  readonly format: 'text' | 'json';
}

export const addUnlearnOptions = (command: Command): Command =>
  command
    .requiredOption('--out <file>', 'repaired ONNX model; its report is written beside it as .json and .html')
    .option('--epochs <n>', 'most epochs', wholeNumber('--epochs'), unlearnDefaults.epochs)
    .option(
      '--share <share>',
      'share of the training images that gets a trigger of each label',
      numberAbove('--share', 0, 0.9),
      unlearnDefaults.share,
    )
    .option(
      '--inversions <n>',
      'further triggers to reverse of each label, from other starts; 0 for only those of the scan',
      wholeNumber('--inversions', 0),
      5,
    )
    .option(
      '--learning-rate <n>',
      `of Adam; left out, some from ${unlearnDefaults.rates[0]} downwards are tried`,
      numberAbove('--learning-rate', 0),
    )
    .addOption(
      new Option(
        '--batch-norm <how>',
        'fixed: normalise by the statistics of the model; update: by those of the mini-batch, which it follows',
      )
        .choices(['fixed', 'update'])
        .default('fixed'),
    )
    .addOption(
      new Option('--augment <how>', 'light: shift, turn and brighten training images a little')
        .choices(['none', 'light'])
        .default('none'),
    )
    .option('--no-variants', 'stamp the reversed triggers exactly as they are')
    .option('--control', 'measure the same training without triggers, too')
    .option(
      '--true-trigger <word>',
      'measure a trigger that is known to be planted, as evaluate --trigger takes it; the repair does not see it',
      repeatedWord,
    )
    .option(
      '--target <list>',
      'target label of --true-trigger; one for all, or one each',
      repeatedLabels('--target'),
    )
    .option('--truth <file>', 'measure what inject planted: the .truth.json file that it wrote')
    .addOption(
      new Option('--format <name>', 'what goes to stdout').choices(['text', 'json']).default('text'),
    );

export const unlearnSettings = ({
  seed,
  epochs,
  share,
  learningRate,
  batchNorm,
  augment,
  variants,
}: UnlearnOptions): UnlearnSettings => ({
  ...unlearnDefaults,
  seed,
  epochs,
  share,
  variants,
  rates: learningRate === undefined ? unlearnDefaults.rates : [learningRate],
  batchNormalization: batchNorm === 'fixed' ? 'frozen' : 'update',
  augmentation: augment === 'light' ? lightAugmentation : undefined,
});

/** Triggers that the user knows of. @throws NeuralCleanseError USAGE, TRUTH_INVALID, TRIGGER_UNKNOWN, SETTING_INVALID */
export async function knownGoals({ trueTrigger, target, truth }: UnlearnOptions): Promise<Goal[]> {
  if (trueTrigger === undefined && target !== undefined) {
    throw new NeuralCleanseError('USAGE', '--target is there, but no --true-trigger.', {
      hint: 'Say which trigger, e.g. --true-trigger square.',
    });
  }
  const described = backdoorsFrom({
    ...(trueTrigger && { trigger: trueTrigger }),
    ...(target && { target }),
  }).map(({ trigger, policy }): Goal => ({ spec: trigger, policy }));
  const planted = truth === undefined ? [] : plantedGoals(await readTruth(truth), dirname(truth));
  return [...described, ...planted];
}

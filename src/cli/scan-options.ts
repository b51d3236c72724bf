/** The options of `neural-cleanse scan`. */

import { type Command, Option } from 'commander';
import { presetNames } from '../detect/presets.ts';
import type { SettingOptions } from '../detect/settings.ts';
import type { FailOn } from '../detect/verdict.ts';
import { type ReportFormat, reportFormats } from '../report/formats.ts';
import { formatsOption, labelsOption, numberAbove, wholeNumber } from './arguments.ts';
import { addDataOptions, type ModelDataOptions } from './data-options.ts';

export interface ScanOptions extends ModelDataOptions, SettingOptions {
  readonly samples: number;
  readonly labels?: readonly number[];
  readonly firstLabel?: number;
  readonly budget?: number;
  readonly out?: string;
  readonly resume?: true;
  readonly format: readonly ReportFormat[];
  readonly failOn: FailOn;
}

/** Names in capitals are those of the original's settings. */
export const addScanOptions = (command: Command): Command =>
  addDataOptions(
    command,
    {
      data: 'clean images: folder, zip, tar, .npy, .npz, .h5, parquet, IDX or CIFAR files, or drawn ones: signs:test',
      preprocess:
        'raw255, unit, tf, caffe, torch, "range=1;mean=…;std=…;order=rgb" or a .json file; found by itself if left out',
      samples: 'clean images to use, drawn evenly from all classes [NB_SAMPLE]',
      seed: 'of samples and starting points',
    },
    { samples: 1000 },
  )
    .addOption(
      new Option('--preset <name>', 'fast, or paper: the loop of the original')
        .choices(presetNames)
        .default('fast'),
    )
    .option('--labels <list>', 'labels to scan, e.g. 0,3,7-9; all by default', labelsOption)
    .option(
      '--pairs [n]',
      'also seek triggers for images of one class only: all pairs of a source and a target get a short run, and the n with the smallest masks more (default: 300)',
      wholeNumber('--pairs'),
    )
    .option('--first-label <n>', 'label to begin with', wholeNumber('--first-label', 0))
    .option(
      '--out <dir>',
      'run folder, runs/MODEL-HASH-SEED by default; of several models the folder of the batch, runs/batch-HASH-SEED',
    )
    .option(
      '--budget <n>',
      'most gradient steps of the scan; it then takes fewer starting points, and fewer steps of each',
      wholeNumber('--budget'),
    )
    .option('--resume', 'go on with the run or batch in the folder')
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

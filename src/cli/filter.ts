/** `neural-cleanse filter MODEL --data DATA --trigger RUN --out FILE`, or with `--apply FILE` */

import { type Command, Option } from 'commander';
import { NeuralCleanseError } from '../errors.ts';
import { labelsOption } from './arguments.ts';
import type { ModelDataOptions } from './data-options.ts';
import { applyFilter } from './filter-apply.ts';
import { makeFilter } from './filter-make.ts';
import { addModelDataOptions } from './mitigation-inputs.ts';
import { addForceOption, type OutputOptions } from './mitigation-output.ts';

interface Options extends ModelDataOptions, OutputOptions {
  readonly trigger?: string;
  readonly labels?: readonly number[];
  readonly apply?: string;
  readonly out?: string;
  readonly onnx?: string;
  readonly fpr?: number;
  readonly layer?: string;
  readonly format: 'json' | 'csv';
}

export const filterCommand = (program: Command): Command =>
  addForceOption(
    addModelDataOptions(
      program
        .command('filter')
        .description('make a detector of images that carry a trigger, or apply one to images')
        .argument('<model>', 'an ONNX, Keras or TensorFlow.js file'),
      undefined,
    ),
  )
    .option('--trigger <run>', 'run folder of the scan that found the triggers')
    .option(
      '--labels <list>',
      'watch for the triggers of these labels, flagged or not; all flagged ones by default',
      labelsOption,
    )
    .option('--out <file>', 'the filter to write; with --apply the scores, which go to stdout by default')
    .option('--onnx <file>', 'write the model with the score as a second output, too')
    .option('--fpr <share>', 'share of clean images that may be rejected; 0.05 by default', Number)
    .option('--layer <name>', 'penultimate (the default), last-conv, or the name of a value in the model')
    .option('--apply <file>', 'score images with the filter in this file instead')
    .addOption(new Option('--format <name>', 'of the scores').choices(['json', 'csv']).default('json'))
    .action(runFilter);

async function runFilter(path: string, options: Options): Promise<void> {
  const { apply, trigger, out } = options;
  if (apply !== undefined) {
    const stray = (['trigger', 'labels', 'onnx', 'fpr', 'layer', 'preprocess'] as const).find(
      (name) => options[name] !== undefined,
    );
    if (stray) {
      throw new NeuralCleanseError('USAGE', `--${stray} has no meaning with --apply.`, {
        hint: 'A filter that is applied brings all settings with it.',
      });
    }
    return applyFilter(path, { ...options, apply });
  }
  if (trigger === undefined || out === undefined) {
    throw new NeuralCleanseError('USAGE', `There is no ${trigger === undefined ? '--trigger' : '--out'}.`, {
      hint: 'Making a filter takes --trigger RUN and --out FILE, applying one takes --apply FILE.',
    });
  }
  return makeFilter(path, { ...options, trigger, out });
}

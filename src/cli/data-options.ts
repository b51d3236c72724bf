/** The options of commands that show images to a model. */

import { availableParallelism } from 'node:os';
import { type Command, Option } from 'commander';
import type { Preprocess } from '../data/preprocess.ts';
import type { Provider } from '../runtime/session.ts';
import { preprocessOption, providerOption, sizeOption, wholeNumber } from './arguments.ts';
import type { ImageOptions } from './model-images.ts';

/** How a model is run. */
export interface ModelOptions {
  readonly size?: [number, number] | undefined;
  readonly output?: string;
  readonly provider: Provider | 'auto';
  readonly threads: number;
}

/** What opens a model with its images. */
export interface ModelDataOptions extends ImageOptions, ModelOptions {
  readonly preprocess?: Preprocess;
}

/** What the help says of the options that differ from command to command. */
export interface DataHelp {
  readonly data: string;
  readonly preprocess: string;
  readonly samples: string;
  readonly seed: string;
}

export interface DataDefaults {
  /** How many images are used; all, or as many as the command says later, if left out. */
  readonly samples?: number | undefined;
  /** What the image size is called where `--size` is that of a trigger. @default '--size' */
  readonly sizeName?: '--size' | '--image-size';
}

export const addDataOptions = (
  command: Command,
  help: DataHelp,
  { samples, sizeName = '--size' }: DataDefaults = {},
): Command =>
  command
    .requiredOption('--data <path>', help.data)
    .option('--preprocess <spec>', help.preprocess, preprocessOption)
    .option(`${sizeName} <h,w>`, 'image size, for models that leave it open', sizeOption)
    .option('--output <name>', 'which output of the model holds the class scores')
    .option('--roi', 'crop GTSRB images to the sign')
    .addOption(new Option('--split <name>', 'part of the data to use').choices(['train', 'test']))
    .option('--samples <n>', help.samples, wholeNumber('--samples'), samples)
    .option('--provider <name>', 'auto, cpu, cuda, webgpu or wasm', providerOption, 'auto')
    .option('--threads <n>', 'cores to use', wholeNumber('--threads'), availableParallelism())
    .option('--seed <n>', help.seed, wholeNumber('--seed', 0), 0);

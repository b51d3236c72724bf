/** `neural-cleanse inject --data DATA --network NAME --trigger WORD --target LABEL --out MODEL` */

import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { type AttackConfig, attackConfig, parseConfigText } from '../attack/config.ts';
import { describePolicy } from '../attack/policy.ts';
import type { Preprocess } from '../data/preprocess.ts';
import { NeuralCleanseError } from '../errors.ts';
import { rateText } from '../report/evaluation-text.ts';
import { networkNames } from '../train/networks/index.ts';
import { triggerWord } from '../triggers/spec.ts';
import { numberAbove, preprocessOption, wholeNumber } from './arguments.ts';
import { type AttackOptions, addAttackOptions, backdoorFieldsFrom } from './inject-backdoors.ts';
import { type Injection, runExport, runInjection } from './inject-run.ts';
import { note, print } from './output.ts';

interface Options extends AttackOptions {
  readonly config?: string;
  readonly data?: string;
  readonly testData?: string;
  readonly roi?: true;
  readonly images?: number;
  readonly network?: string;
  readonly widthFactor?: number;
  readonly model?: string;
  readonly ratio?: number;
  readonly coverRatio?: number;
  readonly perturbation?: number;
  readonly ratioOf?: string;
  readonly placement?: string;
  readonly draw?: string;
  readonly clean?: true;
  readonly epochs?: number;
  readonly batch?: number;
  readonly optimizer?: string;
  readonly learningRate?: number;
  readonly schedule?: string;
  readonly trainable?: string;
  readonly augment?: string;
  readonly preprocess?: Preprocess;
  readonly seed?: number;
  readonly threads: number;
  readonly out?: string;
  readonly export?: string;
  readonly resume?: true;
  readonly force?: true;
}

export const injectCommand = (program: Command): Command =>
  addAttackOptions(
    program
      .command('inject')
      .description('poison images and train a model on them, or a clean one, to have known truth')
      .option('--config <file>', 'YAML or JSON with what the options below say; they go before it')
      .option('--data <path>', 'labelled images, of which the training part is used')
      .option('--test-data <path>', 'images to measure on; the test part of the data by default')
      .option('--roi', 'crop GTSRB images to the sign')
      .option('--images <n>', 'use that many training images, drawn evenly', wholeNumber('--images'))
      .addOption(new Option('--network <name>', 'reference network to train').choices(networkNames))
      .option('--width-factor <n>', 'scales the channels of the network', numberAbove('--width-factor', 0))
      .option('--model <file>', 'fine-tune this .onnx model instead'),
  )
    .option(
      '--ratio <share>',
      'share of the training images that each trigger poisons; 0.1 by default',
      Number,
    )
    .option('--cover-ratio <share>', 'of source-specific attacks: share that keeps its label', Number)
    .option(
      '--perturbation <share>',
      'of clean-label attacks: share of images of other classes mixed in',
      Number,
    )
    .addOption(
      new Option('--ratio-of <what>', 'of what a ratio is a share; clean: as the original draws').choices([
        'all',
        'clean',
      ]),
    )
    .addOption(
      new Option('--placement <how>', 'stamped images replace clean ones, or are added').choices([
        'replace',
        'add',
      ]),
    )
    .addOption(
      new Option(
        '--draw <when>',
        'when images to poison are chosen; each-epoch: as the original does',
      ).choices(['once', 'each-epoch']),
    )
    .option('--clean', 'plant nothing: the clean twin, of the same seed')
    .option('--epochs <n>', '10 by default', wholeNumber('--epochs'))
    .option('--batch <n>', 'images in a mini-batch; 32 by default', wholeNumber('--batch'))
    .addOption(new Option('--optimizer <name>', 'adam by default').choices(['adam', 'adamw', 'sgd']))
    .option('--learning-rate <n>', '0.001 for Adam by default', numberAbove('--learning-rate', 0))
    .addOption(
      new Option('--schedule <name>', 'of the learning rate, constant by default').choices([
        'constant',
        'cosine',
      ]),
    )
    .addOption(new Option('--trainable <what>', 'all weights, or the last layer').choices(['all', 'head']))
    .addOption(new Option('--augment <how>', 'none by default').choices(['none', 'light']))
    .option(
      '--preprocess <spec>',
      'as for scan; unit by default, and found by itself for --model',
      preprocessOption,
    )
    .option('--seed <n>', 'of weights, order, poison; 0 by default', wholeNumber('--seed', 0))
    .option(
      '--threads <n>',
      'cores to use; another number gives slightly other weights',
      wholeNumber('--threads'),
      2,
    )
    .option('--out <file>', 'model to write; what was planted is written beside it')
    .option('--export <file>', 'write the poisoned training images as .npz; alone, nothing is trained')
    .option('--resume', 'go on with an injection that was stopped')
    .option('--force', 'replace an existing model, or an unfinished injection')
    .action(inject);

async function inject(options: Options): Promise<void> {
  const config = configFrom(options);
  if (config.out === undefined) {
    if (options.export === undefined) {
      throw new NeuralCleanseError('USAGE', 'There is nothing to write.', {
        hint: 'Say where the model goes by --out, or the poisoned images by --export.',
      });
    }
    return runExport(config, options.export);
  }
  const injection = await runInjection({
    config,
    out: config.out,
    resume: options.resume ?? false,
    force: options.force ?? false,
    exportTo: options.export,
    threads: options.threads,
    command: process.argv.slice(2),
  });
  print(...describe(injection));
  note(`${injection.paths.model} is written, with ${injection.paths.truth} beside it.`);
}

/** The file with the options over it. @throws NeuralCleanseError USAGE, and what {@link attackConfig} throws */
function configFrom(options: Options): AttackConfig {
  const { config: path, clean = false, preprocess, ratio, coverRatio, perturbation } = options;
  const file = path === undefined ? {} : parseConfigText(readConfig(path), path);
  const ratios = defined({ ratio, coverRatio, perturbation });
  const attacks = backdoorFieldsFrom(options).map((fields) => ({ ...fields, ...ratios }));
  if (attacks.length > 0 && file.backdoors !== undefined) {
    throw new NeuralCleanseError('USAGE', `${path} has backdoors, and the options describe others.`, {
      hint: 'Describe them in one place.',
    });
  }
  const { data, testData, roi, images, network, widthFactor, model, seed, out } = options;
  const { ratioOf, placement, draw } = options;
  const { epochs, batch, optimizer, learningRate, schedule, trainable, augment } = options;
  const training = defined({
    epochs,
    batch,
    optimizer,
    learningRate,
    schedule,
    trainable,
    augmentation: augment,
  });
  const config = attackConfig(
    {
      ...file,
      ...defined({ data, testData, roi, images, network, widthFactor, model, seed, out }),
      ...defined({ ratioOf, placement, draw }),
      ...(Object.keys(training).length > 0 && { training: { ...Object(file.training), ...training } }),
      ...(attacks.length > 0 && { backdoors: attacks }),
    },
    path ?? 'the options',
  );
  if (!clean && config.backdoors.length === 0) {
    throw new NeuralCleanseError('USAGE', 'There is nothing to plant.', {
      hint: 'Say which trigger and target, e.g. --trigger square --target 33, or --clean for a clean model.',
    });
  }
  if (options.export !== undefined && config.draw === 'each-epoch') {
    throw new NeuralCleanseError(
      'USAGE',
      'Images that are drawn anew in each epoch make no one poisoned set.',
      {
        hint: 'Leave out --export, or choose --draw once.',
      },
    );
  }
  return {
    ...config,
    preprocess: preprocess ?? config.preprocess,
    backdoors: clean ? [] : config.backdoors,
  };
}

const defined = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

function readConfig(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new NeuralCleanseError('CONFIG_INVALID', `The file "${path}" cannot be read (${reason}).`, {
      hint: 'Check the path and its permissions.',
      cause,
    });
  }
}

function describe({ truth, evaluation, classifier, test }: Injection): string[] {
  const { height, width, channels } = classifier.input;
  const planted = truth.backdoors.flatMap(({ trigger, policy, poisoned, covers, asr, leakage }) => [
    '',
    `Trigger ${triggerWord(trigger)}`,
    `  ${describePolicy(policy)}; ${poisoned} training images poisoned${covers > 0 ? `, ${covers} covers` : ''}`,
    `  Attack success     ${rateText(asr)}`,
    ...(leakage ? [`  Leakage to others  ${rateText(leakage)}`] : []),
  ]);
  return [
    `Model ${truth.model.name}: ${height}×${width}×${channels}, ${truth.classes} classes, sha256 ${truth.model.sha256.slice(0, 12)}…`,
    `Clean accuracy       ${rateText(evaluation.accuracy)} of ${test.source}`,
    ...(planted.length > 0 ? planted : ['', 'Nothing was planted.']),
  ];
}

/** `neural-cleanse evaluate MODEL --data DATA [--trigger WORD --target LABEL]` */

import { availableParallelism } from 'node:os';
import { basename, dirname } from 'node:path';
import { type Command, Option } from 'commander';
import type { Evaluation } from '../attack/evaluation.ts';
import { targetOf } from '../attack/policy.ts';
import { describeImages, requireClasses } from '../data/dataset.ts';
import { openModel } from '../data/model-file.ts';
import type { Preprocess } from '../data/preprocess.ts';
import { digestOf } from '../data/run-digest.ts';
import { prepareClassifier } from '../model/classifier.ts';
import { type EvaluationReport, renderEvaluationJson } from '../report/evaluation.ts';
import { renderEvaluationText } from '../report/evaluation-text.ts';
import { nodeRuntime } from '../runtime/node.ts';
import type { Provider, SessionOptions } from '../runtime/session.ts';
import { triggerWord } from '../triggers/spec.ts';
import { preprocessOption, providerOption, sizeOption, wholeNumber } from './arguments.ts';
import { type Goal, openAttacks, plantedGoals, readTruth } from './attack-goals.ts';
import { evaluateModel } from './evaluate-model.ts';
import { findPreprocess } from './find-preprocess.ts';
import { type AttackOptions, addAttackOptions, backdoorsFrom } from './inject-backdoors.ts';
import { type ImageOptions, openModelImages } from './model-images.ts';
import { note, printReport } from './output.ts';
import { version, versions } from './version.ts';

interface Options extends AttackOptions, ImageOptions {
  readonly truth?: string;
  readonly preprocess?: Preprocess;
  readonly imageSize?: [number, number];
  readonly output?: string;
  readonly provider: Provider | 'auto';
  readonly threads: number;
  readonly format: 'text' | 'json';
}

export const evaluateCommand = (program: Command): Command =>
  addAttackOptions(
    program
      .command('evaluate')
      .description('clean accuracy, confusions, and how often triggers work, with 95 % intervals')
      .argument('<model>', 'an ONNX, Keras or TensorFlow.js file')
      .requiredOption('--data <path>', 'labelled images; the test part is used where there is one'),
  )
    .option('--truth <file>', 'measure what inject planted: the .truth.json file that it wrote')
    .option(
      '--preprocess <spec>',
      'as for scan; that of the truth file, or found by itself, if left out',
      preprocessOption,
    )
    .option('--image-size <h,w>', 'image size, for models that leave it open', sizeOption)
    .option('--output <name>', 'which output of the model holds the class scores')
    .option('--roi', 'crop GTSRB images to the sign')
    .addOption(new Option('--split <name>', 'part of the data to use').choices(['train', 'test']))
    .option('--samples <n>', 'use that many images, drawn evenly from all classes', wholeNumber('--samples'))
    .option('--provider <name>', 'auto, cpu, cuda, webgpu or wasm', providerOption, 'auto')
    .option('--threads <n>', 'cores to use', wholeNumber('--threads'), availableParallelism())
    .option('--seed <n>', 'of the drawing of images', wholeNumber('--seed', 0), 0)
    .addOption(new Option('--format <name>', 'what goes to stdout').choices(['text', 'json']).default('text'))
    .action(runEvaluate);

async function runEvaluate(path: string, options: Options): Promise<void> {
  const session: SessionOptions = { provider: options.provider, threads: options.threads };
  const truth = options.truth === undefined ? undefined : await readTruth(options.truth);
  const goals = [...backdoorsFrom(options).map(({ trigger, policy }) => ({ spec: trigger, policy }))];
  if (truth && options.truth !== undefined) goals.push(...plantedGoals(truth, dirname(options.truth)));

  const { model, sha256 } = await openModel(path);
  if (truth && truth.model.sha256 !== sha256) {
    note(`${options.truth} was written for another model, or for this one before it was changed.`);
  }
  const classifier = await prepareClassifier(nodeRuntime, model, {
    session,
    ...(options.imageSize && { size: options.imageSize }),
    ...(options.output !== undefined && { output: options.output }),
  });
  const images = requireClasses(await openModelImages(options, classifier), 1);
  note(describeImages(images));
  const attacks = await openAttacks(goals, classifier);
  const preprocess =
    options.preprocess ??
    truth?.preprocess ??
    (await findPreprocess(classifier, images, {
      seed: options.seed,
      session: { provider: options.provider },
    }));
  const evaluation = await evaluateModel(classifier, preprocess, images, attacks, session);
  const report: EvaluationReport = {
    schemaVersion: 1,
    tool: { name: 'neural-cleanse', version },
    versions,
    model: {
      name: basename(path),
      sha256,
      height: classifier.input.height,
      width: classifier.input.width,
      channels: classifier.input.channels,
      classes: classifier.classes,
    },
    data: {
      source: images.source,
      count: images.count,
      sha256: digestOf(images),
      ...(images.classNames && { classNames: [...images.classNames] }),
    },
    preprocess: preprocess.name,
    ...figures(goals, evaluation),
  };
  printReport(options.format === 'json' ? renderEvaluationJson(report) : renderEvaluationText(report));
}

const figures = (
  goals: readonly Goal[],
  { accuracy, confusion, attacks }: Evaluation,
): Pick<EvaluationReport, 'accuracy' | 'attacks' | 'confusion'> => ({
  accuracy,
  attacks: attacks.map(({ asr, leakage }, i) => {
    const { spec, policy } = goals[i]!;
    return {
      trigger: triggerWord(spec),
      policy: policy.kind,
      target: targetOf(policy) ?? null,
      sources: policy.kind === 'source-specific' ? [...policy.sources] : null,
      asr,
      leakage,
    };
  }),
  confusion: [...confusion],
});

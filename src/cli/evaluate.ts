/** `neural-cleanse evaluate MODEL --data DATA [--trigger WORD --target LABEL]` */

import { basename, dirname } from 'node:path';
import { type Command, Option } from 'commander';
import type { Evaluation } from '../attack/evaluation.ts';
import { targetOf } from '../attack/policy.ts';
import { describeImages, requireClasses } from '../data/dataset.ts';
import { openModel } from '../data/model-file.ts';
import { digestOf } from '../data/run-digest.ts';
import { type EvaluationReport, renderEvaluationJson } from '../report/evaluation.ts';
import { renderEvaluationText } from '../report/evaluation-text.ts';
import { triggerWord } from '../triggers/spec.ts';
import { type Goal, openAttacks, plantedGoals, readTruth } from './attack-goals.ts';
import { addDataOptions, type ModelDataOptions } from './data-options.ts';
import { evaluateModel } from './evaluate-model.ts';
import { findPreprocess } from './find-preprocess.ts';
import { type AttackOptions, addAttackOptions, backdoorsFrom } from './inject-backdoors.ts';
import { openModelImages } from './model-images.ts';
import { openClassifier } from './open-classifier.ts';
import { note, printReport } from './output.ts';
import { version, versions } from './version.ts';

interface Options extends AttackOptions, Omit<ModelDataOptions, 'size'> {
  readonly truth?: string;
  readonly imageSize?: ModelDataOptions['size'];
  readonly format: 'text' | 'json';
}

export const evaluateCommand = (program: Command): Command =>
  addAttackOptions(
    addDataOptions(
      program
        .command('evaluate')
        .description('clean accuracy, confusions, and how often triggers work, with 95 % intervals')
        .argument('<model>', 'an ONNX, Keras or TensorFlow.js file'),
      {
        data: 'labelled images; the test part is used where there is one',
        preprocess: 'as for scan; that of the truth file, or found by itself, if left out',
        samples: 'use that many images, drawn evenly from all classes',
        seed: 'of the drawing of images',
      },
      { sizeName: '--image-size' },
    ),
  )
    .option('--truth <file>', 'measure what inject planted: the .truth.json file that it wrote')
    .addOption(new Option('--format <name>', 'what goes to stdout').choices(['text', 'json']).default('text'))
    .action(runEvaluate);

async function runEvaluate(path: string, options: Options): Promise<void> {
  const truth = options.truth === undefined ? undefined : await readTruth(options.truth);
  const goals = [...backdoorsFrom(options).map(({ trigger, policy }) => ({ spec: trigger, policy }))];
  if (truth && options.truth !== undefined) goals.push(...plantedGoals(truth, dirname(options.truth)));

  const { model, sha256 } = await openModel(path);
  if (truth && truth.model.sha256 !== sha256) {
    note(`${options.truth} was written for another model, or for this one before it was changed.`);
  }
  const { classifier, session } = await openClassifier(model, { ...options, size: options.imageSize });
  const images = requireClasses(await openModelImages(options, classifier), 1);
  note(describeImages(images));
  const attacks = await openAttacks(goals, classifier);
  const preprocess =
    options.preprocess ??
    truth?.preprocess ??
    (await findPreprocess(classifier, images, { seed: options.seed, session }));
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

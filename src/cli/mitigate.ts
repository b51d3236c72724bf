/** `neural-cleanse mitigate MODEL --data DATA [--trigger RUN] --out FILE` */

import { rm } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { openModel } from '../data/model-file.ts';
import { chooseLabels } from '../detect/label-list.ts';
import { type PresetName, presetNames } from '../detect/presets.ts';
import { exitCodeOf, type Verdict } from '../detect/verdict.ts';
import { NeuralCleanseError } from '../errors.ts';
import { repair } from '../mitigate/repair.ts';
import { leastPerClass, splitForRepair } from '../mitigate/repair-images.ts';
import type { Model } from '../onnx/graph.ts';
import { shellText, withOptions } from '../report/command-line.ts';
import type { ReportedScan } from '../report/repair-build.ts';
import { labelsOption, wholeNumber } from './arguments.ts';
import type { ModelDataOptions } from './data-options.ts';
import { exitCodes } from './exit-codes.ts';
import { type RoundScan, scanOf, scanRound } from './mitigate-scans.ts';
import { addModelDataOptions, openModelData } from './mitigation-inputs.ts';
import { addForceOption, checkOutputs } from './mitigation-output.ts';
import { readFlaggedTriggers } from './mitigation-run.ts';
import { note } from './output.ts';
import { readSavedReport } from './saved-report.ts';
import { readSavedScan } from './saved-scan.ts';
import { defaultSamples } from './unlearn.ts';
import { finishRepair, openKnown, repairPaths } from './unlearn-finish.ts';
import { furtherTriggers } from './unlearn-inversions.ts';
import { addUnlearnOptions, type UnlearnOptions, unlearnSettings } from './unlearn-options.ts';
import { runUnlearning } from './unlearn-training.ts';

interface Options extends UnlearnOptions, ModelDataOptions {
  readonly seed: number;
  readonly trigger?: string;
  readonly labels?: readonly number[];
  readonly rounds: number;
  readonly preset: PresetName;
  readonly resume?: true;
}

export const mitigateCommand = (program: Command): Command =>
  addForceOption(
    addUnlearnOptions(
      addModelDataOptions(
        program
          .command('mitigate')
          .description('scan, unlearn what is found, scan again from fresh starts, until nothing is left')
          .argument('<model>', 'an ONNX, Keras or TensorFlow.js file'),
        defaultSamples,
      ),
    ),
  )
    .option('--trigger <run>', 'run folder of a scan of all labels; left out, the model is scanned')
    .option('--labels <list>', 'unlearn these labels in the first round, suspect or not', labelsOption)
    .option('--rounds <n>', 'most rounds of unlearning', wholeNumber('--rounds'), 5)
    .addOption(new Option('--preset <name>', 'of the scans').choices(presetNames).default('fast'))
    .option('--resume', 'take over the scans of a repair that was stopped')
    .action((path: string, options: Options) => runMitigate(path, options).catch(rethrow));

async function runMitigate(path: string, options: Options): Promise<void> {
  const startedAt = new Date();
  const paths = repairPaths(options.out);
  await checkOutputs([paths.model, paths.json, paths.html], path, options);
  const opened = await openModel(path);
  const given =
    options.trigger === undefined ? undefined : await openScan(options.trigger, opened.sha256, options);
  const inputs = await openModelData(
    opened,
    {
      ...options,
      ...(given && { preprocess: options.preprocess ?? given.preprocess, size: options.size ?? given.size }),
    },
    { leastPerClass },
  );
  if (options.labels) chooseLabels(options.labels, inputs.classifier.classes);
  const known = await openKnown(options, inputs);
  const settings = unlearnSettings(options);
  const parts = splitForRepair(inputs.images, options.seed);
  if (options.force && !options.resume) await rm(paths.rounds, { recursive: true, force: true });

  const scanOptions = { ...options, folder: paths.rounds, resume: options.resume ?? false };
  let latest: RoundScan | undefined;
  const outcome = await repair<ReportedScan>(
    opened.model,
    {
      async scan(model: Model, round: number) {
        latest = await scanRound(model, round, inputs, parts.train, scanOptions);
        return latest;
      },
      explore(model, scan, found, round) {
        const labels = found.map(({ label }) => label);
        note('', `Round ${round}: ${labels.length === 1 ? 'label' : 'labels'} ${labels.join(', ')}.`);
        const { inversions: count, threads } = options;
        // Other starts than those of the scans.
        const seed = options.seed + 1000 + round;
        return furtherTriggers(model, scan, inputs, parts.train, { found, count, seed, threads });
      },
      unlearn(model, triggers) {
        const { preprocess } = inputs;
        return runUnlearning({ model, preprocess, images: parts, triggers, settings }, options.threads);
      },
    },
    { rounds: options.rounds, first: given?.scan, labels: options.labels },
  );
  const content = latest ? latest.report : await readSavedReport(options.trigger!);
  await finishRepair(
    { method: 'mitigate', options, inputs, parts, settings, known, pseudoLabels: null, startedAt },
    outcome,
    content,
  );
  process.exitCode = exitCodeAfter(outcome.remaining.length, outcome.last.verdict);
}

/** Says how to go on after Ctrl-C, whatever was going on. */
function rethrow(cause: unknown): never {
  if (!(cause instanceof NeuralCleanseError) || cause.code !== 'CANCELLED') throw cause;
  const command = withOptions(process.argv.slice(2), { '--resume': true });
  throw new NeuralCleanseError('CANCELLED', 'The repair was stopped; its scans are kept.', {
    hint: `Go on with: ${shellText(['neural-cleanse', ...command])}`,
    cause,
  });
}

/** 1 if a label is still suspect; else what the last scan says. */
const exitCodeAfter = (remaining: number, verdict: Verdict): number =>
  remaining > 0 ? exitCodes.finding : exitCodeOf(verdict);

interface GivenScan {
  readonly scan: ReportedScan;
  readonly preprocess: NonNullable<ModelDataOptions['preprocess']>;
  readonly size: [number, number];
}

/** @throws NeuralCleanseError as {@link readFlaggedTriggers}, but for NOTHING_FLAGGED: masks may be suspect without that */
async function openScan(folder: string, sha256: string, { labels }: Options): Promise<GivenScan> {
  const result = await readFlaggedTriggers(folder, { sha256, labels })
    .then(({ scan }) => scan)
    .catch((error: unknown) => {
      if (error instanceof NeuralCleanseError && error.code === 'NOTHING_FLAGGED')
        return readSavedScan(folder);
      throw error;
    });
  const { preprocess, model } = result!;
  return {
    scan: scanOf(result!, folder),
    preprocess,
    size: [model.input.height, model.input.width],
  };
}

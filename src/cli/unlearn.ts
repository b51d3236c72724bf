/** `neural-cleanse unlearn MODEL --data DATA --trigger RUN --out FILE` */

import type { Command } from 'commander';
import { splitForRepair } from '../mitigate/repair-images.ts';
import { scanOf } from './mitigate-scans.ts';
import { addMitigationOptions } from './mitigation-inputs.ts';
import { addForceOption, checkOutputs } from './mitigation-output.ts';
import { readSavedReport } from './saved-report.ts';
import { finishRepair, openKnown, repairPaths } from './unlearn-finish.ts';
import { openUnlearnInputs, type UnlearnInputOptions } from './unlearn-inputs.ts';
import { furtherTriggers } from './unlearn-inversions.ts';
import { addUnlearnOptions, type UnlearnOptions, unlearnSettings } from './unlearn-options.ts';
import { runUnlearning } from './unlearn-training.ts';

type Options = UnlearnOptions & UnlearnInputOptions;

/** Four tenths of these train. */
export const defaultSamples = 4000;

export const unlearnCommand = (program: Command): Command =>
  addForceOption(
    addUnlearnOptions(
      addMitigationOptions(
        program
          .command('unlearn')
          .description('fine-tune a model so that reversed triggers lose their effect')
          .argument('<model>', 'an ONNX, Keras or TensorFlow.js file'),
        defaultSamples,
      ),
    ).option(
      '--pseudo-labels',
      'for images without labels: take the answers of the model, without images that look stamped',
    ),
  ).action(runUnlearn);

async function runUnlearn(path: string, options: Options): Promise<void> {
  const startedAt = new Date();
  const paths = repairPaths(options.out);
  await checkOutputs([paths.model, paths.json, paths.html], path, options);
  const inputs = await openUnlearnInputs(path, options);
  // What the page will show, read now: a log that cannot be read is found before anything is trained.
  const saved = await readSavedReport(options.trigger);
  const known = await openKnown(options, inputs);
  const settings = unlearnSettings(options);
  const parts = splitForRepair(inputs.images, options.seed);
  const { opened, preprocess, scan } = inputs;
  const scanned = scanOf(scan, options.trigger);
  const further = await furtherTriggers(opened.model, scanned, inputs, parts.train, {
    found: inputs.triggers,
    count: options.inversions,
    seed: options.seed,
    threads: options.threads,
  });
  const triggers = [...inputs.triggers, ...further];
  const request = { model: opened.model, preprocess, images: parts, triggers, settings };
  const unlearned = await runUnlearning(request, options.threads);
  const reason = options.labels ? ('asked-for' as const) : ('flagged' as const);
  const round = {
    scan: scanned,
    suspects: inputs.triggers.map((trigger) => ({ ...trigger, reason })),
    triggers,
    unlearned,
  };
  const pseudoLabels = inputs.rejected === undefined ? null : { rejected: inputs.rejected };
  await finishRepair(
    { method: 'unlearn', options, inputs, parts, settings, known, pseudoLabels, startedAt },
    { model: unlearned.model, rounds: [round], remaining: [], last: undefined },
    saved,
  );
}

/** `neural-cleanse prune MODEL --data DATA --trigger RUN --out FILE` */

import { basename } from 'node:path';
import type { Command } from 'commander';
import { saveModel } from '../data/model-file.ts';
import { replaceFiles, wholeFile } from '../data/replace-files.ts';
import { digestOf } from '../data/run-digest.ts';
import { maskNeurons } from '../mitigate/mask-model.ts';
import { pruneDefaults, pruneLayers } from '../mitigate/pruning.ts';
import { renderLineChart } from '../report/mitigation-chart.tsx';
import { describePruning, pruneChart, pruneReport } from '../report/mitigation-prune.ts';
import { nodeRuntime } from '../runtime/node.ts';
import { addMitigationOptions, type MitigationOptions, openMitigation } from './mitigation-inputs.ts';
import { addForceOption, checkOutputs, type OutputOptions } from './mitigation-output.ts';
import { print } from './output.ts';
import { checkOnnxName, stemOf } from './output-paths.ts';
import { version, versions } from './version.ts';

interface Options extends MitigationOptions, OutputOptions {
  readonly out: string;
  readonly layer: string;
  readonly targetAsr: number;
  readonly maxAccuracyLoss: number;
}

/** Images that are used unless the user says otherwise. */
const defaultSamples = 2000;

export const pruneCommand = (program: Command): Command =>
  addForceOption(
    addMitigationOptions(
      program
        .command('prune')
        .description('set the neurons that a trigger raises to 0, as many as it takes')
        .argument('<model>', 'an ONNX, Keras or TensorFlow.js file'),
      defaultSamples,
    ),
  )
    .requiredOption(
      '--out <file>',
      'the .onnx file to write; the curve goes to .curve.json and .curve.svg beside it',
    )
    .option(
      '--layer <name>',
      'penultimate, last-conv, the name of a value in the model, or auto: the better of the first two',
      'auto',
    )
    .option(
      '--target-asr <share>',
      'ASR at which a reversed trigger counts as failing',
      Number,
      pruneDefaults.targetAsr,
    )
    .option('--max-accuracy-loss <share>', 'accuracy that may be lost', Number, pruneDefaults.maxAccuracyLoss)
    .action(runPrune);

/** `model.onnx` -> `model.onnx`, `model.curve.json`, `model.curve.svg` */
function outputPaths(out: string): { model: string; curve: string; picture: string } {
  checkOnnxName(out, 'pruned.onnx');
  const stem = stemOf(out);
  return { model: out, curve: `${stem}.curve.json`, picture: `${stem}.curve.svg` };
}

async function runPrune(path: string, options: Options): Promise<void> {
  const { targetAsr, maxAccuracyLoss, seed } = options;
  const paths = outputPaths(options.out);
  await checkOutputs(Object.values(paths), path, options);
  const inputs = await openMitigation(path, options, { leastPerClass: 3 });
  const { opened, classifier, images, preprocess, triggers, session } = inputs;
  const curves = await pruneLayers(nodeRuntime, classifier, preprocess, images, triggers, options.layer, {
    targetAsr,
    maxAccuracyLoss,
    seed,
    session,
  });
  const [best] = curves;
  const { model, form } = maskNeurons(opened.model, best.layer, best.order.slice(0, best.chosen.pruned));
  const report = pruneReport(curves, form, {
    tool: { name: 'neural-cleanse', version },
    versions,
    model: { name: basename(path), sha256: opened.sha256 },
    images: { source: images.source, sha256: digestOf(images), count: images.count },
    preprocess: preprocess.name,
    run: options.trigger,
    triggers: triggers.map(({ label, asr }) => ({ label, asr })),
    config: { layer: options.layer, targetAsr, maxAccuracyLoss, seed },
  });
  await replaceFiles([
    wholeFile(paths.curve, `${JSON.stringify(report, undefined, 2)}\n`),
    wholeFile(paths.picture, renderLineChart(pruneChart(report))),
  ]);
  // Last, so that it is there only with all that belongs to it.
  await saveModel(paths.model, model);
  print(...describePruning(report), `Written   ${Object.values(paths).join(', ')}`);
}

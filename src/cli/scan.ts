/** `neural-cleanse scan MODEL --data DATA` */

import { basename, join } from 'node:path';
import type { Command } from 'commander';
import { describeImages, requireClasses } from '../data/dataset.ts';
import { openModel } from '../data/model-file.ts';
import { digestOf } from '../data/run-digest.ts';
import { chooseLabels } from '../detect/label-list.ts';
import { checkSamples } from '../detect/scan.ts';
import { settingsFrom } from '../detect/settings.ts';
import { exitCodeOf } from '../detect/verdict.ts';
import { NeuralCleanseError } from '../errors.ts';
import { type Classifier, prepareClassifier } from '../model/classifier.ts';
import type { RunInputs } from '../report/build-result.ts';
import { runFolderName } from '../report/file-names.ts';
import { renderReport } from '../report/formats.ts';
import { nodeRuntime } from '../runtime/node.ts';
import { openModelImages } from './model-images.ts';
import { note, printReport, reportStyle } from './output.ts';
import { runScan } from './run-scan.ts';
import { addScanOptions, type ScanOptions } from './scan-options.ts';
import { version, versions } from './version.ts';

export const scanCommand = (program: Command): Command =>
  addScanOptions(
    program
      .command('scan')
      .description('search every label for a trigger, and say whether one is abnormally small')
      .argument('<model>', 'an ONNX, Keras or TensorFlow.js file'),
  ).action(scan);

async function scan(path: string, options: ScanOptions): Promise<void> {
  const startedAt = new Date();
  const settings = settingsFrom(options);
  const { model, format, sha256 } = await openModel(path);
  const { provider, notice } = await nodeRuntime.choose(options.provider);
  if (notice !== undefined) note(notice);
  const classifier = await prepareClassifier(nodeRuntime, model, {
    session: { provider },
    ...(options.size && { size: options.size }),
    ...(options.output !== undefined && { output: options.output }),
  });
  const labels = labelsFrom(options, classifier);
  const opened = await openModelImages(options, classifier);
  const images = opened.labels ? requireClasses(opened) : opened;
  checkSamples(images, labels, options.seed);
  note(describeImages(images));

  const inputs: RunInputs = {
    version,
    versions,
    modelName: basename(path),
    modelSha256: sha256,
    modelFormat: format,
    classifier,
    images,
    dataSha256: digestOf(images),
    preset: options.preset,
    settings,
    seed: options.seed,
    labels,
    provider,
    // What sessions are opened with by default.
    optimization: 'all',
  };
  const folder = options.out ?? join('runs', runFolderName(basename(path), sha256, options.seed));
  const report = await runScan({
    inputs,
    folder,
    resume: options.resume ?? false,
    preprocess: options.preprocess,
    firstLabel: options.firstLabel,
    formats: options.format,
    model,
    startedAt,
    environment: {
      command: process.argv.slice(2),
      model: path,
      runFolder: folder,
      threads: options.threads,
      platform: `${process.platform} ${process.arch}`,
      notices: notice === undefined ? [] : [notice],
    },
  });

  const [only, ...more] = options.format;
  const shown = only === undefined || more.length > 0 ? 'text' : only;
  printReport(renderReport(shown, report, reportStyle()));
  note(`Everything is in ${folder}.`);
  process.exitCode = exitCodeOf(report.result.verdict, options.failOn);
}

/** The labels to scan; the first one is among them. @throws NeuralCleanseError USAGE */
function labelsFrom({ labels, firstLabel }: ScanOptions, { classes }: Classifier): readonly number[] {
  const chosen = chooseLabels(labels, classes);
  if (firstLabel === undefined || chosen.includes(firstLabel)) return chosen;
  chooseLabels([firstLabel], classes);
  throw new NeuralCleanseError('USAGE', `--first-label ${firstLabel} is not among the labels to scan.`, {
    hint: 'Add it to --labels.',
  });
}

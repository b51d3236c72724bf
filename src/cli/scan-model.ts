/** The scan of one model: what it is made of, and the job that runs it. */

import { basename } from 'node:path';
import { describeImages, type ImageSet, requireClasses } from '../data/dataset.ts';
import { openModel } from '../data/model-file.ts';
import { digestOf } from '../data/run-digest.ts';
import { plannedSteps, type ScanExtent, withinBudget } from '../detect/budget.ts';
import { chooseLabels } from '../detect/label-list.ts';
import type { InversionSettings } from '../detect/presets.ts';
import { checkSamples } from '../detect/scan.ts';
import { NeuralCleanseError } from '../errors.ts';
import { type Classifier, prepareClassifier } from '../model/classifier.ts';
import type { Model } from '../onnx/graph.ts';
import type { RunInputs } from '../report/build-result.ts';
import { runFolderName } from '../report/file-names.ts';
import { extentOf } from '../report/scan-extent.ts';
import { nodeRuntime } from '../runtime/node.ts';
import type { ProviderChoice } from '../runtime/session.ts';
import { openModelImages } from './model-images.ts';
import { note } from './output.ts';
import type { ScanJob } from './run-scan.ts';
import type { ScanOptions } from './scan-options.ts';
import { platform, version, versions } from './version.ts';

/** What all models that are scanned by one command have in common. */
export interface ScanSetup {
  readonly options: ScanOptions;
  readonly settings: InversionSettings;
  readonly provider: ProviderChoice;
  readonly openImages: (classifier: Classifier) => Promise<ScanImages>;
  /** See {@link ScanJob.openPool}. */
  readonly openPool?: ScanJob['openPool'];
  /** Arguments of the command line, as results may show them. */
  readonly command: readonly string[];
}

/** The images of a scan, with their hash. */
export interface ScanImages {
  readonly images: ImageSet;
  readonly sha256: string;
}

/** A model that is ready to be scanned. */
export interface PreparedScan {
  /** Of the model, as it was given. */
  readonly path: string;
  readonly model: Model;
  readonly inputs: RunInputs;
  /** What its run folder is called, unless the user names it. */
  readonly folderName: string;
}

/** As {@link openModelImages}; images with labels show several classes. */
export async function openScanImages(options: ScanOptions, classifier: Classifier): Promise<ScanImages> {
  const opened = await openModelImages(options, classifier);
  const images = opened.labels ? requireClasses(opened) : opened;
  return { images, sha256: digestOf(images) };
}

/**
 * Opens a model with its images, and checks that these go together.
 *
 * @throws NeuralCleanseError USAGE for labels that the model lacks; BUDGET_TOO_SMALL; what {@link openModel}, {@link prepareClassifier},
 *   {@link ScanSetup.openImages} and {@link checkSamples} throw
 */
export async function prepareScan(path: string, setup: ScanSetup): Promise<PreparedScan> {
  const { options, settings } = setup;
  const { provider } = setup.provider;
  const { model, format, sha256 } = await openModel(path);
  const classifier = await prepareClassifier(nodeRuntime, model, {
    session: { provider },
    ...(options.size && { size: options.size }),
    ...(options.output !== undefined && { output: options.output }),
  });
  const labels = labelsFrom(options, classifier);
  const { images, sha256: dataSha256 } = await setup.openImages(classifier);
  checkSamples(images, labels, options.seed);
  note(describeImages(images));
  const extent = extentOf({ settings, images, seed: options.seed, labels, classifier });
  const inputs: RunInputs = {
    version,
    versions,
    modelName: basename(path),
    modelSha256: sha256,
    modelFormat: format,
    classifier,
    images,
    dataSha256,
    preset: options.preset,
    settings: settingsWithin(settings, extent, options.budget),
    ...(options.budget !== undefined && { budget: options.budget }),
    seed: options.seed,
    labels,
    provider,
    // What sessions are opened with by default.
    optimization: 'all',
  };
  return { path, model, inputs, folderName: runFolderName(basename(path), sha256, options.seed) };
}

/** Says what the scan may cost. */
function settingsWithin(
  settings: InversionSettings,
  extent: ScanExtent,
  budget = Number.POSITIVE_INFINITY,
): InversionSettings {
  const affordable = withinBudget(settings, extent, budget);
  const steps = plannedSteps(affordable, extent);
  const leaner = affordable === settings ? '' : ', leaner than the preset to keep within the budget';
  const pairs = extent.pairs ? ` and ${extent.pairs.toLocaleString('en')} pairs` : '';
  note(`At most ${steps.toLocaleString('en')} gradient steps for ${extent.labels} labels${pairs}${leaner}.`);
  return affordable;
}

/** Where and how a prepared scan runs. */
export interface ScanPlace {
  readonly folder: string;
  readonly startedAt: Date;
  /** Arguments of the command line that scans this model alone. */
  readonly command: readonly string[];
  /** See {@link ScanJob.interrupt}. */
  readonly interrupt?: ScanJob['interrupt'];
}

export const scanJob = (
  { path, model, inputs }: PreparedScan,
  { options, provider: { notice }, openPool }: ScanSetup,
  { folder, startedAt, command, interrupt }: ScanPlace,
): ScanJob => ({
  inputs,
  folder,
  resume: options.resume ?? false,
  preprocess: options.preprocess,
  firstLabel: options.firstLabel,
  formats: options.format,
  model,
  startedAt,
  environment: {
    command: [...command],
    model: path,
    runFolder: folder,
    threads: options.threads,
    platform,
    notices: notice === undefined ? [] : [notice],
  },
  openPool,
  interrupt,
});

/** The labels to scan; the first one is among them. @throws NeuralCleanseError USAGE */
function labelsFrom({ labels, firstLabel }: ScanOptions, { classes }: Classifier): readonly number[] {
  const chosen = chooseLabels(labels, classes);
  if (firstLabel === undefined || chosen.includes(firstLabel)) return chosen;
  chooseLabels([firstLabel], classes);
  throw new NeuralCleanseError('USAGE', `--first-label ${firstLabel} is not among the labels to scan.`, {
    hint: 'Add it to --labels.',
  });
}

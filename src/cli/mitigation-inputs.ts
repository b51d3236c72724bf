/** What the commands that answer a backdoor have in common: their options, and what these open. */

import type { Command } from 'commander';
import { describeImages, type LabelledImageSet, requireClasses } from '../data/dataset.ts';
import { type OpenedModel, openModel } from '../data/model-file.ts';
import type { Preprocess } from '../data/preprocess.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { FlaggedTrigger } from '../mitigate/flagged-trigger.ts';
import type { Classifier } from '../model/classifier.ts';
import type { ScanResult } from '../report/result.ts';
import type { SessionOptions } from '../runtime/session.ts';
import { labelsOption } from './arguments.ts';
import { addDataOptions, type ModelDataOptions } from './data-options.ts';
import { findPreprocess } from './find-preprocess.ts';
import { readFlaggedTriggers } from './mitigation-run.ts';
import { openModelImages } from './model-images.ts';
import { openClassifier } from './open-classifier.ts';
import { note } from './output.ts';

export interface MitigationOptions extends ModelDataOptions {
  /** Run folder. */
  readonly trigger: string;
  readonly labels?: readonly number[];
}

export interface ModelData {
  readonly opened: OpenedModel;
  readonly classifier: Classifier;
  /** In the size and channels of the model. */
  readonly images: LabelledImageSet;
  readonly preprocess: Preprocess;
  readonly session: SessionOptions;
}

export interface MitigationInputs extends ModelData {
  readonly triggers: readonly FlaggedTrigger[];
  /** The result of the scan that reversed them. */
  readonly scan: ScanResult;
}

export type ScannedModel = Omit<MitigationInputs, 'images'>;

/** @param samples how many images are used unless the user says otherwise */
export const addModelDataOptions = (command: Command, samples: number | undefined): Command =>
  addDataOptions(
    command,
    {
      data: 'labelled clean images: whatever scan takes',
      preprocess: 'as for scan; left out, that of the run, or found by itself',
      samples: 'images to use, drawn evenly from all classes',
      seed: 'of the drawing of images',
    },
    { samples },
  );

/** {@link addModelDataOptions}, and where the reversed triggers are. */
export const addMitigationOptions = (command: Command, samples: number): Command =>
  addModelDataOptions(command, samples)
    .requiredOption('--trigger <run>', 'run folder of the scan that found the triggers')
    .option(
      '--labels <list>',
      'take the triggers of these labels, flagged or not; all flagged ones by default',
      labelsOption,
    );

export interface InputNeeds {
  /** Images that every class must have. */
  readonly leastPerClass: number;
}

/**
 * Opens the model, its images and the triggers that a scan has reversed.
 *
 * @throws NeuralCleanseError what {@link openScanned} and {@link openModelData} throw
 */
export async function openMitigation(
  path: string,
  options: MitigationOptions,
  needs: InputNeeds,
): Promise<MitigationInputs> {
  const scanned = await openScanned(path, options);
  return { ...scanned, images: await openLabelled(options, scanned.classifier, needs) };
}

/**
 * Opens a model with the triggers that a scan of it has reversed, but without images.
 *
 * @throws NeuralCleanseError TRIGGER_SIZE_MISMATCH; what {@link openModel}, {@link readFlaggedTriggers} and
 *   {@link openClassifier} throw
 */
export async function openScanned(path: string, options: MitigationOptions): Promise<ScannedModel> {
  const opened = await openModel(path);
  const { trigger: folder, labels } = options;
  const { scan, triggers } = await readFlaggedTriggers(folder, { sha256: opened.sha256, labels });
  const { height, width } = scan.model.input;
  const { classifier, session } = await openClassifier(opened.model, {
    ...options,
    size: options.size ?? [height, width],
  });
  checkSizes(triggers, classifier, folder);
  return {
    opened,
    classifier,
    preprocess: options.preprocess ?? scan.preprocess,
    session,
    triggers,
    scan,
  };
}

/**
 * Opens images for a model, and finds the preprocessing where it is not stated.
 *
 * @throws NeuralCleanseError DATA_UNLABELLED, DATA_ONE_CLASS, CLASS_WITHOUT_IMAGES, DATA_TOO_FEW; what {@link openClassifier}
 *   and opening the images throw
 */
export async function openModelData(
  opened: OpenedModel,
  options: ModelDataOptions,
  needs: InputNeeds,
): Promise<ModelData> {
  const { classifier, session } = await openClassifier(opened.model, options);
  const images = await openLabelled(options, classifier, needs);
  const preprocess =
    options.preprocess ?? (await findPreprocess(classifier, images, { seed: options.seed, session }));
  return { opened, classifier, images, preprocess, session };
}

async function openLabelled(
  options: ModelDataOptions,
  classifier: Classifier,
  { leastPerClass }: InputNeeds,
): Promise<LabelledImageSet> {
  const images = requireClasses(await openModelImages(options, classifier));
  checkCounts(images, leastPerClass);
  note(describeImages(images));
  return images;
}

function checkSizes(
  triggers: readonly FlaggedTrigger[],
  { input: { height, width, channels } }: Classifier,
  folder: string,
): void {
  const size = [height, width, channels].join('×');
  const wrong = triggers.find(({ trigger }) => trigger.pattern.dims.join('×') !== size);
  if (!wrong) return;
  throw new NeuralCleanseError(
    'TRIGGER_SIZE_MISMATCH',
    `The trigger of label ${wrong.label} in ${folder} has the size ${wrong.trigger.pattern.dims.join('×')}, and the model takes images of ${size}.`,
    { hint: 'Give --size as it was given to the scan.' },
  );
}

function checkCounts({ labels, classes, classNames, source }: LabelledImageSet, least: number): void {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label]!++;
  const label = counts.findIndex((count) => count < least);
  if (label < 0) return;
  const count = counts[label]!;
  const name = classNames?.[label];
  throw new NeuralCleanseError(
    count === 0 ? 'CLASS_WITHOUT_IMAGES' : 'DATA_TOO_FEW',
    `${source} has ${count === 0 ? 'no image' : count === 1 ? '1 image' : `${count} images`} of class ${label}${name === undefined ? '' : ` (${name})`}, and ${least} of each class are needed.`,
    { hint: 'Give more images, or raise --samples.', data: { label, count, least } },
  );
}

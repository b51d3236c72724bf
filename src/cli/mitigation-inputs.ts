/** What the commands that answer a backdoor have in common: their options, and what these open. */

import { availableParallelism } from 'node:os';
import { type Command, Option } from 'commander';
import { describeImages, type LabelledImageSet, requireClasses } from '../data/dataset.ts';
import { type OpenedModel, openModel } from '../data/model-file.ts';
import type { Preprocess } from '../data/preprocess.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { FlaggedTrigger } from '../mitigate/flagged-trigger.ts';
import { type Classifier, prepareClassifier } from '../model/classifier.ts';
import type { ScanResult } from '../report/result.ts';
import { nodeRuntime } from '../runtime/node.ts';
import type { Provider, SessionOptions } from '../runtime/session.ts';
import { labelsOption, preprocessOption, providerOption, sizeOption, wholeNumber } from './arguments.ts';
import { findPreprocess } from './find-preprocess.ts';
import { readFlaggedTriggers } from './mitigation-run.ts';
import { type ImageOptions, openModelImages } from './model-images.ts';
import { note } from './output.ts';

/** What opens a model with its images. */
export interface ModelDataOptions extends ImageOptions {
  readonly preprocess?: Preprocess;
  readonly size?: [number, number];
  readonly output?: string;
  readonly provider: Provider | 'auto';
  readonly threads: number;
}

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

/** @param samples how many images are used unless the user says otherwise */
export const addModelDataOptions = (command: Command, samples: number | undefined): Command =>
  command
    .requiredOption('--data <path>', 'labelled clean images: whatever scan takes')
    .option(
      '--preprocess <spec>',
      'as for scan; left out, that of the run, or found by itself',
      preprocessOption,
    )
    .option('--size <h,w>', 'image size, for models that leave it open', sizeOption)
    .option('--output <name>', 'which output of the model holds the class scores')
    .option('--roi', 'crop GTSRB images to the sign')
    .addOption(new Option('--split <name>', 'part of the data to use').choices(['train', 'test']))
    .option(
      '--samples <n>',
      'images to use, drawn evenly from all classes',
      wholeNumber('--samples'),
      samples,
    )
    .option('--provider <name>', 'auto, cpu, cuda, webgpu or wasm', providerOption, 'auto')
    .option('--threads <n>', 'cores to use', wholeNumber('--threads'), availableParallelism())
    .option('--seed <n>', 'of the drawing of images', wholeNumber('--seed', 0), 0);

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
 * @throws NeuralCleanseError DATA_UNLABELLED, DATA_ONE_CLASS, CLASS_WITHOUT_IMAGES, DATA_TOO_FEW, TRIGGER_SIZE_MISMATCH; what
 *   {@link openModel}, {@link readFlaggedTriggers}, {@link prepareClassifier} and opening the images throw
 */
export async function openMitigation(
  path: string,
  options: MitigationOptions,
  needs: InputNeeds,
): Promise<MitigationInputs> {
  const opened = await openModel(path);
  const { trigger: folder, labels } = options;
  const { scan, triggers } = await readFlaggedTriggers(folder, { sha256: opened.sha256, labels });
  const { height, width } = scan.model.input;
  const preprocess = options.preprocess ?? scan.preprocess;
  const inputs = await openModelData(opened, { size: [height, width], ...options, preprocess }, needs);
  checkSizes(triggers, inputs.classifier, folder);
  return { ...inputs, triggers, scan };
}

/**
 * Opens images for a model, and finds the preprocessing where it is not stated.
 *
 * @throws NeuralCleanseError as {@link openMitigation}, but for the triggers
 */
export async function openModelData(
  opened: OpenedModel,
  options: ModelDataOptions,
  { leastPerClass }: InputNeeds,
): Promise<ModelData> {
  const { provider, notice } = await nodeRuntime.choose(options.provider);
  if (notice !== undefined) note(notice);
  const session: SessionOptions = { provider, threads: options.threads };
  const classifier = await prepareClassifier(nodeRuntime, opened.model, {
    session,
    ...(options.size && { size: options.size }),
    ...(options.output !== undefined && { output: options.output }),
  });
  const images = requireClasses(await openModelImages(options, classifier));
  checkCounts(images, leastPerClass);
  note(describeImages(images));
  const preprocess =
    options.preprocess ?? (await findPreprocess(classifier, images, { seed: options.seed, session }));
  return { opened, classifier, images, preprocess, session };
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

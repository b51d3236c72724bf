/** From files to all that a scan needs: the model made ready, images as it takes them, and how they must be prepared. */

import { toBatch } from '../../../src/data/batch.ts';
import { blobTree } from '../../../src/data/blob-tree.ts';
import { type ImageSet, requireClasses } from '../../../src/data/dataset.ts';
import { decodeImage } from '../../../src/data/decode-web.ts';
import { digestedParts } from '../../../src/data/digested-parts.ts';
import { openHdf5 } from '../../../src/data/hdf5-web.ts';
import { type GivenModel, openModelIn } from '../../../src/data/model-tree.ts';
import { readDataset } from '../../../src/data/open.ts';
import { parsePreprocess } from '../../../src/data/preprocess.ts';
import { parseSize, type Raster } from '../../../src/data/raster.ts';
import { sampleIndices } from '../../../src/data/sample.ts';
import { sha256Hex } from '../../../src/data/sha256-web.ts';
import { type PreflightReport, runPreflight } from '../../../src/detect/preflight.ts';
import { preflightObstacles } from '../../../src/detect/verdict.ts';
import { type Classifier, prepareClassifier } from '../../../src/model/classifier.ts';
import { pictureOf } from '../../../src/report/html/picture.ts';
import type { Provider, Runtime } from '../../../src/runtime/session.ts';
import type { CheckFacts, CheckOptions, Given, ImageFacts, ModelFacts } from './protocol.ts';

export interface OpenedModel extends GivenModel {
  readonly classifier: Classifier;
  readonly provider: Provider;
  readonly notice: string | undefined;
}

/** @throws NeuralCleanseError what {@link openModelIn} and {@link prepareClassifier} throw */
export async function openModel(runtime: Runtime, given: Given, options: CheckOptions): Promise<OpenedModel> {
  const model = await openModelIn(blobTree(given.name, given.files));
  const { provider, notice } = await runtime.choose(options.provider);
  const classifier = await prepareClassifier(runtime, model.model, {
    session: { provider },
    ...(options.size.trim() && { size: parseSize(options.size, 'Image size') }),
    ...(options.output.trim() && { output: options.output.trim() }),
  });
  return { ...model, classifier, provider, notice };
}

export const modelFacts = ({ name, format, classifier }: OpenedModel): ModelFacts => {
  const { height, width, channels, layout } = classifier.input;
  return {
    name,
    format,
    classes: classifier.classes,
    head: classifier.head,
    input: { height, width, channels, layout },
  };
};

/** Images in the size and channels of the model. @throws NeuralCleanseError any code that begins with DATA_ */
export async function openImages(
  given: Given,
  { input, classes }: Classifier,
  { seed, samples }: Pick<CheckOptions, 'seed' | 'samples'>,
): Promise<ImageSet> {
  const tree = blobTree(given.name, given.files);
  // What lies beside the chosen file of a folder is not there: a single file is opened as such.
  const [only, ...more] = tree.files;
  const file = given.name === '' && more.length === 0 ? only : undefined;
  const images = await readDataset(
    tree,
    file,
    {
      size: [input.height, input.width],
      channels: input.channels === 1 ? 1 : 3,
      classes,
      limit: samples,
      seed,
    },
    { decodeImage, openHdf5: (path) => openHdf5(tree, path) },
  );
  return images.labels ? requireClasses(images) : images;
}

/** Pictures of so many images, of this edge, are shown. */
const shownImages = 10;
const shownEdge = 64;

export function imageFacts(images: ImageSet): ImageFacts {
  const { source, count, labels, classNames, skipped } = images;
  const pictures = sampleIndices(images, shownImages).map((index) =>
    pictureOf(rasterAt(images, index), shownEdge),
  );
  return { source, count, labelled: labels !== undefined, classNames, skipped: skipped.length, pictures };
}

function rasterAt(images: ImageSet, index: number): Raster<Uint8Array> {
  const { height, width, channels } = images;
  const { data } = toBatch(images, [index], 'NHWC');
  return { height, width, channels, data: Uint8Array.from(data, Math.round) };
}

/** @throws NeuralCleanseError as {@link runPreflight} */
export function preflightOf(
  runtime: Runtime,
  { classifier, provider }: Pick<OpenedModel, 'classifier' | 'provider'>,
  images: ImageSet,
  { seed, preprocess }: CheckOptions,
): Promise<PreflightReport> {
  return runPreflight(runtime, classifier, images, {
    seed,
    session: { provider },
    ...(preprocess.trim() && { preprocess: parsePreprocess(preprocess.trim()) }),
  });
}

export const checkFacts = (
  { provider, notice }: Pick<OpenedModel, 'provider' | 'notice'>,
  preflight: PreflightReport,
): CheckFacts => ({
  preflight,
  provider,
  notice,
  obstacles: preflightObstacles({
    accuracy: preflight.chosen.accuracy,
    problems: preflight.problems,
  }),
});

/** As Node computes it. */
export const digestOf = (images: ImageSet): Promise<string> => sha256Hex(digestedParts(images));

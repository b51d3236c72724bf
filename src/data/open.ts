/** Opens a dataset of any accepted format, told by its content. Works on trees of files, so in a browser too. */

import { NeuralCleanseError } from '../errors.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { labelsFrom } from './arrays.ts';
import { gunzip, gunzipStart, isGzip, isParquet } from './bytes.ts';
import { checkLabels, classCount, type ImageSet, imageSet } from './dataset.ts';
import { encodedSource, fromTree, type ImageDecoder } from './encoded.ts';
import { isImagePath, listImages } from './folder.ts';
import { type Hdf5File, hdf5PeekBytes, hdf5Source, isHdf5 } from './hdf5.ts';
import { isIdx, parseIdx } from './idx.ts';
import { type ArrayKeys, arrayKeys, isArrayFile, labelsNameFor } from './keys.ts';
import { isNpy, parseNpy } from './npy.ts';
import type { Channels, Size } from './raster.ts';
import { sampleIndices } from './sample.ts';
import { arraySource, type ImageSource, inMemory } from './source.ts';
import { ofSplit, type Split } from './splits.ts';
import { isTar } from './tar-header.ts';
import { baseName, type FileTree, folderOf, joinPath } from './tree.ts';
import { isZip, zipTree } from './zip.ts';

export interface DatasetOptions {
  /** Height and width to resize to, as Pillow's BILINEAR does. @default the size of the images, which must be one */
  readonly size?: Size | undefined;
  /** 1 for grey, 3 for RGB. @default 3 if any image has colour */
  readonly channels?: Channels | undefined;
  /** Number of classes of the model, which labels are checked against. */
  readonly classes?: number | undefined;
  /** The part to load, where files or names speak of parts. @default the test part if there is one */
  readonly split?: Split | undefined;
  /** Crop GTSRB images to the sign region of their table. @default false */
  readonly roi?: boolean | undefined;
  /** Load a sample of at most this many images, balanced over the classes. @default all */
  readonly limit?: number | undefined;
  /** Of that sample. @default 0 */
  readonly seed?: number | undefined;
}

/** What reading needs from where it runs. */
export interface DataPlatform {
  readonly decodeImage: ImageDecoder;
  /** Opens a file of the tree; absent where it cannot. */
  readonly openHdf5?: ((path: string) => Promise<Hdf5File>) | undefined;
}

const accepted =
  'Accepted are folders and zip or tar archives of images (PNG, JPEG, WebP, PPM, PGM), GTSRB folders with their CSV files, ' +
  'IDX (MNIST), CIFAR binary batches, .npy, .npz and HDF5 with X_test and Y_test, and Parquet files of Hugging Face.';

/**
 * Reads the dataset that `tree` is, or that `file` of `tree` holds.
 *
 * @throws NeuralCleanseError any code that begins with DATA_
 */
export async function readDataset(
  tree: FileTree,
  file: string | undefined,
  options: DatasetOptions,
  platform: DataPlatform,
): Promise<ImageSet> {
  const context = { ...platform, options, archived: false };
  return readSource(
    await (file === undefined ? treeSource(tree, context) : fileSource(tree, file, context)),
    options,
  );
}

/**
 * Loads what the options ask for of a source, and closes it.
 *
 * @throws NeuralCleanseError any code that begins with DATA_
 */
export async function readSource(source: ImageSource, options: DatasetOptions): Promise<ImageSet> {
  try {
    checkSize(options.size);
    if (options.roi && !source.cropped) throw noRegions(source.source);
    return await loadSource(source, options);
  } finally {
    source.close?.();
  }
}

interface Context extends DataPlatform {
  readonly options: DatasetOptions;
  /** True inside an archive, where only images and arrays are opened: no further archives, no HDF5, no Parquet. */
  readonly archived: boolean;
}

async function loadSource(source: ImageSource, options: DatasetOptions): Promise<ImageSet> {
  const { labels, classNames } = source;
  const classes = options.classes ?? source.classes ?? classNames?.length ?? (labels && classCount(labels));
  // Before anything is decoded.
  if (labels) checkLabels(labels, classes!, source.source);
  const { limit = source.count, seed = 0 } = options;
  const wanted =
    limit < source.count
      ? sampleIndices(source, limit, { seed })
      : Array.from({ length: source.count }, (_, i) => i);
  const { indices, ...loaded } = await source.load(wanted, options);
  return imageSet({
    ...loaded,
    labels: labels && Int32Array.from(indices, (index) => labels[index]!),
    classes,
    classNames,
    source: source.source,
  });
}

async function fileSource(tree: FileTree, file: string, context: Context): Promise<ImageSource> {
  const source = joinPath(tree.name, file);
  const head = await tree.slice(file, 0, hdf5PeekBytes);
  if (isHdf5(head) && context.openHdf5 && !context.archived) {
    return hdf5Source(await context.openHdf5(file), source, context.options.split);
  }
  if (isParquet(head) && !context.archived) return parquetFiles(tree, [file], source, context);
  const archive = context.archived ? undefined : await openArchive(tree, file, head, source);
  if (archive) return treeSource(archive, { ...context, archived: true });
  if (isGzip(head) || isNpy(head) || isIdx(head)) {
    const siblings = tree.files.filter((path) => folderOf(path) === folderOf(file) && isArrayFile(path));
    return arrayFileSource(tree, { images: file, labels: labelsNameFor(file, siblings) }, source);
  }
  if (file.endsWith('.bin')) {
    const bytes = await tree.read(file);
    const { isCifar, parseCifar } = await import('./cifar.ts');
    if (isCifar(bytes)) {
      const { images, ...labels } = parseCifar(bytes, source);
      return arraySource(source, inMemory(images), labels);
    }
  }
  if (isImagePath(file)) {
    const listing = { entries: [{ path: file }], labelsFromNames: false, skipped: [] };
    return encodedSource(tree.name, listing, fromTree(tree), context.decodeImage, false);
  }
  throw isPickle(head) ? pickled(source) : unknownFormat(source);
}

/** The archive that a file is, told by its first bytes. */
async function openArchive(
  tree: FileTree,
  file: string,
  head: Uint8Array,
  source: string,
): Promise<FileTree | undefined> {
  if (isZip(head)) return zipTree(await tree.read(file), source);
  const isPacked = isGzip(head) && isTar(gunzipStart(head));
  if (!isPacked && !isTar(head)) return undefined;
  const { tarTree } = await import('./tar.ts');
  const bytes = await tree.read(file);
  return tarTree(isPacked ? gunzip(bytes, file) : bytes, source);
}

/** Loaded on demand: few need its decompressors. */
async function parquetFiles(
  tree: FileTree,
  paths: readonly string[],
  source: string,
  { options, decodeImage }: Context,
): Promise<ImageSource> {
  const { parquetSource } = await import('./parquet.ts');
  return parquetSource(tree, paths, source, options.classes, decodeImage);
}

async function treeSource(tree: FileTree, context: Context): Promise<ImageSource> {
  const { classes, split, roi = false } = context.options;
  const { files, name } = tree;
  const tables = files.filter(isImageTable);
  if (tables.length > 0 && !context.archived) {
    return parquetFiles(tree, ofSplit(tables, split, name), name, context);
  }
  if (files.length === 0 || files.some(isImagePath)) {
    const listing = await listImages(tree, split);
    if (listing.labelsFromNames) checkNamedClasses(listing.classNames ?? [], classes, name);
    return encodedSource(name, listing, fromTree(tree), context.decodeImage, roi);
  }
  if (files.some((path) => path.endsWith('.bin'))) {
    const { cifarFiles, joinCifar, parseCifar } = await import('./cifar.ts');
    const batches = cifarFiles(files, split, name);
    if (batches.length > 0) {
      const parsed = await Promise.all(batches.map(async (path) => parseCifar(await tree.read(path), path)));
      const { images, ...labels } = joinCifar(parsed);
      return arraySource(name, inMemory(images), labels);
    }
  }
  const arrays = files.filter(isArrayFile);
  if (arrays.length > 0) return arrayFileSource(tree, arrayKeys(arrays, split, name), name);

  const [container, ...more] = ofSplit(
    files.filter((path) => /\.(npz|zip|tar|tar\.gz|tgz|h5|hdf5)$/i.test(path)),
    split,
    name,
  );
  if (container !== undefined && more.length === 0) return fileSource(tree, container, context);
  const [first] = files;
  throw isPickle(await tree.slice(first!, 0, 2)) ? pickled(name) : unknownFormat(name);
}

/** Beside the images of a folder, `metadata.parquet` says more of them. */
const isImageTable = (path: string): boolean =>
  path.toLowerCase().endsWith('.parquet') && baseName(path) !== 'metadata.parquet';

/** Protocols 2 to 5 of Python's pickle. */
const isPickle = ([mark, protocol]: Uint8Array): boolean => mark === 0x80 && protocol! >= 2 && protocol! <= 5;

const pickled = (source: string): NeuralCleanseError =>
  new NeuralCleanseError('DATA_FORMAT_UNKNOWN', `${source} holds Python pickles, which are programs.`, {
    hint: 'Save the arrays: numpy.savez("data.npz", data=batch[b"data"], labels=batch[b"labels"]).',
  });

async function arrayFileSource(tree: FileTree, keys: ArrayKeys, source: string): Promise<ImageSource> {
  const images = await readArray(tree, keys.images);
  const labels =
    keys.labels === undefined ? undefined : labelsFrom(await readArray(tree, keys.labels), keys.labels);
  return arraySource(source, inMemory(images), labels);
}

/** A .npy or IDX file, compressed or not. */
async function readArray(tree: FileTree, path: string): Promise<Tensor> {
  const stored = await tree.read(path);
  const bytes = isGzip(stored) ? gunzip(stored, path) : stored;
  if (isNpy(bytes)) return parseNpy(bytes);
  if (isIdx(bytes)) return parseIdx(bytes);
  throw unknownFormat(joinPath(tree.name, path));
}

/** Named classes are numbered by their order, which one folder too few or too many shifts. */
function checkNamedClasses(names: readonly string[], classes: number | undefined, source: string): void {
  if (classes === undefined || names.length === classes) return;
  throw new NeuralCleanseError(
    'DATA_CLASSES_AMBIGUOUS',
    `${source} names ${names.length} classes, but the model has ${classes}, so names cannot be matched to labels.`,
    {
      hint: 'Name the folders after the label numbers, or add an empty folder for each class without images.',
      data: { names },
    },
  );
}

function checkSize(size: Size | undefined): void {
  if (size === undefined || size.every((side) => Number.isInteger(side) && side > 0)) return;
  throw new NeuralCleanseError(
    'DATA_SHAPE_MISMATCH',
    `Images cannot be resized to ${size.join('×')} pixels.`,
    {
      hint: 'Give height and width as whole numbers from 1.',
    },
  );
}

function noRegions(source: string): NeuralCleanseError {
  return new NeuralCleanseError('DATA_NOT_FOUND', `${source} has no table of sign regions to crop to.`, {
    hint: 'Give a GTSRB folder with its GT-*.csv files, or leave the cropping out.',
  });
}

function unknownFormat(source: string): NeuralCleanseError {
  return new NeuralCleanseError('DATA_FORMAT_UNKNOWN', `${source} is in no format that can be read here.`, {
    hint: accepted,
  });
}

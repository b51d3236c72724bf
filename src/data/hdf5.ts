/** Images and labels in HDF5 files, read in runs of images so that a large file is never in memory twice. */

import type { File, Metadata } from 'h5wasm';
import { NeuralCleanseError } from '../errors.ts';
import { type DType, sizeOf, type Tensor } from '../onnx/tensor.ts';
import { labelsFrom } from './arrays.ts';
import { corrupt } from './bytes.ts';
import { countMismatch } from './dataset.ts';
import { arrayKeys } from './keys.ts';
import { arraySource, type ImageArray, type ImageSource } from './source.ts';
import type { Split } from './splits.ts';
import { withMemoryLimit } from './wasm-memory.ts';

/** An open file of h5wasm, with its throwing error handler active (without it failed reads return stale memory). */
export type Hdf5File = File;

const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

/** How many bytes {@link isHdf5} needs to see. */
export const hdf5PeekBytes = 2048 + signature.length;

/** True if the bytes begin as an HDF5 file does, be it after a user block. */
export const isHdf5 = (bytes: Uint8Array): boolean =>
  [0, 512, 1024, 2048].some((start) => signature.every((byte, i) => bytes[start + i] === byte));

/** About this much is read at once. */
const runBytes = 2 ** 20;

/** Chunks larger than this are read in parts. */
const maxChunkBytes = 2 ** 28;

/**
 * The arrays of the top group that {@link arrayKeys} chooses. The file is closed with the source, or on an error.
 *
 * @throws NeuralCleanseError DATA_FORMAT_UNKNOWN, DATA_SHAPE_MISMATCH, DATA_COUNT_MISMATCH, DATA_CORRUPT
 */
export function hdf5Source(file: Hdf5File, source: string, split: Split | undefined): ImageSource {
  try {
    return openedSource(file, source, split);
  } catch (error) {
    file.close();
    throw error;
  }
}

function openedSource(file: Hdf5File, source: string, split: Split | undefined): ImageSource {
  const keys = arrayKeys(
    reading(source, () => file.keys()),
    split,
    source,
  );
  const images = arrayAt(file, keys.images, source);
  const labels = keys.labels === undefined ? undefined : arrayAt(file, keys.labels, source);
  const [count = 0] = images.dims;
  // Before the labels are read, so that a false shape takes no memory.
  if (labels && labels.dims[0] !== count) throw countMismatch(source, count, labels.dims[0] ?? 0);
  return arraySource(source, images, labels && labelsFrom(labels.read(0, count), labels.name), () =>
    file.close(),
  );
}

/** The array `key`, of which the first axis counts images. */
function arrayAt(file: Hdf5File, key: string, source: string): ImageArray & { readonly name: string } {
  const name = `${key} of ${source}`;
  const found = reading(source, () => file.get(key));
  const dataset = found && 'slice' in found ? found : undefined;
  const metadata = dataset && reading(source, () => dataset.metadata);
  // Virtual datasets would open other files.
  if (!metadata?.shape || metadata.virtual_sources) {
    throw new NeuralCleanseError(
      'DATA_FORMAT_UNKNOWN',
      `${name} is a link, a group or empty, not an array.`,
      { hint: 'Save the array itself under this name.' },
    );
  }
  const dtype = dtypeOf(metadata);
  if (dtype === undefined) {
    throw new NeuralCleanseError('DATA_FORMAT_UNKNOWN', `${name} has elements of a type that is not read.`, {
      hint: 'Save integers, booleans, float32 or float64.',
    });
  }
  const filter = reading(source, () => dataset!.filters).find(({ id }) => id > lastBuiltInFilter);
  if (filter !== undefined) {
    throw new NeuralCleanseError('DATA_FORMAT_UNKNOWN', `${name} is compressed with ${filter.name}.`, {
      hint: 'Save it with gzip compression, or without any.',
    });
  }

  const { shape: dims, chunks, size } = metadata;
  const rowBytes = Math.max(sizeOf(dims.slice(1)) * size, 1);
  const chunkRows = chunks?.[0] ?? 1;
  const chunkBytes = chunks ? sizeOf(chunks) * size : 0;
  const aligned = chunkRows * rowBytes <= maxChunkBytes ? chunkRows : 1;
  return {
    name,
    dims,
    run: Math.max(Math.floor(runBytes / rowBytes / aligned), 1) * aligned,
    read(first, count) {
      const ranges = dims.map((_, axis): [] | [number, number] => (axis === 0 ? [first, first + count] : []));
      const data = reading(source, () => dataset!.slice(ranges), count * rowBytes + chunkBytes);
      return { dtype, dims: [count, ...dims.slice(1)], data } as Tensor;
    },
  };
}

/** By size in bytes: unsigned and signed integers. */
const integerTypes: Readonly<Record<number, readonly [DType, DType]>> = {
  1: ['uint8', 'int8'],
  2: ['uint16', 'int16'],
  4: ['uint32', 'int32'],
  8: ['uint64', 'int64'],
};
const floatTypes: Readonly<Record<number, DType>> = { 4: 'float32', 8: 'float64' };

/** Filters up to this number belong to HDF5 itself; others are plug-ins, such as LZF and Blosc. */
const lastBuiltInFilter = 6;

/** HDF5's class numbers of element types. */
const [integerClass, floatClass, enumClass] = [0, 1, 8];

function dtypeOf({ type, size, signed }: Metadata): DType | undefined {
  if (type === integerClass) return integerTypes[size]?.[signed ? 1 : 0];
  // Booleans are written as an enumeration of one byte.
  return type === enumClass && size === 1 ? 'int8' : type === floatClass ? floatTypes[size] : undefined;
}

/**
 * Turns what h5wasm throws into an error of ours.
 *
 * @param bytes see {@link withHdf5Memory}
 */
export function reading<T>(source: string, read: () => T, bytes = 0): T {
  try {
    return withHdf5Memory(bytes, read);
  } catch (cause) {
    throw corrupt(`${source} cannot be read as HDF5 (${reasonOf(cause)})`, cause);
  }
}

/** What HDF5 takes for itself: its start, caches and buffers. */
const ownMemory = 2 ** 26;

/**
 * Calls the HDF5 library, which trusts the lengths in a file, with a bound on what it can allocate.
 *
 * @param bytes to be read; they may lie in memory as stored, unpacked and converted, and memory grows by more than is needed
 */
export const withHdf5Memory = <T>(bytes: number, use: () => T): T =>
  withMemoryLimit(ownMemory + 4 * bytes, use);

/** The innermost line of HDF5's stack of messages, else the message. */
export function reasonOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  const lines = [...message.matchAll(/in \w+\(\): (.+)/g)];
  return lines.at(-1)?.[1] ?? message;
}

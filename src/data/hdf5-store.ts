/** The weights in a HDF5 file that is in memory, in Node and in browsers alike. */

import type { File, Metadata } from 'h5wasm';
import { NeuralCleanseError } from '../errors.ts';
import type { StoredArray, WeightStore } from '../keras/weights.ts';
import { float32, sizeOf, type Tensor } from '../onnx/tensor.ts';
import { reasonOf, withHdf5Memory } from './hdf5.ts';

export interface OpenStore extends WeightStore {
  /** Frees the memory; arrays that are not read by then are lost. */
  close(): void;
}

/** Deflate codes at best 258 bytes in 2 bits, so a dataset that claims to hold more lies. */
const maxDeflateRatio = 1032;

let opened = 0;

/**
 * Opens a HDF5 file over its bytes. It lies in a file system of its own in memory, so links to other files lead nowhere. The
 * lengths in it are not trusted: the memory of the HDF5 library stays within 64 MiB and four times the size of the file, or
 * of the array that is read.
 *
 * @param name for messages
 * @throws NeuralCleanseError KERAS_FILE_INVALID
 */
export async function openHdf5Store(bytes: Uint8Array, name: string): Promise<OpenStore> {
  const { File, ready } = await import('h5wasm');
  const module = await ready;
  // Without this, failed reads are reported on stderr only and return whatever the memory held.
  module.activate_throwing_error_handler();
  const path = `/keras-${opened++}.h5`;
  module.FS.writeFile(path, bytes);
  const remove = (): void => module.FS.unlink(path);
  try {
    const file = reading(name, bytes.length, () => new File(path, 'r'));
    return storeOf(file, name, bytes.length, () => {
      try {
        file.close();
      } catch {
        // What is damaged may not close either; that was said when it was read.
      }
      remove();
    });
  } catch (error) {
    remove();
    throw error;
  }
}

function storeOf(file: File, source: string, fileBytes: number, close: () => void): OpenStore {
  const found = (path: string) => reading(source, fileBytes, () => (path === '' ? file : file.get(path)));
  return {
    close,
    attribute(path, name) {
      const holder = found(path);
      if (!holder || !('attrs' in holder)) return undefined;
      return reading(source, fileBytes, () => {
        const { attrs } = holder;
        const attribute = Object.hasOwn(attrs, name) ? attrs[name] : undefined;
        if (!attribute) return undefined;
        const { size, total_size: count } = attribute.metadata;
        if (size * count > fileBytes) throw new Error(`attribute ${name} is larger than the file`);
        // An empty list has no text type.
        if (count === 0) return [];
        const value = attribute.value;
        const texts: unknown[] = Array.isArray(value) ? value : [value];
        return texts.every((text) => typeof text === 'string') ? texts : undefined;
      });
    },
    array(path) {
      const dataset = found(path);
      if (!dataset) return undefined;
      const label = `"${path}" of ${source}`;
      if (!('slice' in dataset)) throw invalid(`${label} is a group or a link, not an array`);
      return reading(source, fileBytes, (): StoredArray => {
        const { metadata, filters } = dataset;
        const arrayBytes = checkStorage(metadata, filters, label, fileBytes);
        return {
          name: path,
          dims: metadata.shape!,
          read: () =>
            reading(source, Math.max(fileBytes, arrayBytes), () =>
              toFloats(metadata.shape!, dataset.value, label),
            ),
        };
      });
    },
  };
}

/** HDF5's class numbers of element types. */
const [integerClass, floatClass] = [0, 1];

/** Filters up to this number belong to HDF5 itself; others are plug-ins. */
const lastBuiltInFilter = 6;

/** The size of an array in bytes, checked against that of the file. */
function checkStorage(
  { shape, type, size, total_size: count, chunks, virtual_sources: virtual }: Metadata,
  filters: readonly { readonly id: number; readonly name: string }[],
  label: string,
  fileBytes: number,
): number {
  if (!shape || virtual) throw invalid(`${label} holds no data of its own`);
  if (type === floatClass && size < 4) throw invalid(`${label} is in half precision; save it as float32`);
  if ((type !== integerClass && type !== floatClass) || size > 8)
    throw invalid(`${label} does not hold numbers`);
  const plugin = filters.find(({ id }) => id > lastBuiltInFilter);
  if (plugin) throw invalid(`${label} is compressed with ${plugin.name}`);
  const limit = chunks ? fileBytes * maxDeflateRatio : fileBytes;
  const bytes = count * size;
  if (bytes > Math.min(limit, 2 ** 31)) {
    throw invalid(
      `${label} of shape [${shape}] would take ${bytes} bytes, which a file of ${fileBytes} cannot hold`,
    );
  }
  return bytes;
}

function toFloats(dims: readonly number[], value: unknown, label: string): Tensor<'float32'> {
  // A scalar comes as a bare number.
  const elements = ArrayBuffer.isView(value)
    ? (value as unknown as ArrayLike<number | bigint>)
    : [value as number];
  if (elements.length !== sizeOf(dims))
    throw invalid(`${label} holds ${elements.length} elements, not [${dims}]`);
  if (elements instanceof Float32Array) return float32(dims, elements);
  return float32(dims, Float32Array.from(elements as ArrayLike<number>, Number));
}

const invalid = (message: string, cause?: unknown): NeuralCleanseError =>
  new NeuralCleanseError('KERAS_FILE_INVALID', `${message}.`, {
    hint: 'Copy the file or save the model again.',
    cause,
  });

/**
 * Turns what h5wasm throws into an error of ours.
 *
 * @param bytes see {@link withHdf5Memory}
 */
function reading<T>(source: string, bytes: number, read: () => T): T {
  try {
    return withHdf5Memory(bytes, read);
  } catch (cause) {
    if (cause instanceof NeuralCleanseError) throw cause;
    throw invalid(`${source} cannot be read as HDF5 (${reasonOf(cause)})`, cause);
  }
}

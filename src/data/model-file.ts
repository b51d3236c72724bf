/** Model files on disk, with tensor data inside or beside them. */

import { createHash, type Hash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { NeuralCleanseError } from '../errors.ts';
import type { ExternalStore } from '../onnx/external-data.ts';
import type { Model } from '../onnx/graph.ts';
import { readModel } from '../onnx/read.ts';
import { maxModelBytes, tensorBytes, writeModel } from '../onnx/write.ts';
import { type KerasFile, kerasFormat, readKeras } from './keras-file.ts';
import { type DataFolder, openDataFolder } from './model-data-folder.ts';
import type { ModelFormat } from './model-format.ts';
import { type FileContent, replaceFiles, wholeFile } from './replace-files.ts';

export interface OpenedModel {
  /** Of a file in another format, what it was converted to. */
  readonly model: Model;
  /** Of the file. */
  readonly format: ModelFormat;
  /** As it was given. */
  readonly path: string;
  /** Size of the model file, without data files beside it. */
  readonly bytes: number;
  /**
   * SHA-256 in hex of the model file. Where tensors lie in other files, of the model file followed by those tensors' bytes,
   * so that different weights never share a hash.
   */
  readonly sha256: string;
}

/** Protobuf messages end at 2 GiB. */
const maxFileBytes = 2 ** 31 - 1;

export interface OpenOptions {
  /** Path of the architecture of a Keras model, as `model.to_json()` gives it, for a `.h5` file that holds weights only. */
  readonly architecture?: string;
}

/**
 * Opens a model with its data files: ONNX, Keras (`.h5`, `.keras`) or TensorFlow.js (`model.json`). The last two are converted.
 *
 * @throws NeuralCleanseError MODEL_NOT_FOUND, MODEL_TOO_LARGE, EXTERNAL_DATA_MISSING, EXTERNAL_DATA_OUTSIDE, and what
 *   {@link readModel} and {@link readKeras} throw, with the path before the message
 */
export async function openModel(path: string, options: OpenOptions = {}): Promise<OpenedModel> {
  const file = await readWhole(path);
  const bytes = file.byteLength;
  const hash = createHash('sha256').update(file);
  const folder = openDataFolder(dirname(path));
  try {
    const kind = kerasFormat(file);
    const model = kind
      ? await readKeras(kerasFile(path, file, folder, hash, options))
      : readModel(file, (reference, tensor) => {
          const data = folder.read(reference, tensor);
          hash.update(data);
          return data;
        });
    const format = kind === undefined ? 'onnx' : kind === 'json' ? 'tfjs' : 'keras';
    return { model, format, path, bytes, sha256: hash.digest('hex') };
  } catch (error) {
    if (error instanceof NeuralCleanseError) error.message = `${path}: ${error.message}`;
    throw error;
  } finally {
    folder.close();
  }
}

/** A Keras file with what lies beside it, all of which enters the hash. */
function kerasFile(
  path: string,
  bytes: Uint8Array,
  folder: DataFolder,
  hash: Hash,
  { architecture }: OpenOptions,
): KerasFile {
  return {
    bytes,
    name: basename(path),
    async architecture() {
      const beside = path.replace(/(\.weights)?\.[^./\\]+$/, '.json');
      if (architecture === undefined && !(await stat(beside).catch(() => undefined))?.isFile())
        return undefined;
      const json = await readWhole(architecture ?? beside);
      hash.update(json);
      return new TextDecoder().decode(json);
    },
    async neighbour(location) {
      const data = folder.readWhole(location, 'weights');
      hash.update(data);
      return data;
    },
  };
}

async function readWhole(path: string): Promise<Uint8Array> {
  const notFound = (what: string, hint: string, cause?: unknown) =>
    new NeuralCleanseError('MODEL_NOT_FOUND', `The model "${path}" ${what}.`, {
      hint,
      data: { path },
      cause,
    });
  const unreadable = (cause: unknown): never => {
    throw notFound('cannot be read', 'Check the path and its permissions.', cause);
  };
  const info = await stat(path).catch(unreadable);
  if (info.isDirectory()) {
    throw notFound(
      'is a folder',
      'Give the .onnx, .h5, .keras or model.json file; convert a TensorFlow SavedModel folder with tf2onnx.',
    );
  }
  if (!info.isFile()) throw notFound('is not a regular file', 'Give the path of a model file.');
  if (info.size > maxFileBytes) {
    throw new NeuralCleanseError('MODEL_TOO_LARGE', `The model "${path}" has ${info.size} bytes.`, {
      hint: 'An ONNX file ends at 2 GiB; export it with external data.',
      data: { path, bytes: info.size },
    });
  }
  return readFile(path).catch(unreadable);
}

export interface SaveOptions {
  /**
   * Initializers of at least this many bytes go to a data file beside the model, `PATH.data`.
   *
   * @default none while one file can hold the model, else 1024
   */
  readonly externalFromBytes?: number;
}

/** Data begin at whole memory pages, so that they can be mapped (onnx.proto, TensorProto.external_data). */
const pageBytes = 4096;

/**
 * Saves a model, replacing a file of that name in one step; a crash leaves the old file or the new one.
 *
 * With a data file there are two steps, the data first: a crash between them leaves the old model beside new data.
 *
 * @throws NeuralCleanseError FILE_NOT_WRITTEN; MODEL_TOO_LARGE if what cannot go to a data file (constants inside nodes)
 *   is too much for one file
 */
export async function saveModel(path: string, model: Model, options: SaveOptions = {}): Promise<void> {
  const fits = tensorBytes(model.graph) <= maxModelBytes;
  const threshold = options.externalFromBytes ?? (fits ? Number.POSITIVE_INFINITY : 1024);
  const parts: FileContent['parts'][number][] = [];
  let end = 0;
  const store: ExternalStore = (bytes) => {
    if (bytes.byteLength < threshold || bytes.byteLength === 0) return undefined;
    const offset = Math.ceil(end / pageBytes) * pageBytes;
    parts.push({ offset, bytes });
    end = offset + bytes.byteLength;
    return { location: `${basename(path)}.data`, offset, length: bytes.byteLength };
  };
  const file = wholeFile(path, writeModel(model, store));
  await replaceFiles(parts.length > 0 ? [{ path: `${path}.data`, parts }, file] : [file]);
}

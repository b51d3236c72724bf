/** Keras and TensorFlow.js model files: `.h5`, `.keras`, `model.json`. Knows no file system, so it serves browsers too. */

import { NeuralCleanseError } from '../errors.ts';
import { parseArchitecture } from '../keras/architecture.ts';
import { convertKeras } from '../keras/convert.ts';
import { isObject, type JsonObject } from '../keras/fields.ts';
import { parseTfjs, tfjsArrays } from '../keras/tfjs.ts';
import type { StoredArray } from '../keras/weights.ts';
import { weightsFromGroups } from '../keras/weights-groups.ts';
import { weightsByName } from '../keras/weights-names.ts';
import { weightsFromPaths } from '../keras/weights-paths.ts';
import type { Model } from '../onnx/graph.ts';
import { isHdf5 } from './hdf5.ts';
import { type OpenStore, openHdf5Store } from './hdf5-store.ts';
import { isZip, listZip, readZipEntry } from './zip.ts';

export interface KerasFile {
  readonly bytes: Uint8Array;
  /** For messages. */
  readonly name: string;
  /** The text of the architecture that belongs to a file of weights; `undefined` if there is none. */
  architecture(): Promise<string | undefined>;
  /**
   * A file that a `model.json` names, relative to it. The name is not to be trusted.
   *
   * @throws NeuralCleanseError EXTERNAL_DATA_MISSING, EXTERNAL_DATA_OUTSIDE
   */
  neighbour(path: string): Promise<Uint8Array>;
}

/** What a file is, or `undefined` if Keras and TensorFlow.js write nothing like it. */
export function kerasFormat(bytes: Uint8Array): 'hdf5' | 'archive' | 'json' | undefined {
  if (isHdf5(bytes)) return 'hdf5';
  if (isZip(bytes)) return namesKerasFiles(bytes) ? 'archive' : undefined;
  return jsonObject(bytes) ? 'json' : undefined;
}

/**
 * Converts a file that {@link kerasFormat} knows.
 *
 * @throws NeuralCleanseError KERAS_FILE_INVALID, KERAS_INCOMPLETE, and what {@link convertKeras} throws
 */
export async function readKeras(file: KerasFile): Promise<Model> {
  const format = kerasFormat(file.bytes);
  if (format === 'hdf5') return readHdf5(file);
  if (format === 'archive') return readArchive(file);
  return readJson(file, jsonObject(file.bytes) ?? {});
}

/** Architecture and weights of all versions, or the weights alone. */
async function readHdf5(file: KerasFile): Promise<Model> {
  return withStore(file.bytes, file.name, async (store) => {
    const config = store.attribute('', 'model_config')?.[0];
    if (config !== undefined) {
      const architecture = parseArchitecture(config, store.attribute('', 'keras_version')?.[0]);
      return convertKeras(architecture, weightsFromGroups(store, 'model_weights', architecture.model));
    }
    const json = await file.architecture();
    if (json === undefined) {
      throw new NeuralCleanseError(
        'KERAS_INCOMPLETE',
        `${file.name} holds weights without their architecture.`,
        {
          hint: 'Put model.to_json() beside it in a .json file of the same name, or name that file with --architecture.',
        },
      );
    }
    const architecture = parseArchitecture(json, store.attribute('', 'keras_version')?.[0]);
    const isGrouped = store.attribute('', 'layer_names') ?? store.attribute('', 'layer_names0');
    return convertKeras(
      architecture,
      isGrouped
        ? weightsFromGroups(store, '', architecture.model)
        : weightsFromPaths(store, architecture.model),
    );
  });
}

/** Names in a `.keras` archive. */
const entryNames = { config: 'config.json', weights: 'model.weights.h5', metadata: 'metadata.json' };

/** Descriptions larger than this are no models. */
const maxJsonBytes = 2 ** 26;

async function readArchive({ bytes, name }: KerasFile): Promise<Model> {
  const entries = unpacking(() => listZip(bytes));
  const read = (path: string, limit: number): Uint8Array => {
    const entry = entries.find((candidate) => candidate.path === path);
    if (!entry) throw invalid(`The archive ${name} lacks the file ${path}`);
    if (entry.size > limit)
      throw invalid(`${path} in the archive ${name} would unpack to ${entry.size} bytes`);
    return unpacking(() => readZipEntry(bytes, entry));
  };
  const text = (path: string): string => new TextDecoder().decode(read(path, maxJsonBytes));
  const metadata = entries.some(({ path }) => path === entryNames.metadata)
    ? parsed(text(entryNames.metadata))
    : undefined;
  const version = metadata?.keras_version;
  const architecture = parseArchitecture(
    text(entryNames.config),
    typeof version === 'string' ? version : '3',
  );
  const weights = read(entryNames.weights, bytes.length * maxWeightsRatio);
  return withStore(weights, `${entryNames.weights} in ${name}`, async (store) =>
    convertKeras(architecture, weightsFromPaths(store, architecture.model)),
  );
}

/** Keras stores weights as they are; compressed by hand, trained ones shrink by little. */
const maxWeightsRatio = 32;

/** A layers model of TensorFlow.js; an architecture alone says so. */
async function readJson(file: KerasFile, json: JsonObject): Promise<Model> {
  if (typeof json.class_name === 'string' && json.modelTopology === undefined) {
    throw new NeuralCleanseError('KERAS_INCOMPLETE', `${file.name} holds an architecture without weights.`, {
      hint: 'Give the .h5 file of the weights, with this file beside it under the same name.',
    });
  }
  const { architecture, groups } = parseTfjs(json);
  const arrays: StoredArray[] = [];
  for (const group of groups) {
    const parts: Uint8Array[] = [];
    for (const path of group.paths) parts.push(await file.neighbour(path));
    arrays.push(...tfjsArrays(group, joined(parts)));
  }
  return convertKeras(architecture, weightsByName(arrays, architecture.model));
}

async function withStore(
  bytes: Uint8Array,
  name: string,
  use: (store: OpenStore) => Promise<Model>,
): Promise<Model> {
  const store = await openHdf5Store(bytes, name);
  try {
    return await use(store);
  } finally {
    store.close();
  }
}

/** Enough for the headers of the two small files that Keras puts first. */
const startLength = 4096;

/** Also true for an archive that is cut off, whose table of contents is gone. */
function namesKerasFiles(bytes: Uint8Array): boolean {
  const start = Array.from(bytes.subarray(0, startLength), (byte) => String.fromCharCode(byte)).join('');
  return start.includes(entryNames.config) || start.includes(entryNames.weights);
}

const isBlank = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);

/** The object in a JSON file that describes a model. */
function jsonObject(bytes: Uint8Array): JsonObject | undefined {
  const start = bytes.findIndex((byte) => !isBlank(byte));
  if (bytes[start] !== 0x7b || bytes.length > maxJsonBytes) return undefined;
  const object = parsed(new TextDecoder().decode(bytes));
  return object && ('modelTopology' in object || 'class_name' in object) ? object : undefined;
}

function parsed(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

const invalid = (message: string): NeuralCleanseError =>
  new NeuralCleanseError('KERAS_FILE_INVALID', `${message}.`, {
    hint: 'Copy the file or save the model again.',
  });

/** What is wrong with the archive of a model is wrong with the model. */
function unpacking<T>(unpack: () => T): T {
  try {
    return unpack();
  } catch (cause) {
    if (cause instanceof NeuralCleanseError)
      throw new NeuralCleanseError('KERAS_FILE_INVALID', cause.message, { cause });
    throw cause;
  }
}

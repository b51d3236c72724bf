/** Models from files in memory: what a page was given, or fetched from where it comes from. */

import { NeuralCleanseError } from '../errors.ts';
import type { ExternalReference } from '../onnx/external-data.ts';
import type { Model } from '../onnx/graph.ts';
import { readModel } from '../onnx/read.ts';
import type { KerasFile } from './keras-file.ts';
import type { ModelFormat } from './model-format.ts';
import { sha256Hex } from './sha256-web.ts';
import { baseName, type FileTree, folderOf, joinPath } from './tree.ts';

export interface GivenModel {
  readonly model: Model;
  readonly format: ModelFormat;
  /** File name. */
  readonly name: string;
  /** As Node computes it: of the model file, and of what it takes from other files. */
  readonly sha256: string;
}

const modelPattern = /(\.onnx|\.keras|\.h5|\.hdf5|model\.json)$/i;

/**
 * Opens the one model among files: ONNX with its data files, Keras with its architecture, or TensorFlow.js with its weights.
 *
 * @throws NeuralCleanseError MODEL_NOT_FOUND, EXTERNAL_DATA_MISSING, and what {@link readModel} and {@link readKeras} throw
 */
export async function openModelIn(tree: FileTree): Promise<GivenModel> {
  const path = modelPath(tree);
  const bytes = await tree.read(path);
  const hashed = [bytes];
  const files = new ModelNeighbours(tree, path);
  // Loaded on demand: few models need the converter.
  const keras = bytes[0] === onnxStart ? undefined : await import('./keras-file.ts');
  const kind = keras?.kerasFormat(bytes);
  if (kind === undefined) await files.load();
  const model =
    keras && kind
      ? await keras.readKeras(kerasFile(tree, path, bytes, files, hashed))
      : readModel(bytes, (reference, tensor) => {
          const data = files.range(reference, tensor);
          hashed.push(data);
          return data;
        });
  const format = kind === undefined ? 'onnx' : kind === 'json' ? 'tfjs' : 'keras';
  return { model, format, name: baseName(path), sha256: await sha256Hex(hashed) };
}

/** ONNX files begin with the field of the format version; no other model file begins so. */
const onnxStart = 0x08;

/** A file without a known ending may be a model too, if it is the only one. */
function modelPath({ files }: FileTree): string {
  const named = files.filter((path) => modelPattern.test(path));
  const [path, ...more] = named.length > 0 ? named : files;
  if (path !== undefined && more.length === 0) return path;
  throw new NeuralCleanseError(
    'MODEL_NOT_FOUND',
    path === undefined
      ? 'No model file was given.'
      : `${named.length || files.length} files may be the model: ${[path, ...more].slice(0, 5).join(', ')}.`,
    { hint: 'Give one .onnx, .h5, .keras or model.json file, with its data files if it has some.' },
  );
}

function kerasFile(
  tree: FileTree,
  path: string,
  bytes: Uint8Array,
  neighbours: ModelNeighbours,
  hashed: Uint8Array[],
): KerasFile {
  return {
    bytes,
    name: baseName(path),
    async architecture() {
      const beside = path.replace(/(\.weights)?\.[^./]+$/, '.json');
      if (!tree.files.includes(beside)) return undefined;
      const json = await tree.read(beside);
      hashed.push(json);
      return new TextDecoder().decode(json);
    },
    async neighbour(location) {
      const data = await neighbours.whole(location, 'weights');
      hashed.push(data);
      return data;
    },
  };
}

/** The files beside a model. Only what was given can be read, whatever the model names. */
class ModelNeighbours {
  private readonly tree: FileTree;
  private readonly path: string;
  private readonly loaded = new Map<string, Uint8Array>();

  constructor(tree: FileTree, path: string) {
    this.tree = tree;
    this.path = path;
  }

  /** Reads all files beside the model into memory, since tensors are asked for without waiting. */
  async load(): Promise<void> {
    for (const file of this.tree.files) {
      if (file !== this.path) this.loaded.set(file, await this.tree.read(file));
    }
  }

  range({ location, offset, length }: ExternalReference, tensor: string): Uint8Array {
    const data = this.loaded.get(this.resolve(location));
    if (data === undefined) throw missing(`the file "${location}", which was not given`, tensor);
    if (offset + length > data.length) {
      throw missing(
        `bytes ${offset} to ${offset + length} of "${location}", which has only ${data.length}`,
        tensor,
      );
    }
    return data.slice(offset, offset + length);
  }

  async whole(location: string, tensor: string): Promise<Uint8Array> {
    const path = this.resolve(location);
    if (!this.tree.files.includes(path)) {
      throw missing(`the file "${location}", which was not given`, tensor);
    }
    return this.tree.read(path);
  }

  private resolve(location: string): string {
    return joinPath(folderOf(this.path), location.replace(/^(\.\/)+/, ''));
  }
}

const missing = (what: string, tensor: string): NeuralCleanseError =>
  new NeuralCleanseError('EXTERNAL_DATA_MISSING', `Tensor "${tensor}" lies in ${what}.`, {
    hint: 'Give the data files of the model together with it.',
    data: { tensor },
  });

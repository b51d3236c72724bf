/** The models of a batch, from what the command line names. */

import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { NeuralCleanseError } from '../errors.ts';
import { compareText } from '../report/batch-result.ts';

/** What files of models are called. Of JSON files only this is one: others describe data or weights. */
const modelName = /\.(onnx|h5|hdf5|keras)$|^model\.json$/i;

/**
 * Whether the arguments make a batch: several do, and so does a folder, however many models it holds.
 *
 * A file that does not exist makes none: its name is the better message.
 */
export async function isBatch(given: readonly string[]): Promise<boolean> {
  return given.length > 1 || (await isFolder(given[0]!));
}

/**
 * Paths of models in the order of the arguments, each named once; a folder stands for the model files that lie directly in
 * it, by name.
 *
 * @throws NeuralCleanseError MODEL_NOT_FOUND for a folder that cannot be read or holds no models
 */
export async function modelPaths(given: readonly string[]): Promise<string[]> {
  const paths = await Promise.all(
    given.map(async (path) => ((await isFolder(path)) ? modelsIn(path) : [path])),
  );
  const named = new Map<string, string>();
  for (const path of paths.flat()) if (!named.has(resolve(path))) named.set(resolve(path), path);
  return [...named.values()];
}

/**
 * What the folder of a batch is called, unless the user names it.
 *
 * It follows from the arguments and not from what the files hold: the same command finds its batch again after a model was
 * added to a folder or replaced, and nothing need be read for it.
 */
export function batchFolderName(given: readonly string[], seed: number): string {
  const places = [...new Set(given.map((path) => relative('', path)))].sort(compareText);
  const hash = createHash('sha256').update(JSON.stringify(places)).digest('hex');
  return `batch-${hash.slice(0, 8)}-${seed}`;
}

async function modelsIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new NeuralCleanseError('MODEL_NOT_FOUND', `The folder "${folder}" cannot be read.`, {
      hint: 'Check its permissions.',
      data: { path: folder },
      cause,
    });
  });
  const names = entries
    .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.') && modelName.test(entry.name))
    .map(({ name }) => name);
  if (names.length > 0) return names.sort(compareText).map((name) => join(folder, name));
  throw new NeuralCleanseError('MODEL_NOT_FOUND', `The folder "${folder}" holds no model.`, {
    hint: 'It must have .onnx, .h5, .keras or model.json files directly in it; convert a TensorFlow SavedModel with tf2onnx.',
    data: { path: folder },
  });
}

const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() ?? false;

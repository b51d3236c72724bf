/** Tells arrays of images and of labels by their names: keys of .npz and HDF5 files, names of .npy and IDX files. */

import { NeuralCleanseError } from '../errors.ts';
import { ofSplit, type Split } from './splits.ts';

const imageWords = ['x', 'images', 'image', 'imgs', 'img', 'data'];
const labelWords = ['y', 'labels', 'label', 'targets', 'target'];

/** Words that speak of the format only; of CIFAR-100's two kinds of labels, the fine ones are its classes. */
const formatWords = ['npy', 'gz', 'idx', 'idx1', 'idx3', 'ubyte', 'fine'];

/** Names that `np.savez` gives to arrays without one, by position. */
const positional: Readonly<Record<string, string>> = { arr_0: 'x', arr_1: 'y' };

interface Meaning {
  readonly role: 'images' | 'labels' | undefined;
  /** What else the name says: the part, the folder. Images and their labels agree in it. */
  readonly rest: string;
}

function meaningOf(name: string): Meaning {
  const plain = name.toLowerCase().replace(/\.npy$/, '');
  const words = (positional[plain] ?? plain).split(/[^a-z0-9]+/);
  const has = (list: readonly string[]): boolean => words.some((word) => list.includes(word));
  const ignored = [...imageWords, ...labelWords, ...formatWords];
  return {
    role: has(labelWords) ? 'labels' : has(imageWords) ? 'images' : undefined,
    rest: words.filter((word) => !ignored.includes(word)).join('_'),
  };
}

export interface ArrayKeys {
  readonly images: string;
  /** Absent if there are no labels with these images. */
  readonly labels: string | undefined;
}

/**
 * Chooses by name, whatever the case: `X_test` and `Y_test` (the original Neural Cleanse), `x_train`, `test_images`,
 * `images` and `labels`, `x` and `y`, `arr_0` and `arr_1`, `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, `data` and
 * `labels` or `fine_labels` (CIFAR).
 *
 * @throws NeuralCleanseError DATA_FORMAT_UNKNOWN, listing the names there are; DATA_NOT_FOUND if the wanted part is absent
 */
export function arrayKeys(names: readonly string[], split: Split | undefined, source: string): ArrayKeys {
  const candidates = names
    .filter((name) => meaningOf(name).role === 'images')
    .sort((a, b) => meaningOf(a).rest.length - meaningOf(b).rest.length);
  const images = ofSplit(candidates, split, source)[0];
  if (images === undefined) {
    const present = names.length === 0 ? 'no arrays' : `the arrays ${names.join(', ')}`;
    throw new NeuralCleanseError(
      'DATA_FORMAT_UNKNOWN',
      `${source} holds ${present}, and none is named as images are.`,
      {
        hint: names.includes('model_weights')
          ? 'This is a Keras model; give it as the model and the images as data.'
          : 'Name the arrays X_test and Y_test, or x and y.',
        data: { names },
      },
    );
  }
  return { images, labels: labelsNameFor(images, names) };
}

/** The name among `names` of the labels that belong to an array of images. */
export function labelsNameFor(images: string, names: readonly string[]): string | undefined {
  const { role, rest } = meaningOf(images);
  if (role !== 'images') return undefined;
  return names.find((name) => {
    const other = meaningOf(name);
    return other.role === 'labels' && other.rest === rest;
  });
}

/** What an array or column of this name holds. */
export const roleOf = (name: string): Meaning['role'] => meaningOf(name).role;

/** Of several names the one that speaks of this role, and of the fewest other things; undefined if there are several. */
export function preferred(names: readonly string[], role: Meaning['role']): string | undefined {
  const fitting = names.filter((name) => roleOf(name) === role);
  const plain = fitting.filter((name) => meaningOf(name).rest === '');
  const [found, ...more] = plain.length > 0 ? plain : fitting;
  return more.length === 0 ? found : undefined;
}

/** True for names that .npy and IDX files have, compressed or not. */
export const isArrayFile = (path: string): boolean => /(\.npy|[-.]idx\d?(-ubyte)?|ubyte)(\.gz)?$/i.test(path);

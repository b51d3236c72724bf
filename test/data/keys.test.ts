import { describe, expect, it } from 'vitest';
import { arrayKeys, isArrayFile, labelsNameFor } from '../../src/data/keys.ts';
import { ofSplit, splitOf } from '../../src/data/splits.ts';
import { codeOf } from './support.ts';

describe('names of parts', () => {
  it.each([
    ['X_test', 'test'],
    ['Final_Training', 'train'],
    ['GT-final_test.csv', 'test'],
    ['t10k-images-idx3-ubyte', 'test'],
    ['val', 'validation'],
    ['contest', undefined],
    ['constructor', undefined],
    ['00012', undefined],
  ])('%s', (name, part) => {
    expect(splitOf(name)).toBe(part);
  });

  it('prefer test, then validation, then train', () => {
    expect(ofSplit(['train', 'val', 'test'], undefined, 'f')).toEqual(['test']);
    expect(ofSplit(['train', 'val'], undefined, 'f')).toEqual(['val']);
    expect(ofSplit(['train', 'val'], 'test', 'f')).toEqual(['val']);
    expect(ofSplit(['x'], undefined, 'f')).toEqual(['x']);
    expect(ofSplit(['x', 'test'], 'train', 'f')).toEqual(['x']);
    expect(ofSplit([], 'train', 'f')).toEqual([]);
  });

  it('are missed where all names speak of another part', async () => {
    expect(await codeOf(() => ofSplit(['train'], 'test', 'f'))).toBe('DATA_NOT_FOUND');
    expect(await codeOf(() => ofSplit(['test', 'val'], 'train', 'f'))).toBe('DATA_NOT_FOUND');
  });
});

describe('names of arrays', () => {
  it.each([
    [['X_test', 'X_train', 'Y_test', 'Y_train'], undefined, 'X_test', 'Y_test'],
    [['X_test', 'X_train', 'Y_test', 'Y_train'], 'train', 'X_train', 'Y_train'],
    [['x_train', 'y_train', 'x_test', 'y_test'], 'test', 'x_test', 'y_test'],
    [
      ['train_images', 'train_labels', 'val_images', 'val_labels', 'test_images', 'test_labels'],
      undefined,
      'test_images',
      'test_labels',
    ],
    [['x.npy', 'y.npy'], undefined, 'x.npy', 'y.npy'],
    [['labels', 'images', 'image_names'], 'test', 'images', 'labels'],
    [['arr_0.npy', 'arr_1.npy'], 'train', 'arr_0.npy', 'arr_1.npy'],
    [['data', 'data_labels'], undefined, 'data', 'data_labels'],
    [['X_test'], undefined, 'X_test', undefined],
    [['batch_label', 'labels', 'data', 'filenames'], undefined, 'data', 'labels'],
    [['filenames', 'coarse_labels', 'fine_labels', 'data'], undefined, 'data', 'fine_labels'],
    [
      ['t10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte', 'train-images-idx3-ubyte'],
      undefined,
      't10k-images-idx3-ubyte',
      't10k-labels-idx1-ubyte',
    ],
    [
      ['train-images.idx3-ubyte.gz', 'train-labels.idx1-ubyte'],
      'train',
      'train-images.idx3-ubyte.gz',
      'train-labels.idx1-ubyte',
    ],
    [['a/x.npy', 'b/y.npy', 'a/y.npy'], undefined, 'a/x.npy', 'a/y.npy'],
  ] as const)('%s, %s part', (names, split, images, labels) => {
    expect(arrayKeys(names, split, 'f')).toEqual({ images, labels });
  });

  it('find no images of another part', async () => {
    expect(await codeOf(() => arrayKeys(['X_train', 'Y_train'], 'test', 'f'))).toBe('DATA_NOT_FOUND');
    expect(await codeOf(() => arrayKeys([], undefined, 'f'))).toBe('DATA_FORMAT_UNKNOWN');
  });

  it('tell what there is instead, and know a Keras model', () => {
    expect(() => arrayKeys(['faces'], undefined, 'f.npz')).toThrow(
      /f\.npz holds the arrays faces.*X_test and Y_test/,
    );
    expect(() => arrayKeys(['model_weights'], undefined, 'm.h5')).toThrow(/Keras model/);
  });

  it('belong together only if they agree in all else', () => {
    expect(
      labelsNameFor('emnist-digits-test-images-idx3-ubyte', [
        'emnist-digits-train-labels-idx1-ubyte',
        'emnist-digits-test-labels-idx1-ubyte',
      ]),
    ).toBe('emnist-digits-test-labels-idx1-ubyte');
    expect(labelsNameFor('Y_test.npy', ['Y_test.npy'])).toBeUndefined();
  });

  it.each(['x.npy', 'x.npy.gz', 't10k-images-idx3-ubyte', 'train-images.idx3-ubyte.gz', 'images.idx'])(
    '%s is a file of an array',
    (path) => {
      expect(isArrayFile(path)).toBe(true);
    },
  );

  it.each(['a.png', 'labels.csv', 'x.npz', 'idx.txt'])('%s is none', (path) => {
    expect(isArrayFile(path)).toBe(false);
  });
});

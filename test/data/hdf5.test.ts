import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { File, ready } from 'h5wasm/node';
import { describe, expect, it } from 'vitest';
import type { ImageSet } from '../../src/data/dataset.ts';
import { openDataset } from '../../src/data/files.ts';
import type { DatasetOptions } from '../../src/data/open.ts';
import { codeOf, expectTypedErrorsOnly, temporaryFolder } from './support.ts';

type Create = (file: File) => void;

/** Pixel p of image n is (7n + p) mod 256. */
const pixels = (count: number, size: number): Uint8Array =>
  Uint8Array.from({ length: count * size }, (_, i) => 7 * Math.floor(i / size) + (i % size));

const originalKeys: Create = (file) => {
  file.create_dataset({
    name: 'X_test',
    data: pixels(50, 48),
    shape: [50, 4, 4, 3],
    chunks: [8, 4, 4, 3],
    compression: 4,
  });
  file.create_dataset({
    name: 'Y_test',
    data: Uint8Array.from({ length: 50 }, (_, i) => i % 5),
    shape: [50],
  });
  file.create_dataset({ name: 'X_train', data: pixels(3, 48), shape: [3, 4, 4, 3] });
  file.create_dataset({ name: 'Y_train', data: Uint8Array.of(2, 0, 1), shape: [3] });
};

async function fileOf(create: Create): Promise<string> {
  await ready;
  const path = join(await temporaryFolder(), 'data.h5');
  const file = new File(path, 'w');
  create(file);
  file.close();
  return path;
}

const opened = async (create: Create, options?: DatasetOptions): Promise<ImageSet> =>
  openDataset(await fileOf(create), options);

describe('HDF5 files with the keys of the original Neural Cleanse', () => {
  it('give the test part', async () => {
    const set = await opened(originalKeys);
    expect(set).toMatchObject({ count: 50, height: 4, width: 4, channels: 3, range: [0, 255], classes: 5 });
    expect(set.images).toEqual(pixels(50, 48));
    expect([...set.labels!].slice(0, 6)).toEqual([0, 1, 2, 3, 4, 0]);
  });

  it('give the training part on request', async () => {
    const set = await opened(originalKeys, { split: 'train' });
    expect([set.count, [...set.labels!]]).toEqual([3, [2, 0, 1]]);
  });

  it('give a balanced sample, read in runs of chunks', async () => {
    const set = await opened(originalKeys, { limit: 10, seed: 4 });
    const all = pixels(50, 48);
    expect([...set.labels!].sort()).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
    for (let i = 0; i < 10; i++) {
      // The first pixel tells which image it is.
      const index = Array.from({ length: 50 }, (_, n) => n).find(
        (n) => (7 * n) % 256 === set.images[i * 48],
      )!;
      expect(set.images.subarray(i * 48, (i + 1) * 48)).toEqual(all.subarray(index * 48, (index + 1) * 48));
      expect(set.labels![i]).toBe(index % 5);
    }
  });

  it('are read across chunk boundaries, whatever the size of a run', async () => {
    // 900 images of 3 KiB are several runs, the last of them short.
    const stored = pixels(900, 3072);
    const set = await opened((file) => {
      const shape = [900, 32, 32, 3];
      file.create_dataset({ name: 'X_test', data: stored, shape, chunks: [33, 16, 16, 1], compression: 1 });
    });
    expect(Buffer.compare(set.images as Uint8Array, stored)).toBe(0);
    expect(set.labels).toBeUndefined();
  });

  it('may have one-hot labels', async () => {
    const set = await opened((file) => {
      file.create_dataset({ name: 'X_test', data: pixels(2, 4), shape: [2, 2, 2, 1] });
      file.create_dataset({ name: 'Y_test', data: Float32Array.of(0, 0, 1, 0, 1, 0, 0, 0), shape: [2, 4] });
    });
    expect([[...set.labels!], set.classes]).toEqual([[2, 0], 4]);
  });

  it('may be resized and made grey', async () => {
    const set = await opened(originalKeys, { size: [8, 6], channels: 1 });
    expect([set.height, set.width, set.channels, set.images.length]).toEqual([8, 6, 1, 50 * 48]);
  });

  it('may hold floats, whose range is told from their values', async () => {
    const set = await opened((file) => {
      file.create_dataset({ name: 'X_test', data: Float32Array.of(0, 0.25, 0.5, 1), shape: [1, 2, 2, 1] });
    });
    expect([set.images, set.range]).toEqual([Float32Array.of(0, 0.25, 0.5, 1), [0, 1]]);
  });
});

describe('HDF5 files are refused', () => {
  it.each<[string, string, Create]>([
    ['DATA_FORMAT_UNKNOWN', 'without images', (file) => file.create_dataset({ name: 'faces', data: [1, 2] })],
    ['DATA_FORMAT_UNKNOWN', 'with a group for images', (file) => file.create_group('X_test')],
    [
      'DATA_FORMAT_UNKNOWN',
      'with a link to another file',
      (file) => file.create_external_link('other.h5', 'x', 'X_test'),
    ],
    [
      'DATA_FORMAT_UNKNOWN',
      'with text for images',
      (file) => file.create_dataset({ name: 'X_test', data: ['a'], shape: [1, 1, 1, 1] }),
    ],
    [
      'DATA_SHAPE_MISMATCH',
      'with another shape',
      (file) => file.create_dataset({ name: 'X_test', data: pixels(2, 4), shape: [2, 4] }),
    ],
    [
      'DATA_EMPTY',
      'with no image',
      (file) => file.create_dataset({ name: 'X_test', data: new Uint8Array(0), shape: [0, 4, 4, 3] }),
    ],
    [
      'DATA_COUNT_MISMATCH',
      'with too few labels',
      (file) => {
        file.create_dataset({ name: 'X_test', data: pixels(2, 4), shape: [2, 2, 2, 1] });
        file.create_dataset({ name: 'Y_test', data: Uint8Array.of(1), shape: [1] });
      },
    ],
    [
      'DATA_NAN',
      'with a pixel that is no number',
      (file) =>
        file.create_dataset({ name: 'X_test', data: Float32Array.of(0, Number.NaN), shape: [1, 1, 2, 1] }),
    ],
  ])('%s %s', async (code, _, create) => {
    expect(await codeOf(() => opened(create))).toBe(code);
  });

  it('with labels outside the classes of the model', async () => {
    expect(await codeOf(() => opened(originalKeys, { classes: 4 }))).toBe('DATA_LABEL_RANGE');
  });

  it('when they are cut off', async () => {
    const path = await fileOf(originalKeys);
    const bytes = await readFile(path);
    await writeFile(path, bytes.subarray(0, bytes.length * 0.7));
    await expect(openDataset(path)).rejects.toMatchObject({
      code: 'DATA_CORRUPT',
      message: expect.stringContaining('truncated'),
    });
  });

  it('with typed errors only, whatever is damaged', async () => {
    const bytes = new Uint8Array(await readFile(await fileOf(originalKeys)));
    const path = join(await temporaryFolder(), 'damaged.h5');
    await expectTypedErrorsOnly(
      bytes,
      async (damaged) => {
        await writeFile(path, damaged);
        await openDataset(path);
      },
      150,
    );
  });
});

describe('HDF5 files of h5py', () => {
  const stored = Array.from({ length: 36 }, (_, i) => i);
  const fixture = (name: string) => openDataset(`test/fixtures/hdf5/${name}.h5`);

  it('may be big-endian', async () => {
    const set = await fixture('big_endian');
    expect([[...set.images], [...set.labels!]]).toEqual([stored.map((i) => Math.fround(i / 35)), [3, 1]]);
  });

  it('may have one-hot labels of booleans', async () => {
    const set = await fixture('booleans');
    expect([[...set.images], [...set.labels!], set.classes]).toEqual([stored, [3, 1], 5]);
  });

  it('may begin with a block of the user', async () => {
    expect([...(await fixture('user_block')).images]).toEqual(stored);
  });

  it.each([
    ['half', 'DATA_FORMAT_UNKNOWN'],
    ['lzf', 'DATA_FORMAT_UNKNOWN'],
    ['huge', 'DATA_TOO_LARGE'],
  ])('are refused: %s', async (name, code) => {
    await expect(fixture(name)).rejects.toMatchObject({ code });
  });
});

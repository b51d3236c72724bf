import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ImageSet } from '../../src/data/dataset.ts';
import { decodeImage } from '../../src/data/decode.ts';
import { openDataset } from '../../src/data/files.ts';
import { type DatasetOptions, readDataset } from '../../src/data/open.ts';
import { codeOf, expectTypedErrorsOnly, type Files, memoryTree } from './support.ts';

const fixture = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../fixtures/parquet/${name}.parquet`, import.meta.url)));

const read = (files: Files, options: DatasetOptions = {}, file?: string): Promise<ImageSet> =>
  readDataset(memoryTree(files), file, options, { decodeImage });
const readOne = (name: string, options?: DatasetOptions): Promise<ImageSet> =>
  read({ [`${name}.parquet`]: fixture(name) }, options, `${name}.parquet`);

/** The first pixel of each image: ten times its row. */
const greys = ({ images, height, width, channels, count }: ImageSet): number[] =>
  Array.from({ length: count }, (_, i) => images[i * height * width * channels]!);
const labels = [0, 2, 1, 2, 0, 1];

describe('Parquet files of Hugging Face', () => {
  it('give images, labels and the names of the classes', async () => {
    const set = await readOne('huggingface');
    expect(set).toMatchObject({
      count: 6,
      height: 2,
      width: 3,
      channels: 1,
      classes: 3,
      classNames: ['stop', 'go', 'turn'],
      skipped: [],
    });
    expect([greys(set), [...set.labels!]]).toEqual([[0, 10, 20, 30, 40, 50], labels]);
  });

  it('give a balanced sample across row groups', async () => {
    const set = await readOne('huggingface', { limit: 3, seed: 2 });
    expect([...set.labels!].sort()).toEqual([0, 1, 2]);
    for (const [i, grey] of greys(set).entries()) expect(labels[grey / 10]).toBe(set.labels![i]);
  });

  it('open from a folder: all parts of the wanted split, in order', async () => {
    const files = {
      'README.md': '',
      'logo.png': 'not an image',
      'data/train-00000-of-00002.parquet': fixture('huggingface'),
      'data/train-00001-of-00002.parquet': fixture('huggingface'),
      'data/test-00000-of-00001.parquet': fixture('two_labels'),
    };
    const train = await read(files, { split: 'train' });
    expect(greys(train)).toEqual([0, 10, 20, 30, 40, 50, 0, 10, 20, 30, 40, 50]);
    expect([...train.labels!]).toEqual([...labels, ...labels]);
    expect((await read(files)).count).toBe(20);
    const other = { 'default/train/0000.parquet': fixture('huggingface') };
    expect((await read(other)).count).toBe(6);
    expect(await codeOf(() => read(other, { split: 'test' }))).toBe('DATA_NOT_FOUND');
  });

  it('open from the disk', async () => {
    const path = new URL('../fixtures/parquet/huggingface.parquet', import.meta.url).pathname;
    expect(greys(await openDataset(path))).toEqual([0, 10, 20, 30, 40, 50]);
  });

  it('leave out rows without an image, and say which', async () => {
    const set = await readOne('two_labels');
    expect([set.count, set.classes]).toEqual([20, 5]);
    expect(set.skipped).toEqual([
      { path: 'two_labels.parquet#20', reason: expect.stringContaining('no image bytes') },
    ]);
  });

  it('choose the labels that the model has classes for, else the fine ones', async () => {
    expect((await readOne('two_labels', { classes: 2 })).classNames).toEqual(['animal', 'thing']);
    expect((await readOne('two_labels', { classes: 5 })).labels![7]).toBe(2);
    expect((await readOne('two_labels', { classes: 9 })).labels![7]).toBe(2);
  });
});

describe('other Parquet files', () => {
  it.each(['none', 'snappy', 'gzip', 'brotli', 'zstd', 'lz4', 'version_2'])('read: %s', async (name) => {
    const set = await readOne(name);
    expect([greys(set), [...set.labels!], set.classNames]).toEqual([
      [0, 10, 20, 30, 40, 50],
      labels,
      undefined,
    ]);
  });

  it.each([
    ['delta', 'DATA_FORMAT_UNKNOWN', /column label of .* is encoded as DELTA_BINARY_PACKED/],
    ['lists', 'DATA_FORMAT_UNKNOWN', /image\.list\.element.* \(list of INT32\), label \(INT64\)/],
    ['two_images', 'DATA_COLUMNS_AMBIGUOUS', /images of .* may be those of the columns left, right/],
  ])('are refused: %s', async (name, code, message) => {
    await expect(readOne(name)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('are refused where parts or folders do not belong together', async () => {
    const mixed = { 'a.parquet': fixture('huggingface'), 'b.parquet': fixture('two_labels') };
    await expect(read(mixed)).rejects.toThrow(/b\.parquet has no column image\.bytes/);
    const configurations = { 'en/a.parquet': fixture('huggingface'), 'fr/a.parquet': fixture('huggingface') };
    await expect(read(configurations)).rejects.toThrow(/several folders: en, fr\. Give one/);
  });
});

describe('damaged Parquet files', () => {
  it('are named when they are cut off', async () => {
    const bytes = fixture('snappy');
    for (const length of [5, 100, bytes.length - 9, bytes.length - 1]) {
      expect(await codeOf(() => read({ 'a.parquet': bytes.subarray(0, length) }))).toBe('DATA_CORRUPT');
    }
  });

  it('are named when their table of contents is longer than they are', async () => {
    const bytes = fixture('snappy').slice();
    new DataView(bytes.buffer).setUint32(bytes.length - 8, 2 ** 31, true);
    await expect(read({ 'a.parquet': bytes })).rejects.toThrow(/table of contents of 2147483648/);
  });

  it.each(['huggingface', 'snappy', 'gzip', 'brotli', 'zstd', 'lz4', 'version_2'])(
    'end in typed errors only: %s',
    async (name) => {
      await expectTypedErrorsOnly(fixture(name), (bytes) => read({ 'a.parquet': bytes }), 250);
    },
  );
});

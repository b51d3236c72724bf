import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { ImageSet } from '../../src/data/dataset.ts';
import { decodeImage } from '../../src/data/decode.ts';
import { openDataset } from '../../src/data/files.ts';
import { writeNpy } from '../../src/data/npy.ts';
import type { DatasetOptions } from '../../src/data/open.ts';
import { readDataset } from '../../src/data/open.ts';
import type { Tensor } from '../../src/onnx/tensor.ts';
import { codeOf, expectTypedErrorsOnly, type Files, memoryTree, ppm, temporaryFolder } from './support.ts';

const opened = async (files: Files, options?: DatasetOptions, file = ''): Promise<ImageSet> =>
  openDataset(join(await temporaryFolder(files), file), options);

const colours = { red: [200, 0, 0], green: [0, 150, 0], blue: [0, 0, 100] } as const;
const png = async (height: number, width: number, [r, g, b]: readonly number[]): Promise<Uint8Array> =>
  new Uint8Array(
    await sharp({ create: { height, width, channels: 3, background: { r: r!, g: g!, b: b! } } })
      .png()
      .toBuffer(),
  );
const greyPng = async (value: number): Promise<Uint8Array> =>
  new Uint8Array(
    await sharp(new Uint8Array(4).fill(value), { raw: { width: 2, height: 2, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toBuffer(),
  );

const bytesTensor = (dims: number[], data: Uint8Array): Tensor => ({ dtype: 'uint8', dims, data });
const images = bytesTensor([2, 2, 2, 1], Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7));
const labels = bytesTensor([2], Uint8Array.of(1, 0));
/** [2, 2, 2] and [2] as IDX. */
const idxImages = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 2, 3, 4, 5, 6, 7);
const idxLabels = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 1, 0);
const expected = {
  images: images.data,
  count: 2,
  height: 2,
  width: 2,
  channels: 1,
  range: [0, 255],
  labels: Int32Array.of(1, 0),
  classes: 2,
};

describe('a folder of images', () => {
  it('gives pixels, labels and names', async () => {
    const set = await opened({
      'go/a.ppm': ppm(2, 3, colours.green),
      'stop/b.png': await png(2, 3, colours.red),
    });
    expect(set).toMatchObject({
      count: 2,
      height: 2,
      width: 3,
      channels: 3,
      classes: 2,
      classNames: ['go', 'stop'],
      skipped: [],
    });
    expect([...set.images.subarray(0, 3), ...set.images.subarray(18, 21)]).toEqual([
      ...colours.green,
      ...colours.red,
    ]);
    expect([...set.labels!]).toEqual([0, 1]);
  });

  it('is resized and converted on request', async () => {
    const files = { '0/a.ppm': ppm(9, 5, colours.red), '1/b.png': await png(2, 30, colours.blue) };
    const set = await opened(files, { size: [4, 6], channels: 1 });
    expect(set).toMatchObject({ height: 4, width: 6, channels: 1 });
    expect([set.images[0], set.images[24]]).toEqual([60, 11]);
  });

  it('is grey if all images are, else RGB', async () => {
    const grey = { '0/a.png': await greyPng(7), '1/b.pgm': ppm(2, 2, [9]) };
    expect((await opened(grey)).channels).toBe(1);
    expect((await opened(grey, { channels: 3 })).images.length).toBe(2 * 4 * 3);
    const mixed = await opened({ ...grey, '1/c.ppm': ppm(2, 2, colours.red) });
    expect([mixed.channels, [...mixed.images.subarray(0, 3)]]).toEqual([3, [7, 7, 7]]);
  });

  it('needs a size if images have different ones, and names two of them', async () => {
    const files = { '0/a.ppm': ppm(2, 2, [1]), '1/b.ppm': ppm(2, 3, [1]) };
    await expect(opened(files)).rejects.toMatchObject({
      code: 'DATA_SHAPE_MISMATCH',
      message: expect.stringMatching(/b\.ppm has 3×2.*a\.ppm has 2×2/),
    });
    expect((await opened(files, { size: [2, 2] })).count).toBe(2);
  });

  it('is told by content, not by extension', async () => {
    const set = await opened({ '0/a.jpg': ppm(2, 2, colours.red), '1/b.ppm': await png(2, 2, colours.blue) });
    expect([...set.images.subarray(0, 3), ...set.images.subarray(12, 15)]).toEqual([
      ...colours.red,
      ...colours.blue,
    ]);
  });

  it('leaves out a tenth of unreadable images, and says so', async () => {
    const files = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`0/${i}.ppm`, ppm(2, 2, [i])]));
    const set = await opened({ ...files, '1/x.png': 'no image' });
    expect([set.count, [...set.labels!], set.classes]).toEqual([9, new Array(9).fill(0), 2]);
    expect(set.skipped).toEqual([{ path: '1/x.png', reason: expect.stringContaining('cannot be decoded') }]);
    const two = { ...files, '1/x.png': 'no image', '1/y.ppm': 'P6 cut' };
    await expect(opened(two)).rejects.toMatchObject({
      code: 'DATA_TOO_MANY_UNREADABLE',
      message: expect.stringMatching(/2 of 11.*1\/x\.png/),
    });
  });

  it('does not miss images that a table lists but the folder lacks', async () => {
    const table = Array.from({ length: 9 }, (_, i) => `${i}.ppm,${i % 2}`).join('\n');
    const set = await opened({ '3.ppm': ppm(2, 2, [1]), '4.ppm': ppm(2, 2, [1]), 'labels.csv': table });
    expect([set.count, [...set.labels!], set.skipped.length]).toEqual([2, [1, 0], 7]);
  });

  it('cannot be resized to nothing', async () => {
    expect(await codeOf(() => opened({ '0/a.ppm': ppm(2, 2, [1]) }, { size: [0, 2] }))).toBe(
      'DATA_SHAPE_MISMATCH',
    );
  });

  it('gives the same with a sample as without, for the images in it', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [`${i % 4}/${i}.ppm`, ppm(2, 2, [i])]),
    );
    const set = await opened(files, { limit: 8, seed: 1 });
    expect([...set.labels!].sort()).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
    for (let i = 0; i < 8; i++) expect(set.images[4 * i]! % 4).toBe(set.labels![i]);
    expect(await opened(files, { limit: 8, seed: 1 }).then(({ images }) => images)).toEqual(set.images);
    expect((await opened(files, { limit: 100 })).count).toBe(40);
  });

  it('refuses labels outside the classes of the model before it decodes', async () => {
    const files = { '3/a.png': 'not even an image', '12/b.png': 'nor this' };
    await expect(opened(files, { classes: 10 })).rejects.toMatchObject({
      code: 'DATA_LABEL_RANGE',
      message: expect.stringContaining('label 12'),
    });
  });

  it('refuses named classes that are not as many as those of the model', async () => {
    const files = { 'cat/a.ppm': ppm(2, 2, [1]), 'dog/b.ppm': ppm(2, 2, [2]) };
    expect(await codeOf(() => opened(files, { classes: 3 }))).toBe('DATA_CLASSES_AMBIGUOUS');
    expect((await opened(files, { classes: 2 })).classes).toBe(2);
  });

  it('follows links, each folder once, and reports broken ones', async () => {
    const root = await temporaryFolder(
      Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`0/${i}.ppm`, ppm(2, 2, [i])])),
    );
    const elsewhere = await temporaryFolder({ 'b.ppm': ppm(2, 2, [99]) });
    await symlink(elsewhere, join(root, '1'));
    await symlink(root, join(root, '0', 'loop'));
    await symlink(join(root, 'nowhere.ppm'), join(root, '0', 'broken.ppm'));
    const set = await openDataset(root);
    expect([set.count, set.skipped]).toEqual([
      11,
      [{ path: '0/broken.ppm', reason: 'a link that leads nowhere' }],
    ]);
    expect([...set.labels!]).toEqual([...new Array(10).fill(0), 1]);
  });

  it('does not see hidden files', async () => {
    const set = await opened({
      '0/a.ppm': ppm(2, 2, [1]),
      '0/.b.ppm': 'x',
      '.cache/c.png': 'x',
      '1/d.ppm': ppm(2, 2, [2]),
    });
    expect([set.count, set.skipped]).toEqual([2, []]);
  });

  it('may be a single image', async () => {
    expect(await opened({ 'a.ppm': ppm(2, 3, [5]), 'b.ppm': 'x' }, {}, 'a.ppm')).toMatchObject({
      count: 1,
      height: 2,
      width: 3,
      labels: undefined,
    });
  });
});

describe('a GTSRB folder', () => {
  const heading = 'Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n';
  /** 8 × 8 pixels, grey but for a white sign from (2,2) to (6,6). */
  const sign = (() => {
    const bytes = ppm(8, 8, [50, 50, 50]);
    for (let y = 2; y < 6; y++)
      bytes.fill(255, bytes.length - 192 + (y * 8 + 2) * 3, bytes.length - 192 + (y * 8 + 6) * 3);
    return bytes;
  })();

  it('is cropped to the signs on request, with regions scaled where images were resized', async () => {
    const files = {
      '00005/a.ppm': sign,
      '00005/GT-00005.csv': `${heading}a.ppm;8;8;2;2;6;6;5\n`,
      '00007/b.ppm': sign,
      '00007/GT-00007.csv': `${heading}b.ppm;40;40;10;10;30;30;7\n`,
    };
    const whole = await opened(files);
    expect([whole.height, whole.images.includes(50), whole.classes, [...whole.labels!]]).toEqual([
      8,
      true,
      8,
      [5, 7],
    ]);
    const cropped = await opened(files, { roi: true });
    expect([cropped.height, cropped.width, new Set(cropped.images)]).toEqual([4, 4, new Set([255])]);
  });

  it('must have its tables to be cropped', async () => {
    expect(await codeOf(() => opened({ '0/a.ppm': sign }, { roi: true }))).toBe('DATA_NOT_FOUND');
    expect(await codeOf(() => opened({ 'x.npy': writeNpy(images) }, { roi: true }, 'x.npy'))).toBe(
      'DATA_NOT_FOUND',
    );
  });
});

describe('arrays', () => {
  it('open from .npy files with labels beside them', async () => {
    const files = { 'X_test.npy': writeNpy(images), 'Y_test.npy': writeNpy(labels), 'X_train.npy': 'x' };
    expect(await opened(files, {}, 'X_test.npy')).toMatchObject(expected);
    expect(await opened(files)).toMatchObject(expected);
  });

  it('open from .npz files', async () => {
    const npz = zipSync({ 'x.npy': writeNpy(images), 'y.npy': writeNpy(labels) });
    expect(await opened({ 'data.npz': npz }, {}, 'data.npz')).toMatchObject(expected);
    expect(await opened({ 'data.npz': npz, 'README.txt': '' })).toMatchObject(expected);
  });

  it('open from the Python version of CIFAR, saved by NumPy', async () => {
    // Three planes of 32 × 32 pixels in each row.
    const rows = Uint8Array.from({ length: 2 * 3072 }, (_, i) => 1 + Math.floor((i % 3072) / 1024));
    const data = writeNpy(bytesTensor([2, 3072], rows));
    const numbers = (...values: number[]) => writeNpy(bytesTensor([values.length], Uint8Array.from(values)));
    const ten = zipSync({
      'data.npy': data,
      'labels.npy': numbers(3, 9),
      'filenames.npy': new Uint8Array(9),
    });
    const set = await opened({ 'cifar.npz': ten }, {}, 'cifar.npz');
    expect(set).toMatchObject({ count: 2, height: 32, width: 32, channels: 3 });
    expect([[...set.images.subarray(0, 4)], [...set.labels!]]).toEqual([
      [1, 2, 3, 1],
      [3, 9],
    ]);
    const hundred = {
      'coarse_labels.npy': numbers(1, 2),
      'data.npy': data,
      'fine_labels.npy': numbers(50, 99),
    };
    expect([...(await opened({ 'c.npz': zipSync(hundred) }, {}, 'c.npz')).labels!]).toEqual([50, 99]);
  });

  it('open from IDX files with labels beside them, packed or not', async () => {
    const plain = { 't10k-images-idx3-ubyte': idxImages, 't10k-labels-idx1-ubyte': idxLabels };
    expect(await opened(plain, {}, 't10k-images-idx3-ubyte')).toMatchObject(expected);
    const packed = {
      'train-images.idx3-ubyte.gz': gzipSync(idxImages),
      'train-labels.idx1-ubyte.gz': gzipSync(idxLabels),
    };
    expect(await opened({ ...plain, ...packed }, { split: 'train' })).toMatchObject(expected);
  });

  it('open from IDX files without labels', async () => {
    expect(await opened({ 'images.idx': idxImages }, {}, 'images.idx')).toMatchObject({
      count: 2,
      labels: undefined,
      classes: undefined,
    });
  });

  it('open from CIFAR batches', async () => {
    const record = (label: number) => [
      label,
      ...new Array<number>(1024).fill(1),
      ...new Array<number>(1024).fill(2),
      ...new Array<number>(1024).fill(3),
    ];
    const files = {
      'cifar/data_batch_1.bin': Uint8Array.from([...record(4), ...record(5)]),
      'cifar/data_batch_2.bin': Uint8Array.from(record(6)),
      'cifar/test_batch.bin': Uint8Array.from(record(7)),
    };
    const test = await opened(files);
    expect(test).toMatchObject({ count: 1, height: 32, width: 32, channels: 3, classes: 10 });
    expect([...test.images.subarray(0, 6)]).toEqual([1, 2, 3, 1, 2, 3]);
    expect([...(await opened(files, { split: 'train' })).labels!]).toEqual([4, 5, 6]);
    expect((await opened(files, {}, 'cifar/data_batch_1.bin')).count).toBe(2);
  });

  it('may be NCHW, and are turned', async () => {
    const planes = bytesTensor(
      [1, 3, 4, 4],
      Uint8Array.from({ length: 48 }, (_, i) => Math.floor(i / 16)),
    );
    const set = await opened({ 'x.npy': writeNpy(planes) }, {}, 'x.npy');
    expect([set.channels, [...set.images.subarray(0, 6)]]).toEqual([3, [0, 1, 2, 0, 1, 2]]);
  });

  it('may be floats, which resize without rounding', async () => {
    const floats: Tensor = { dtype: 'float64', dims: [1, 1, 2, 1], data: Float64Array.of(0, 1) };
    const set = await opened({ 'x.npy': writeNpy(floats) }, { size: [1, 4] }, 'x.npy');
    expect([set.range, [...set.images]]).toEqual([
      [0, 1],
      [0, 0.25, 0.75, 1],
    ]);
  });

  it('may be sampled', async () => {
    const many = bytesTensor(
      [90, 2, 2, 1],
      Uint8Array.from({ length: 360 }, (_, i) => Math.floor(i / 4)),
    );
    const classes = bytesTensor(
      [90],
      Uint8Array.from({ length: 90 }, (_, i) => Math.floor(i / 30)),
    );
    const set = await opened({ 'x.npy': writeNpy(many), 'y.npy': writeNpy(classes) }, { limit: 6 }, 'x.npy');
    expect([...set.labels!].sort()).toEqual([0, 0, 1, 1, 2, 2]);
    for (let i = 0; i < 6; i++) expect(Math.floor(set.images[4 * i]! / 30)).toBe(set.labels![i]);
    // The classes are those of all images.
    const one = await opened({ 'x.npy': writeNpy(many), 'y.npy': writeNpy(classes) }, { limit: 1 }, 'x.npy');
    expect(one.classes).toBe(3);
  });

  it('are refused with other labels than images', async () => {
    const files = { 'x.npy': writeNpy(images), 'y.npy': writeNpy(bytesTensor([3], Uint8Array.of(0, 1, 2))) };
    expect(await codeOf(() => opened(files, {}, 'x.npy'))).toBe('DATA_COUNT_MISMATCH');
  });
});

describe('a zip archive', () => {
  it('opens as the folder in it', async () => {
    const zip = zipSync({
      'set/0/a.ppm': ppm(2, 2, [1]),
      'set/1/b.png': await greyPng(2),
      '__MACOSX/set/0/._a.ppm': new Uint8Array(3),
    });
    const set = await opened({ 'data.zip': zip }, {}, 'data.zip');
    expect([set.count, [...set.labels!], set.images[0], set.images[4]]).toEqual([2, [0, 1], 1, 2]);
    expect(set.source).toMatch(/data\.zip$/);
  });

  it('is not opened inside another, nor HDF5 files in it', async () => {
    const inner = zipSync({ '0/a.ppm': ppm(2, 2, [1]) });
    expect(await codeOf(() => opened({ 'a.zip': zipSync({ 'b.zip': inner }) }, {}, 'a.zip'))).toBe(
      'DATA_FORMAT_UNKNOWN',
    );
    expect(await codeOf(() => opened({ 'a.zip': zipSync({ 'b.h5': inner }) }, {}, 'a.zip'))).toBe(
      'DATA_FORMAT_UNKNOWN',
    );
  });

  it('is refused if it leads out of itself or is empty', async () => {
    expect(
      await codeOf(() => opened({ 'a.zip': zipSync({ '../0/a.ppm': ppm(2, 2, [1]) }) }, {}, 'a.zip')),
    ).toBe('DATA_UNSAFE_ARCHIVE');
    expect(await codeOf(() => opened({ 'a.zip': zipSync({}) }, {}, 'a.zip'))).toBe('DATA_EMPTY');
  });

  it('ends in typed errors only', async () => {
    const zip = zipSync({ 'x.npy': writeNpy(images), 'y.npy': writeNpy(labels) });
    await expectTypedErrorsOnly(
      zip,
      (bytes) => readDataset(memoryTree({ 'a.npz': bytes }), 'a.npz', {}, { decodeImage }),
      500,
    );
    const pictures = zipSync({ '0/a.ppm': ppm(2, 2, [1]), '1/b.ppm': ppm(2, 2, [2]) });
    await expectTypedErrorsOnly(
      pictures,
      (bytes) => readDataset(memoryTree({ 'a.zip': bytes }), 'a.zip', {}, { decodeImage }),
      300,
    );
  });
});

describe('what cannot be opened', () => {
  it.each<[string, string, Files, string]>([
    ['DATA_NOT_FOUND', 'a path that is not there', {}, 'nothing.h5'],
    ['DATA_EMPTY', 'an empty folder', {}, ''],
    ['DATA_FORMAT_UNKNOWN', 'a folder without images', { 'a.txt': 'x' }, ''],
    ['DATA_FORMAT_UNKNOWN', 'a file of text', { 'a.txt': 'hello' }, 'a.txt'],
    ['DATA_FORMAT_UNKNOWN', 'an empty file', { 'a.dat': '' }, 'a.dat'],
    ['DATA_FORMAT_UNKNOWN', 'a folder of two archives', { 'a.zip': zipSync({}), 'b.zip': zipSync({}) }, ''],
    ['DATA_FORMAT_UNKNOWN', 'a packed text', { 'a.gz': gzipSync('hello') }, 'a.gz'],
    ['DATA_CORRUPT', 'an array that is cut off', { 'x.npy': writeNpy(images).subarray(0, 130) }, 'x.npy'],
    ['DATA_SHAPE_MISMATCH', 'labels for images', { 'y.npy': writeNpy(labels) }, 'y.npy'],
    [
      'DATA_EMPTY',
      'an array of no images',
      { 'x.npy': writeNpy(bytesTensor([0, 2, 2, 1], new Uint8Array(0))) },
      'x.npy',
    ],
  ])('%s: %s', async (code, _, files, file) => {
    await expect(opened(files, {}, file)).rejects.toMatchObject({ code, hint: expect.stringMatching(/\.$/) });
  });

  it('names the formats that can', async () => {
    await expect(opened({ 'a.txt': 'x' }, {}, 'a.txt')).rejects.toThrow(/IDX.*\.npz.*HDF5/);
  });
});

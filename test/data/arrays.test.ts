import { describe, expect, it } from 'vitest';
import { imageArrayShape, imageAt, labelsFrom, pixelRange } from '../../src/data/arrays.ts';
import type { DType, Tensor } from '../../src/onnx/tensor.ts';
import { codeOf } from './support.ts';

const tensor = <T extends DType>(dtype: T, dims: number[], data: Tensor<T>['data']): Tensor =>
  ({ dtype, dims, data }) as Tensor;

describe('the shape of image arrays', () => {
  it.each([
    [[5, 32, 30, 3], { height: 32, width: 30, channels: 3, layout: 'NHWC' }],
    [[5, 3, 32, 30], { height: 32, width: 30, channels: 3, layout: 'NCHW' }],
    [[5, 28, 26, 1], { height: 28, width: 26, channels: 1, layout: 'NHWC' }],
    [[5, 1, 28, 26], { height: 28, width: 26, channels: 1, layout: 'NCHW' }],
    [[5, 28, 26], { height: 28, width: 26, channels: 1, layout: 'NHWC' }],
    // Where both ends could be channels:
    [[5, 784], { height: 28, width: 28, channels: 1, layout: 'NCHW' }],
    [[5, 3072], { height: 32, width: 32, channels: 3, layout: 'NCHW' }],
    [[5, 3, 9, 3], { height: 3, width: 9, channels: 3, layout: 'NHWC' }],
  ])('[%s]', (dims, expected) => {
    expect(imageArrayShape(dims, 'x')).toEqual({ count: 5, ...expected });
  });

  it.each([
    [[]],
    [[10]],
    [[10, 783]],
    [[10, 100]],
    [[32, 32, 3]],
    [[2, 8, 8, 4]],
    [[2, 0, 4, 3]],
    [[1, 2, 3, 4, 5]],
  ])('[%s] is refused', async (dims) => {
    expect(await codeOf(() => imageArrayShape(dims, 'x'))).toBe('DATA_SHAPE_MISMATCH');
  });
});

describe('one image of an array', () => {
  it('is the same from NCHW and NHWC', () => {
    const nhwc = tensor('uint8', [2, 1, 2, 3], Uint8Array.of(0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6));
    const nchw = tensor('uint8', [2, 3, 1, 2], Uint8Array.of(0, 0, 0, 0, 0, 0, 1, 4, 2, 5, 3, 6));
    const shape = { count: 2, height: 1, width: 2, channels: 3 as const };
    const image = { height: 1, width: 2, channels: 3, data: Uint8Array.of(1, 2, 3, 4, 5, 6) };
    expect(imageAt(nhwc, { ...shape, layout: 'NHWC' }, 1, 'x')).toEqual(image);
    expect(imageAt(nchw, { ...shape, layout: 'NCHW' }, 1, 'x')).toEqual(image);
  });

  const two = { count: 1, height: 1, width: 2, channels: 1 as const, layout: 'NHWC' as const };
  it.each([
    ['int64', BigInt64Array.of(0n, 255n), Uint8Array.of(0, 255)],
    ['int8', Int8Array.of(0, 127), Uint8Array.of(0, 127)],
    ['uint16', Uint16Array.of(3, 200), Uint8Array.of(3, 200)],
    ['bool', Uint8Array.of(0, 1), Float32Array.of(0, 1)],
    ['float16', Uint16Array.of(0x3c00, 0x3800), Float32Array.of(1, 0.5)],
    ['float64', Float64Array.of(0.25, 1), Float32Array.of(0.25, 1)],
  ] as const)('keeps the values of %s', (dtype, data, expected) => {
    expect(imageAt(tensor(dtype, [1, 1, 2], data), two, 0, 'x').data).toEqual(expected);
  });

  it.each([
    ['int16', Int16Array.of(0, -1)],
    ['uint16', Uint16Array.of(0, 256)],
    ['int64', BigInt64Array.of(0n, 1n << 40n)],
  ] as const)('refuses %s outside 0 to 255', async (dtype, data) => {
    expect(await codeOf(() => imageAt(tensor(dtype, [1, 1, 2], data), two, 0, 'x'))).toBe('DATA_PIXEL_RANGE');
  });
});

describe('the range of pixels', () => {
  it('is told from the values of floats, and fixed for bytes', () => {
    expect(pixelRange(Float32Array.of(0, 0.5, 1), 'x')).toEqual([0, 1]);
    expect(pixelRange(Float32Array.of(0, 0.5, 1.5), 'x')).toEqual([0, 255]);
    expect(pixelRange(Float32Array.of(0, 255), 'x')).toEqual([0, 255]);
    expect(pixelRange(Uint8Array.of(0, 1), 'x')).toEqual([0, 255]);
  });

  it.each([[[-0.5, 1]], [[0, 300]], [[-2.1, 2.6]]])('refuses what was normalised: %s', async (values) => {
    expect(await codeOf(() => pixelRange(Float32Array.from(values), 'x'))).toBe('DATA_PIXEL_RANGE');
  });
});

describe('labels', () => {
  it.each([
    [tensor('uint8', [3], Uint8Array.of(1, 0, 2)), undefined],
    [tensor('int64', [3, 1], BigInt64Array.of(1n, 0n, 2n)), undefined],
    [tensor('float32', [3], Float32Array.of(1, 0, 2)), undefined],
    [tensor('float16', [3], Uint16Array.of(0x3c00, 0, 0x4000)), undefined],
    [tensor('float32', [3, 3], Float32Array.of(0, 1, 0, 1, 0, 0, 0, 0, 1)), 3],
    [tensor('bool', [3, 4], Uint8Array.of(0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0)), 4],
    [tensor('int64', [3, 3], BigInt64Array.of(0n, 1n, 0n, 1n, 0n, 0n, 0n, 0n, 1n)), 3],
  ])('%# are read as numbers or one-hot rows', (labels, classes) => {
    expect(labelsFrom(labels, 'y')).toEqual({ labels: Int32Array.of(1, 0, 2), ...(classes && { classes }) });
  });

  it('keep negative numbers, which the check against the classes names', () => {
    expect([...labelsFrom(tensor('int8', [2], Int8Array.of(-1, 2)), 'y').labels]).toEqual([-1, 2]);
  });

  it.each([
    [tensor('float32', [2], Float32Array.of(0, 1.5)), 'DATA_LABEL_RANGE'],
    [tensor('float32', [1], Float32Array.of(Number.NaN)), 'DATA_LABEL_RANGE'],
    [tensor('int64', [1], BigInt64Array.of(1n << 40n)), 'DATA_LABEL_RANGE'],
    [tensor('uint8', [], Uint8Array.of(1)), 'DATA_SHAPE_MISMATCH'],
    [tensor('uint8', [1, 0], Uint8Array.of()), 'DATA_SHAPE_MISMATCH'],
    [tensor('uint8', [1, 2, 1], Uint8Array.of(1, 0)), 'DATA_SHAPE_MISMATCH'],
  ])('%# are refused: %s', async (labels, code) => {
    expect(await codeOf(() => labelsFrom(labels, 'y'))).toBe(code);
  });
});

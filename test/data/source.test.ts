import { describe, expect, it } from 'vitest';
import { allocate, arraySource, inMemory } from '../../src/data/source.ts';
import { codeOf } from './support.ts';

describe('a source of images in an array', () => {
  const tensor = { dtype: 'uint8', dims: [7, 1, 1, 1], data: Uint8Array.of(0, 1, 2, 3, 4, 5, 6) } as const;

  it('loads in the order asked for, in runs, each of which is read once', async () => {
    const reads: (readonly [number, number])[] = [];
    const array = {
      dims: tensor.dims,
      run: 3,
      read(first: number, count: number) {
        reads.push([first, count]);
        return { ...tensor, data: tensor.data.subarray(first, first + count) };
      },
    };
    const { images } = await arraySource('a', array, undefined).load([6, 1, 0, 6, 2], {});
    expect([[...images], reads]).toEqual([
      [6, 1, 0, 6, 2],
      [
        [0, 3],
        [6, 1],
      ],
    ]);
  });

  it('needs a label for each image', async () => {
    const labels = { labels: Int32Array.of(1, 2) };
    expect(await codeOf(() => arraySource('a', inMemory(tensor), labels))).toBe('DATA_COUNT_MISMATCH');
  });

  it('refuses more images than lists can hold, before it reads any', async () => {
    const array = { ...inMemory(tensor), dims: [10 ** 9, 1000, 1000, 3] };
    expect(await codeOf(() => arraySource('a', array, undefined))).toBe('DATA_TOO_LARGE');
  });

  it('refuses more pixels than an array can have', async () => {
    expect(await codeOf(() => allocate(new Uint8Array(0), 2 ** 32, 'a'))).toBe('DATA_TOO_LARGE');
  });
});

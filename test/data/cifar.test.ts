import { describe, expect, it } from 'vitest';
import { cifarFiles, isCifar, joinCifar, parseCifar } from '../../src/data/cifar.ts';
import { codeOf } from './support.ts';

/** Records whose pixels are the plane number, and the label bytes before them. */
function batch(...labels: readonly (readonly number[])[]): Uint8Array {
  const planes = [1, 2, 3].flatMap((plane) => new Array<number>(1024).fill(plane));
  return Uint8Array.from(labels.flatMap((label) => [...label, ...planes]));
}

describe('CIFAR batches', () => {
  it('read CIFAR-10: one label byte, three planes', () => {
    const { images, labels, classes } = parseCifar(batch([3], [9]), 'test_batch.bin');
    expect([images.dims, [...labels], classes]).toEqual([[2, 3, 32, 32], [3, 9], 10]);
    expect([images.data[0], images.data[1024], images.data[3071], images.data[3072]]).toEqual([1, 2, 3, 1]);
  });

  it('read CIFAR-100: the second label byte is the class', () => {
    const { labels, classes } = parseCifar(batch([19, 11], [4, 99]), 'test.bin');
    expect([[...labels], classes]).toEqual([[11, 99], 100]);
  });

  it('are told by size and label bytes', async () => {
    expect(isCifar(batch([10]))).toBe(false);
    expect(isCifar(batch([0, 100]))).toBe(false);
    expect(isCifar(new Uint8Array(3072))).toBe(false);
    expect(isCifar(new Uint8Array(0))).toBe(false);
    expect(await codeOf(() => parseCifar(new Uint8Array(3072), 'x.bin'))).toBe('DATA_CORRUPT');
  });

  it('join in order', () => {
    const joined = joinCifar([parseCifar(batch([1], [2]), 'a'), parseCifar(batch([3]), 'b')]);
    expect([joined.images.dims[0], [...joined.labels], joined.images.data.length]).toEqual([
      3,
      [1, 2, 3],
      3 * 3072,
    ]);
  });

  it('are chosen by part', () => {
    const paths = [
      'c/batches.meta.txt',
      'c/data_batch_1.bin',
      'c/data_batch_2.bin',
      'c/test_batch.bin',
      'c/readme.html',
    ];
    expect(cifarFiles(paths, undefined, 'c')).toEqual(['c/test_batch.bin']);
    expect(cifarFiles(paths, 'train', 'c')).toEqual(['c/data_batch_1.bin', 'c/data_batch_2.bin']);
    expect(cifarFiles(['train.bin', 'test.bin'], 'train', 'c')).toEqual(['train.bin']);
    expect(cifarFiles(['firmware.bin'], 'train', 'c')).toEqual([]);
  });
});

import { expect, it } from 'vitest';
import { type ImageSetFields, imageSet } from '../../src/data/dataset.ts';
import { digestOf } from '../../src/data/run-digest.ts';

const fields: ImageSetFields = {
  images: Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]),
  height: 2,
  width: 2,
  channels: 1,
  range: [0, 255],
  labels: Int32Array.from([0, 1]),
  source: 'here',
};

it('depends on pixels, shape, range and labels, and on nothing else', () => {
  const same = digestOf(imageSet({ ...fields, source: 'there', classNames: ['a', 'b'] }));
  expect(same).toBe(digestOf(imageSet(fields)));
  expect(same).toMatch(/^[0-9a-f]{64}$/);

  const others: Partial<ImageSetFields>[] = [
    { images: Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 9]) },
    { images: Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8]) },
    { height: 1, width: 4 },
    { images: Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8]), range: [0, 1] },
    { labels: Int32Array.from([1, 0]) },
    { labels: undefined },
  ];
  const digests = others.map((other) => digestOf(imageSet({ ...fields, ...other })));
  expect(new Set([same, ...digests]).size).toBe(others.length + 1);
});

it('reads no more than the part of a buffer that a set has', () => {
  const large = Uint8Array.from([9, ...fields.images, 9]);
  expect(digestOf(imageSet({ ...fields, images: large.subarray(1, 9) }))).toBe(digestOf(imageSet(fields)));
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { float32, type Tensor } from '../../src/onnx/tensor.ts';
import { cornerBox, noiseSquare, solidSquare } from '../../src/triggers/patterns.ts';
import { renderTrigger, restoreTrigger } from '../../src/triggers/render.ts';
import { stamp } from '../../src/triggers/stamp.ts';
import { l1Norm, makeTrigger, massInside, strengthen } from '../../src/triggers/trigger.ts';
import { generator, randomTensor } from '../support/gradient-check.ts';

const refused = (code: string) => expect.objectContaining({ code });

describe('a trigger', () => {
  it.each<[string, number[], number[]]>([
    ['another height', [3, 2], [2, 2, 3]],
    ['another width', [2, 3], [2, 2, 3]],
    ['a mask of three dimensions', [2, 2, 1], [2, 2, 1]],
    ['a pattern without channels', [2, 2], [2, 2]],
    ['no pixels', [0, 2], [0, 2, 3]],
    ['no channels', [2, 2], [2, 2, 0]],
  ])('is refused with %s', (_, mask, pattern) => {
    const zeros = (dims: number[]) => float32(dims, new Float32Array(dims.reduce((n, d) => n * d, 1)));
    expect(() => makeTrigger(zeros(mask), zeros(pattern))).toThrow(refused('TRIGGER_INVALID'));
  });

  it.each([
    [[0, 1.01], [0, 0], 'The mask has the value 1.01'],
    [[0, -0.1], [0, 0], 'The mask has the value -0.1'],
    [[Number.NaN, 0], [0, 0], 'The mask has the value NaN at position 0'],
    [[0, 1], [0, 256], 'The pattern has the value 256 at position 1'],
    [[0, 1], [-1, 0], 'The pattern has the value -1'],
  ])('is refused with values out of range: %j %j', (mask, pattern, message) => {
    expect(() => makeTrigger(float32([1, 2], mask), float32([1, 2, 1], pattern))).toThrow(
      expect.objectContaining({
        code: 'TRIGGER_INVALID',
        message: expect.stringContaining(message.slice(0, 22)),
      }),
    );
  });
});

describe('the norm of a mask', () => {
  const mask = float32([2, 3], [0, 0.5, 1, 0.25, 0, 0.25]);

  it('is its sum in pixels', () => {
    expect(l1Norm({ mask })).toBe(2);
    expect(l1Norm(solidSquare([32, 32, 3], [27, 27, 4, 4]))).toBe(16);
  });

  it.each<[[number, number, number, number], number]>([
    [[0, 0, 2, 3], 1],
    [[0, 1, 1, 2], 0.75],
    [[1, 0, 1, 3], 0.25],
    [[0, 0, 1, 1], 0],
    [[-1, 2, 5, 9], 0.625],
    [[5, 5, 1, 1], 0],
  ])('inside of %j is %f of it', (box, share) => {
    expect(massInside({ mask }, box)).toBe(share);
  });

  it('has no part inside of a box if the mask is empty', () => {
    expect(massInside({ mask: float32([1, 1], [0]) }, [0, 0, 1, 1])).toBe(0);
  });
});

it('is made more opaque up to 1, and keeps its pattern', () => {
  const trigger = makeTrigger(
    float32([1, 3], Float32Array.of(0, 0.5, 0.75)),
    float32([1, 3, 1], Float32Array.of(1, 2, 3)),
  );
  const stronger = strengthen(trigger, 1.5);
  expect(stronger.mask).toEqual(float32([1, 3], Float32Array.of(0, 0.75, 1)));
  expect(stronger.pattern).toBe(trigger.pattern);
  expect(trigger.mask.data[1]).toBe(0.5);
});

describe('stamping', () => {
  it('is (1 − m)·x + m·p', () => {
    const trigger = makeTrigger(
      float32([1, 3], [0, 0.25, 1]),
      float32([1, 3, 2], [200, 200, 100, 0, 50, 255]),
    );
    const images = float32([2, 1, 3, 2], [10, 20, 40, 80, 50, 60, 0, 255, 0, 0, 255, 0]);
    const stamped = stamp(images, trigger);
    expect(stamped.dims).toEqual([2, 1, 3, 2]);
    expect([...stamped.data]).toEqual([10, 20, 55, 60, 50, 255, 0, 255, 25, 0, 50, 255]);
    expect([...images.data.slice(0, 4)]).toEqual([10, 20, 40, 80]);
  });

  it('takes bytes as well', () => {
    const images: Tensor<'uint8'> = { dtype: 'uint8', dims: [1, 1, 2, 1], data: Uint8Array.of(100, 200) };
    const trigger = makeTrigger(float32([1, 2], [0.5, 0]), float32([1, 2, 1], [255, 0]));
    expect([...stamp(images, trigger).data]).toEqual([177.5, 200]);
  });

  it.each([[[1, 3, 2, 1]], [[1, 2, 2, 3]], [[2, 2, 1]], [[2, 2, 2, 1, 1]]])(
    'refuses images of shape %j',
    (dims) => {
      const images = float32(dims, new Float32Array(dims.reduce((n, d) => n * d, 1)));
      expect(() => stamp(images, solidSquare([2, 2, 1], [0, 0, 1, 1]))).toThrow(
        refused('TRIGGER_SIZE_MISMATCH'),
      );
    },
  );

  it('keeps pixels where the mask is 0, replaces them where it is 1, and stays in range', () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(1, 3), (seed, channels) => {
        const random = generator(seed);
        const mask = randomTensor(random, [4, 5], 0, 1);
        mask.data[0] = 0;
        mask.data[1] = 1;
        const trigger = makeTrigger(mask, randomTensor(random, [4, 5, channels], 0, 255));
        const images = randomTensor(random, [3, 4, 5, channels], 0, 255);
        const { data } = stamp(images, trigger);
        for (let n = 0; n < 3; n++) {
          const image = n * 20 * channels;
          for (let c = 0; c < channels; c++) {
            expect(data[image + c]).toBe(images.data[image + c]);
            expect(data[image + channels + c]).toBe(trigger.pattern.data[channels + c]);
          }
        }
        expect(data.every((value) => value >= 0 && value <= 255)).toBe(true);
      }),
      { seed: 3, numRuns: 50 },
    );
  });
});

describe('squares', () => {
  it('sit one pixel from the bottom right corner by default', () => {
    expect(cornerBox([32, 32, 3])).toEqual([27, 27, 4, 4]);
    expect(cornerBox([28, 28, 1])).toEqual([23, 23, 4, 4]);
    expect(cornerBox([10, 20, 3], 2, 0)).toEqual([8, 18, 2, 2]);
  });

  it('are opaque and of one colour', () => {
    const { mask, pattern } = solidSquare([2, 3, 3], [0, 1, 1, 2], [255, 128, 0]);
    expect([...mask.data]).toEqual([0, 1, 1, 0, 0, 0]);
    expect([...pattern.data]).toEqual([0, 0, 0, 255, 128, 0, 255, 128, 0, ...Array(9).fill(0)]);
    expect([...solidSquare([1, 1, 3], [0, 0, 1, 1]).pattern.data]).toEqual([255, 255, 255]);
    expect([...solidSquare([1, 1, 3], [0, 0, 1, 1], 7).pattern.data]).toEqual([7, 7, 7]);
  });

  it('of noise are the same for the same seed, and use all grey levels', () => {
    const noise = (seed: number) => noiseSquare([40, 40, 3], [2, 2, 36, 36], seed);
    expect(noise(5)).toEqual(noise(5));
    expect(noise(5).pattern.data).not.toEqual(noise(6).pattern.data);
    expect(l1Norm(noise(5))).toBe(36 * 36);
    const values = noise(5).pattern.data;
    expect(new Set(values).size).toBe(256);
    expect(values.every(Number.isInteger)).toBe(true);
  });

  it.each<[number, number, number, number]>([
    [29, 0, 4, 4],
    [0, 29, 4, 4],
    [-1, 0, 4, 4],
    [0, 0, 0, 4],
    [0.5, 0, 1, 1],
  ])('are refused outside of the image: %j, %j, %j, %j', (...box) => {
    expect(() => solidSquare([32, 32, 3], box)).toThrow(refused('TRIGGER_BOX_OUTSIDE'));
    expect(() => noiseSquare([32, 32, 3], box, 1)).toThrow(refused('TRIGGER_BOX_OUTSIDE'));
  });

  it('are refused in colours that images do not have', () => {
    expect(() => solidSquare([2, 2, 3], [0, 0, 1, 1], [255])).toThrow(refused('TRIGGER_INVALID'));
    expect(() => solidSquare([2, 2, 1], [0, 0, 1, 1], 256)).toThrow(refused('TRIGGER_INVALID'));
  });
});

describe('pictures', () => {
  it('are rounded to bytes; the fusion is mask · pattern', () => {
    const trigger = makeTrigger(
      float32([1, 2], [0.5, 0.999]),
      float32([1, 2, 3], [255, 100, 0, 10.4, 10.6, 255]),
    );
    expect(renderTrigger(trigger)).toEqual({
      mask: { height: 1, width: 2, channels: 1, data: Uint8Array.of(128, 255) },
      pattern: { height: 1, width: 2, channels: 3, data: Uint8Array.of(255, 100, 0, 10, 11, 255) },
      fusion: { height: 1, width: 2, channels: 3, data: Uint8Array.of(128, 50, 0, 10, 11, 255) },
    });
  });

  it('give back a trigger whose pictures are the same', () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(1, 3), (seed, channels) => {
        const random = generator(seed);
        const trigger = makeTrigger(
          randomTensor(random, [6, 7], 0, 1),
          randomTensor(random, [6, 7, channels], 0, 255),
        );
        const images = renderTrigger(trigger);
        const restored = restoreTrigger({ images, arrays: undefined });
        const again = renderTrigger(restored);
        expect({ mask: again.mask, pattern: again.pattern }).toEqual({
          mask: images.mask,
          pattern: images.pattern,
        });
        expect(Math.abs(l1Norm(restored) - l1Norm(trigger))).toBeLessThanOrEqual((42 * 0.5) / 255 + 1e-6);
      }),
      { seed: 4, numRuns: 50 },
    );
  });

  it('of a mask in colour are averaged', () => {
    const mask = {
      height: 1,
      width: 2,
      channels: 3,
      data: Uint8Array.of(255, 255, 255, 0, 51, 102),
    } as const;
    const pattern = { height: 1, width: 2, channels: 1, data: Uint8Array.of(1, 2) } as const;
    const restored = restoreTrigger({ images: { mask, pattern }, arrays: undefined });
    expect([...restored.mask.data]).toEqual([1, Math.fround(0.2)]);
    expect([...restored.pattern.data]).toEqual([1, 2]);
  });

  it('do not count where the exact arrays are there', () => {
    const trigger = makeTrigger(float32([1, 1], [0.123]), float32([1, 1, 1], [45.6]));
    expect(restoreTrigger({ images: renderTrigger(trigger), arrays: trigger })).toEqual(trigger);
  });

  it('cannot show a pattern of two channels', () => {
    const trigger = makeTrigger(float32([1, 1], [1]), float32([1, 1, 2], [1, 2]));
    expect(() => renderTrigger(trigger)).toThrow(refused('TRIGGER_INVALID'));
  });

  it('cannot make a trigger of a mask and a pattern of different size', () => {
    const mask = { height: 1, width: 2, channels: 1, data: new Uint8Array(2) } as const;
    const pattern = { height: 2, width: 1, channels: 1, data: new Uint8Array(2) } as const;
    expect(() => restoreTrigger({ images: { mask, pattern }, arrays: undefined })).toThrow(
      refused('TRIGGER_INVALID'),
    );
  });
});

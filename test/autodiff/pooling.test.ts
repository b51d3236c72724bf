import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { int, ints, string } from '../../src/onnx/graph.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import {
  checkGradient,
  distinctTensor,
  generator,
  gradientsOf,
  randomTensor,
} from '../support/gradient-check.ts';

/**
 * Sizes, windows and pads that ONNX Runtime accepts: pads are smaller than the kernel, and ceil_mode adds no window that
 * starts behind the image (the kernel drops such a window, but ONNX's shape inference counts it and refuses the graph).
 */
const geometry = (rank: number) =>
  fc
    .record({
      kernel: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: rank, maxLength: rank }),
      strides: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: rank, maxLength: rank }),
      dilations: fc.array(fc.constantFrom(1, 1, 2), { minLength: rank, maxLength: rank }),
      pads: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 2 * rank, maxLength: 2 * rank }),
      extra: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: rank, maxLength: rank }),
      ceil: fc.boolean(),
      includePad: fc.boolean(),
      seed: fc.integer({ min: 0, max: 1e6 }),
    })
    .map((g) => ({
      ...g,
      pads: g.pads.map((p, i) => Math.min(p, g.kernel[i % rank]! - 1, 1)),
      size: g.kernel.map((k, i) => g.dilations[i]! * (k - 1) + 1 + g.extra[i]!),
    }))
    .filter(
      (g) =>
        !g.ceil ||
        g.size.every((s, i) => {
          const reach = g.dilations[i]! * (g.kernel[i]! - 1) + 1;
          const windows = Math.ceil((s + g.pads[i]! + g.pads[i + rank]! - reach) / g.strides[i]!) + 1;
          return (windows - 1) * g.strides[i]! < s + g.pads[i]!;
        }),
    );

describe.each([1, 2])('MaxPool, %i-D', (rank) => {
  it.each([{ scatter: true }, { scatter: false }])('agrees with central differences, %o', async (options) => {
    await fc.assert(
      fc.asyncProperty(geometry(rank), async (g) => {
        const x = distinctTensor(generator(g.seed), [2, 2, ...g.size]);
        const attributes = {
          kernel_shape: ints(g.kernel),
          strides: ints(g.strides),
          dilations: ints(g.dilations),
          pads: ints(g.pads),
          ceil_mode: int(g.ceil ? 1 : 0),
        };
        await checkGradient({ op: 'MaxPool', attributes, inputs: [x] }, g.seed, options);
      }),
      { seed: 11, numRuns: 40 },
    );
  });

  it.each(['SAME_UPPER', 'SAME_LOWER', 'VALID'])('auto_pad %s', async (autoPad) => {
    const x = distinctTensor(generator(2), [1, 2, ...Array(rank).fill(7)]);
    const attributes = {
      kernel_shape: ints(Array(rank).fill(3)),
      strides: ints(Array(rank).fill(2)),
      auto_pad: string(autoPad),
    };
    await checkGradient({ op: 'MaxPool', attributes, inputs: [x] }, 3, { scatter: false });
  });
});

describe('MaxPool', () => {
  const tied = float32([1, 1, 4, 4], new Float32Array(16).fill(0.5));

  it.each([
    { kernel: 2, stride: 2, pad: 0, expected: [1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0] },
    { kernel: 3, stride: 1, pad: 0, expected: [1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] },
    { kernel: 3, stride: 2, pad: 1, expected: [1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] },
    { kernel: 2, stride: 3, pad: 0, expected: [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] },
  ])(
    'gives a tied window to its first cell, as PyTorch: $kernel/$stride/$pad',
    async ({ kernel, stride, pad, expected }) => {
      const attributes = {
        kernel_shape: ints([kernel, kernel]),
        strides: ints([stride, stride]),
        pads: ints([pad, pad, pad, pad]),
      };
      for (const scatter of [true, false]) {
        const [dx] = await gradientsOf({ op: 'MaxPool', attributes, inputs: [tied] }, { scatter });
        expect(Array.from(dx!.data)).toEqual(expected);
      }
    },
  );

  it('sends nothing into padding when every activation is negative', async () => {
    const x = randomTensor(generator(5), [1, 2, 5, 5], -9, -1);
    const attributes = { kernel_shape: ints([3, 3]), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) };
    for (const scatter of [true, false]) {
      const [dx] = await gradientsOf({ op: 'MaxPool', attributes, inputs: [x] }, { scatter });
      // 3×3 windows in each of 2 channels, one unit of gradient each
      expect(dx!.data.reduce((a, v) => a + v, 0)).toBe(18);
    }
  });
});

describe.each([1, 2])('AveragePool, %i-D', (rank) => {
  it('agrees with central differences', async () => {
    await fc.assert(
      fc.asyncProperty(geometry(rank), async (g) => {
        const x = randomTensor(generator(g.seed), [2, 3, ...g.size]);
        const attributes = {
          kernel_shape: ints(g.kernel),
          strides: ints(g.strides),
          dilations: ints(g.dilations),
          pads: ints(g.pads),
          ceil_mode: int(g.ceil ? 1 : 0),
          count_include_pad: int(g.includePad ? 1 : 0),
        };
        await checkGradient({ op: 'AveragePool', attributes, inputs: [x] }, g.seed);
      }),
      { seed: 12, numRuns: 60 },
    );
  });
});

describe('global pooling', () => {
  it.each([[[2, 3, 5]], [[2, 3, 4, 5]]])('GlobalAveragePool %j', async (dims) => {
    await checkGradient({ op: 'GlobalAveragePool', inputs: [randomTensor(generator(1), dims)] });
  });

  it.each([[[2, 3, 5]], [[2, 3, 4, 5]]])('GlobalMaxPool %j', async (dims) => {
    await checkGradient({ op: 'GlobalMaxPool', inputs: [distinctTensor(generator(1), dims)] });
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { int, ints, string } from '../../src/onnx/graph.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { checkGradient, generator, gradientsOf, randomTensor } from '../support/gradient-check.ts';

const cases = { seed: 7, numRuns: 40 };

/** Channels, kernel, stride, dilation and pads of a random convolution over `rank` spatial axes. */
const geometry = (rank: number) =>
  fc.record({
    group: fc.constantFrom(1, 1, 2, 3),
    cg: fc.integer({ min: 1, max: 3 }),
    mg: fc.integer({ min: 1, max: 3 }),
    batch: fc.integer({ min: 1, max: 3 }),
    kernel: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: rank, maxLength: rank }),
    strides: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: rank, maxLength: rank }),
    dilations: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: rank, maxLength: rank }),
    pads: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 2 * rank, maxLength: 2 * rank }),
    extra: fc.array(fc.integer({ min: 0, max: 5 }), { minLength: rank, maxLength: rank }),
    seed: fc.integer({ min: 0, max: 1e6 }),
  });

type Geometry = ReturnType<typeof geometry> extends fc.Arbitrary<infer T> ? T : never;

const reach = (g: Geometry): number[] => g.kernel.map((k, i) => g.dilations[i]! * (k - 1) + 1);

describe.each([1, 2])('Conv, %i-D', (rank) => {
  it('agrees with central differences for input, kernel and bias', async () => {
    await fc.assert(
      fc.asyncProperty(geometry(rank), async (g) => {
        const random = generator(g.seed);
        const size = reach(g).map((r, i) => r + g.extra[i]!);
        const x = randomTensor(random, [g.batch, g.group * g.cg, ...size]);
        const w = randomTensor(random, [g.group * g.mg, g.cg, ...g.kernel]);
        const bias = randomTensor(random, [g.group * g.mg]);
        const attributes = {
          group: int(g.group),
          strides: ints(g.strides),
          dilations: ints(g.dilations),
          pads: ints(g.pads),
        };
        // Differentiating the kernel makes it a variable; alone, x takes the path with a pre-flipped constant kernel.
        await checkGradient({ op: 'Conv', attributes, inputs: [x, w, bias], wrt: [0, 1, 2] }, g.seed);
        await checkGradient({ op: 'Conv', attributes, inputs: [x, w, null], wrt: [0] }, g.seed);
      }),
      cases,
    );
  });

  it.each(['SAME_UPPER', 'SAME_LOWER', 'VALID'])('auto_pad %s', async (autoPad) => {
    await fc.assert(
      fc.asyncProperty(geometry(rank), async (g) => {
        const random = generator(g.seed);
        const size = reach(g).map((r, i) => r + g.extra[i]!);
        const x = randomTensor(random, [g.batch, g.group * g.cg, ...size]);
        const w = randomTensor(random, [g.group * g.mg, g.cg, ...g.kernel]);
        const attributes = { group: int(g.group), strides: ints(g.strides), auto_pad: string(autoPad) };
        await checkGradient({ op: 'Conv', attributes, inputs: [x, w], wrt: [0, 1] }, g.seed);
      }),
      { ...cases, numRuns: 10 },
    );
  });
});

describe('Conv', () => {
  it('handles depthwise kernels with a multiplier', async () => {
    const random = generator(3);
    const x = randomTensor(random, [2, 4, 7, 6]);
    const w = randomTensor(random, [8, 1, 3, 3]);
    const attributes = { group: int(4), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) };
    await checkGradient({ op: 'Conv', attributes, inputs: [x, w], wrt: [0, 1] });
  });

  it.each([
    { strides: [1, 1], dilations: [1, 1], pads: [1, 0, 2, 1], size: [6, 5] },
    { strides: [2, 3], dilations: [1, 2], pads: [0, 2, 1, 0], size: [9, 8] },
    { strides: [1, 1], dilations: [2, 1], pads: [2, 1, 2, 1], size: [16, 14] },
  ])('takes the weight gradient as a product where there are many channels: %o', async (g) => {
    const random = generator(8);
    const x = randomTensor(random, [2, 9, ...g.size]);
    const w = randomTensor(random, [4, 9, 3, 2]);
    const attributes = { strides: ints(g.strides), dilations: ints(g.dilations), pads: ints(g.pads) };
    await checkGradient({ op: 'Conv', attributes, inputs: [x, w], wrt: [0, 1] });
  });

  it('gives zero gradient to pixels that no window sees', async () => {
    const random = generator(4);
    const x = randomTensor(random, [1, 1, 3, 3]);
    const w = randomTensor(random, [1, 1, 1, 1]);
    await checkGradient({
      op: 'Conv',
      attributes: { pads: ints([2, 2, 2, 2]) },
      inputs: [x, w],
      wrt: [0, 1],
    });
    const attributes = { strides: ints([2, 2]) };
    const [dx] = await gradientsOf({ op: 'Conv', attributes, inputs: [x, float32([1, 1, 1, 1], [5])] });
    expect(Array.from(dx!.data)).toEqual([5, 0, 5, 0, 0, 0, 5, 0, 5]);
  });
});

describe.each([1, 2])('ConvTranspose, %i-D', (rank) => {
  it('agrees with central differences for input, kernel and bias', async () => {
    await fc.assert(
      fc.asyncProperty(geometry(rank), async (g) => {
        const random = generator(g.seed);
        const size = g.extra.map((e) => e + 2);
        const x = randomTensor(random, [g.batch, g.group * g.cg, ...size]);
        const w = randomTensor(random, [g.group * g.cg, g.mg, ...g.kernel]);
        const bias = randomTensor(random, [g.group * g.mg]);
        // Pads that leave at least one output, and output padding below the stride, as ORT demands
        const pads = g.pads.map((p, i) => Math.min(p, Math.floor((reach(g)[i % rank]! - 1) / 2)));
        const outputPadding = g.strides.map((s, i) => Math.min(g.extra[i]!, s - 1));
        const attributes = {
          group: int(g.group),
          strides: ints(g.strides),
          dilations: ints(g.dilations),
          pads: ints(pads),
          output_padding: ints(outputPadding),
        };
        await checkGradient(
          { op: 'ConvTranspose', attributes, inputs: [x, w, bias], wrt: [0, 1, 2] },
          g.seed,
        );
      }),
      cases,
    );
  });

  it.each(['SAME_UPPER', 'SAME_LOWER', 'NOTSET'])('output_shape with auto_pad %s', async (autoPad) => {
    const random = generator(5);
    const x = randomTensor(random, [2, 2, ...Array(rank).fill(4)]);
    const w = randomTensor(random, [2, 3, ...Array(rank).fill(4)]);
    const attributes = {
      strides: ints(Array(rank).fill(2)),
      output_shape: ints(Array(rank).fill(7)),
      auto_pad: string(autoPad),
    };
    await checkGradient({ op: 'ConvTranspose', attributes, inputs: [x, w], wrt: [0, 1] });
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Attributes, float, int } from '../../src/onnx/graph.ts';
import { float32, sizeOf, type Tensor } from '../../src/onnx/tensor.ts';
import { awayFrom, checkGradient, generator, gradientsOf, randomTensor } from '../support/gradient-check.ts';
import { gradientGraph, runOnce } from '../support/single-op.ts';

const runs = { seed: 51, numRuns: 12 };
const size = fc.integer({ min: 1, max: 4 });
const seed = fc.integer({ min: 0, max: 1e6 });
const spatial = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 });

/** Few elements may have a small variance, where differences are inaccurate: a large ε keeps the function smooth. */
const epsilon = fc.constantFrom(0.1, 0.5);

describe('BatchNormalization', () => {
  const arbitrary = fc.record({ n: size, c: size, spatial, epsilon, seed });

  it('in evaluation agrees with central differences for all five inputs', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ n, c, spatial, epsilon, seed }) => {
        const random = generator(seed);
        const inputs = [
          randomTensor(random, [n, c, ...spatial]),
          randomTensor(random, [c]),
          randomTensor(random, [c]),
          randomTensor(random, [c]),
          randomTensor(random, [c], 0.5, 2),
        ];
        const attributes = { epsilon: float(epsilon) };
        await checkGradient({ op: 'BatchNormalization', attributes, inputs, wrt: [0, 1, 2, 3, 4] }, seed);
      }),
      runs,
    );
  });

  // With 0 the node returns the statistics that it used.
  const momentum = fc.constantFrom(0, 0.9);

  it('in training agrees with central differences for x, scale and bias', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrary, momentum, async ({ n, c, spatial, epsilon, seed }, momentum) => {
        const random = generator(seed);
        const perChannel = () => randomTensor(random, [c], 0.5, 2);
        const x = randomTensor(random, [n + 1, c, ...spatial], -2, 2);
        await checkGradient(
          {
            op: 'BatchNormalization',
            attributes: { epsilon: float(epsilon), momentum: float(momentum), training_mode: int(1) },
            inputs: [x, perChannel(), perChannel(), perChannel(), perChannel()],
            wrt: [0, 1, 2],
            outputs: 3,
            lossOutputs: [0],
          },
          seed,
        );
      }),
      runs,
    );
  });

  it('in training refuses a loss of the running statistics', () => {
    const channel = { dims: [3] };
    const refused = () =>
      gradientGraph({
        op: 'BatchNormalization',
        attributes: { training_mode: int(1) },
        inputs: [{ dims: [4, 3] }, channel, channel, channel, channel],
        outputs: [{ dims: [4, 3] }, channel, { ...channel, used: false }],
      });
    expect(refused).toThrow(expect.objectContaining({ code: 'ATTRIBUTE_UNSUPPORTED' }));
    expect(refused).toThrow(/mean or variance output/);
  });
});

describe('LayerNormalization', () => {
  it('agrees with central differences for x, scale and bias', async () => {
    const arbitrary = fc.record({
      dims: fc.array(size, { minLength: 1, maxLength: 4 }),
      axis: fc.nat(),
      withBias: fc.boolean(),
      epsilon,
      seed,
    });
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ dims, axis: pick, withBias, epsilon, seed }) => {
        const random = generator(seed);
        const axis = pick % dims.length;
        const affine = dims.slice(axis);
        const inputs = [randomTensor(random, dims, -2, 2), randomTensor(random, affine)];
        if (withBias) inputs.push(randomTensor(random, affine));
        const attributes = {
          axis: int(seed % 2 ? axis : axis - dims.length),
          epsilon: float(epsilon),
        };
        await checkGradient(
          { op: 'LayerNormalization', attributes, inputs, wrt: inputs.map((_, i) => i) },
          seed,
        );
      }),
      { ...runs, numRuns: 20 },
    );
  });

  it('normalises the last axis by default and lets the scale broadcast', async () => {
    const random = generator(1);
    const inputs = [randomTensor(random, [2, 3, 5], -2, 2), randomTensor(random, [5])];
    await checkGradient({ op: 'LayerNormalization', inputs, wrt: [0, 1] });
    const scale = randomTensor(random, [1]);
    await checkGradient({ op: 'LayerNormalization', inputs: [inputs[0]!, scale, scale], wrt: [0, 1, 2] });
  });

  it('refuses a loss of its statistics', () => {
    const refused = () =>
      gradientGraph({
        op: 'LayerNormalization',
        inputs: [{ dims: [4, 3] }, { dims: [3] }, null],
        outputs: [{ dims: [4, 3] }, { dims: [4, 1] }],
      });
    expect(refused).toThrow(
      expect.objectContaining({ code: 'ATTRIBUTE_UNSUPPORTED', op: 'LayerNormalization' }),
    );
  });
});

describe('InstanceNormalization', () => {
  it('agrees with central differences for x, scale and bias', async () => {
    const arbitrary = fc.record({
      n: size,
      c: size,
      spatial: fc.array(size, { minLength: 1, maxLength: 3 }),
      epsilon,
      seed,
    });
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ n, c, spatial, epsilon, seed }) => {
        const random = generator(seed);
        const inputs = [
          randomTensor(random, [n, c, ...spatial], -2, 2),
          randomTensor(random, [c]),
          randomTensor(random, [c]),
        ];
        const attributes = { epsilon: float(epsilon) };
        await checkGradient({ op: 'InstanceNormalization', attributes, inputs, wrt: [0, 1, 2] }, seed);
      }),
      runs,
    );
  });
});

describe('GroupNormalization', () => {
  it('agrees with central differences for x, scale and bias', async () => {
    const arbitrary = fc.record({ n: size, groups: size, perGroup: size, spatial, epsilon, seed });
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ n, groups, perGroup, spatial, epsilon, seed }) => {
        const random = generator(seed);
        const channels = groups * perGroup;
        const inputs = [
          randomTensor(random, [n, channels, ...spatial], -2, 2),
          randomTensor(random, [channels]),
          randomTensor(random, [channels]),
        ];
        const attributes = { num_groups: int(groups), epsilon: float(epsilon) };
        await checkGradient({ op: 'GroupNormalization', attributes, inputs, wrt: [0, 1, 2] }, seed);
      }),
      runs,
    );
  });
});

describe('LpNormalization', () => {
  it.each([1, 2])('with p = %i agrees with central differences', async (p) => {
    const arbitrary = fc.tuple(fc.array(size, { minLength: 1, maxLength: 4 }), fc.nat(), seed);
    await fc.assert(
      fc.asyncProperty(arbitrary, async ([dims, pick, seed]) => {
        // Away from 0, where |x| has a kink and the L2 norm of a short vector bends sharply
        const x = awayFrom(generator(seed), dims, [0], -2, 2, 0.3);
        const attributes = { p: int(p), axis: int(pick % dims.length) };
        await checkGradient({ op: 'LpNormalization', attributes, inputs: [x] }, seed);
      }),
      runs,
    );
  });

  it.each([1, 2])('with p = %i gives the zero vector no gradient', async (p) => {
    const x = float32([2, 2], [0, 0, 3, -4]);
    const [dx] = await gradientsOf({ op: 'LpNormalization', attributes: { p: int(p) }, inputs: [x] });
    expect([...dx!.data].slice(0, 2)).toEqual([0, 0]);
    expect(dx!.data[2]).toBeGreaterThan(0);
  });

  it('refuses other norms', () => {
    const refused = () =>
      gradientGraph({
        op: 'LpNormalization',
        attributes: { p: int(3) },
        inputs: [{ dims: [3] }],
        outputs: [{ dims: [3] }],
      });
    expect(refused).toThrow(expect.objectContaining({ code: 'ATTRIBUTE_UNSUPPORTED' }));
    expect(refused).toThrow(/its norm is L3/);
  });
});

describe('LRN', () => {
  const attributesOf = (size: number, alpha: number, beta: number, bias: number): Attributes => ({
    size: int(size),
    alpha: float(alpha),
    beta: float(beta),
    bias: float(bias),
  });

  it('agrees with central differences', async () => {
    const arbitrary = fc.record({
      n: fc.integer({ min: 1, max: 2 }),
      c: fc.integer({ min: 1, max: 7 }),
      size: fc.constantFrom(1, 3, 5, 7),
      alpha: fc.constantFrom(0.1, 0.5, 2),
      beta: fc.constantFrom(0.5, 0.75, 1.2),
      bias: fc.constantFrom(1, 2),
      seed,
    });
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ n, c, size, alpha, beta, bias, seed }) => {
        const x = randomTensor(generator(seed), [n, c, 2, 3], -2, 2);
        await checkGradient(
          { op: 'LRN', attributes: attributesOf(size, alpha, beta, bias), inputs: [x] },
          seed,
        );
      }),
      runs,
    );
  });

  it('works with the default coefficients', async () => {
    const x = randomTensor(generator(1), [1, 6, 2, 2], -50, 50);
    await checkGradient({ op: 'LRN', attributes: { size: int(5) }, inputs: [x] }, 1, { step: 1 });
  });

  // ONNX Runtime's kernel takes odd sizes only, so the definition is written out here.
  it.each([2, 4])('with the even size %i agrees with differences of the definition', async (size) => {
    const [alpha, beta, bias] = [0.5, 0.75, 1];
    const dims = [2, 5, 2];
    const value = (x: ArrayLike<number>, dy: ArrayLike<number>): number => {
      const at = (n: number, c: number, s: number) => x[(n * 5 + c) * 2 + s]!;
      let sum = 0;
      for (let i = 0; i < 20; i++) {
        const [n, c, s] = [Math.floor(i / 10), Math.floor(i / 2) % 5, i % 2];
        let squares = 0;
        const last = Math.min(4, c + Math.ceil((size - 1) / 2));
        for (let k = Math.max(0, c - Math.floor((size - 1) / 2)); k <= last; k++) squares += at(n, k, s) ** 2;
        sum += (dy[i]! * at(n, c, s)) / (bias + (alpha / size) * squares) ** beta;
      }
      return sum;
    };
    const random = generator(size);
    const [x0, dy0] = [randomTensor(random, dims, -2, 2), randomTensor(random, dims)];
    const graph = gradientGraph({
      op: 'LRN',
      attributes: attributesOf(size, alpha, beta, bias),
      inputs: [{ dims }],
      outputs: [{ dims }],
    });
    const { 'grad:x0': dx } = await runOnce(graph, { x0, dy0 });
    const h = 1e-5;
    for (let i = 0; i < sizeOf(dims); i++) {
      const moved = (by: number) => Array.from(x0.data, (v, k) => (k === i ? v + by : v));
      const numeric = (value(moved(h), dy0.data) - value(moved(-h), dy0.data)) / (2 * h);
      expect((dx as Tensor<'float32'>).data[i]).toBeCloseTo(numeric, 5);
    }
  });
});

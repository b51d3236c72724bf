import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differentiate } from '../../src/autodiff/gradient.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { type Attributes, int } from '../../src/onnx/graph.ts';
import { float32, int64, type Tensor } from '../../src/onnx/tensor.ts';
import { holds, seeds, shapes } from '../support/arbitraries.ts';
import {
  awayFrom,
  checkGradient,
  distinctTensor,
  generator,
  gradientsOf,
  randomTensor,
} from '../support/gradient-check.ts';

/** Shapes with some of their axes (counted from either end), or without a list of axes. */
const reductions = shapes().chain((dims) =>
  fc.record({
    dims: fc.constant(dims),
    axes: fc.option(
      fc
        .tuple(fc.subarray(dims.map((_, i) => i)), fc.boolean())
        .map(([axes, negative]) => (negative ? axes.map((a) => a - dims.length) : axes)),
    ),
    keepdims: fc.constantFrom(undefined, 0, 1),
    noop: fc.constantFrom(undefined, 0, 1),
    seed: seeds,
  }),
);

type Draw = (random: () => number, dims: readonly number[]) => Tensor<'float32'>;

const positive: Draw = (random, dims) => randomTensor(random, dims, 0.5, 2);
const signed: Draw = (random, dims) => randomTensor(random, dims, -2, 2);

describe.each<[op: string, draw: Draw]>([
  ['ReduceSum', signed],
  ['ReduceMean', signed],
  ['ReduceMax', distinctTensor],
  ['ReduceMin', distinctTensor],
  ['ReduceProd', (random, dims) => awayFrom(random, dims, [0], -1.5, 1.5)],
  ['ReduceL1', (random, dims) => awayFrom(random, dims, [0])],
  ['ReduceL2', (random, dims) => awayFrom(random, dims, [0])],
  ['ReduceSumSquare', signed],
  ['ReduceLogSum', positive],
  ['ReduceLogSumExp', signed],
])('%s', (op, draw) => {
  it('agrees with central differences for any axes', () =>
    holds(
      reductions,
      ({ dims, axes, keepdims, noop, seed }) => {
        const attributes: Attributes = {
          ...(keepdims === undefined ? {} : { keepdims: int(keepdims) }),
          ...(noop === undefined ? {} : { noop_with_empty_axes: int(noop) }),
        };
        const inputs = [draw(generator(seed), dims), axes ? int64([axes.length], axes) : null];
        return checkGradient({ op, attributes, inputs }, seed);
      },
      20,
    ));
});

describe('CumSum', () => {
  it('agrees with central differences', () =>
    holds(
      fc
        .tuple(shapes(1), fc.boolean(), fc.boolean(), seeds)
        .chain((c) => fc.tuple(fc.constant(c), fc.integer({ min: -c[0].length, max: c[0].length - 1 }))),
      ([[dims, exclusive, reverse, seed], axis]) =>
        checkGradient(
          {
            op: 'CumSum',
            attributes: { exclusive: int(exclusive ? 1 : 0), reverse: int(reverse ? 1 : 0) },
            inputs: [randomTensor(generator(seed), dims), int64([], [axis])],
          },
          seed,
        ),
      15,
    ));

  it('runs forward and inclusive by default', () =>
    checkGradient({ op: 'CumSum', inputs: [randomTensor(generator(5), [2, 4]), int64([], [1])] }));
});

const gradientOf = async (op: string, x: Tensor<'float32'>, axes: readonly number[]): Promise<number[]> => {
  const [gradient] = await gradientsOf({ op, inputs: [x, int64([axes.length], axes)] });
  return Array.from(gradient!.data);
};

describe('ReduceProd', () => {
  it('is exact with no, one and two zeros in a row', async () => {
    const x = float32([3, 3], [2, 3, 4, 2, 0, 4, 0, 3, 0]);
    expect(await gradientOf('ReduceProd', x, [1])).toEqual([12, 8, 6, 0, 8, 0, 0, 0, 0]);
  });

  it('agrees with central differences around zeros', () =>
    holds(seeds, (seed) => {
      const random = generator(seed);
      const x = randomTensor(random, [3, 4], 0.5, 1.5);
      const zeros = x.data.map((v) => (random() < 0.3 ? 0 : v));
      return checkGradient({ op: 'ReduceProd', inputs: [float32([3, 4], zeros), int64([1], [1])] }, seed);
    }));
});

describe('ReduceMax and ReduceMin', () => {
  it.each(['ReduceMax', 'ReduceMin'])('%s shares the gradient equally among ties', async (op) => {
    const sign = op === 'ReduceMax' ? 1 : -1;
    const x = float32(
      [3, 4],
      [1, 5, 5, 2, 7, 7, 7, 7, 0, 1, 2, 3].map((v) => sign * v),
    );
    expect(await gradientOf(op, x, [1])).toEqual([0, 0.5, 0.5, 0, 0.25, 0.25, 0.25, 0.25, 0, 0, 0, 1]);
  });
});

describe('points without a derivative', () => {
  it('ReduceL2 of the zero vector has gradient 0', async () => {
    expect(await gradientOf('ReduceL2', float32([2, 2], [0, 0, 3, 4]), [1])).toEqual([
      0,
      0,
      expect.closeTo(0.6, 6),
      expect.closeTo(0.8, 6),
    ]);
  });

  it('ReduceL1 has slope 0 at 0', async () => {
    expect(await gradientOf('ReduceL1', float32([1, 3], [0, -2, 2]), [1])).toEqual([0, -1, 1]);
  });

  it('ReduceLogSum of zeros has gradient 0', async () => {
    expect(await gradientOf('ReduceLogSum', float32([1, 2], [0, 0]), [1])).toEqual([0, 0]);
  });
});

describe('large arguments', () => {
  it.each([80, -80, 800, -800])('ReduceLogSumExp around %d stays finite', async (x) => {
    expect(await gradientOf('ReduceLogSumExp', float32([1, 3], [x, x, x - 300]), [1])).toEqual([
      expect.closeTo(0.5, 4),
      expect.closeTo(0.5, 4),
      0,
    ]);
  });

  it('ReduceLogSumExp ignores masked elements', async () => {
    const x = float32([1, 3], [2, 2, Number.NEGATIVE_INFINITY]);
    expect(await gradientOf('ReduceLogSumExp', x, [1])).toEqual([
      expect.closeTo(0.5, 5),
      expect.closeTo(0.5, 5),
      0,
    ]);
  });
});

it('refuses axes that are computed at run time', () => {
  const b = new GraphBuilder();
  b.input('x', 'float32', [2, 3]);
  b.input('axes', 'int64', [1]);
  const y = b.op('ReduceSum', ['x', 'axes']);
  const types = {
    shapes: new Map<string, number[]>([
      ['x', [2, 3]],
      ['axes', [1]],
      [y, [1, 3]],
    ]),
    dtypes: new Map([['axes', 'int64' as const]]),
  };
  expect(() =>
    differentiate(b.build(), types, { loss: new Map([[y, b.fill([1, 3], 1)]]), wrt: ['x'] }),
  ).toThrow(expect.objectContaining({ code: 'ATTRIBUTE_UNSUPPORTED', op: 'ReduceSum' }));
});

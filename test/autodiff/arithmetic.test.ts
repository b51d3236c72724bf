import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GraphBuilder } from '../../src/onnx/builder.ts';
import { float32, int64, sizeOf, type Tensor } from '../../src/onnx/tensor.ts';
import { broadcastable, holds, seeds, shapes } from '../support/arbitraries.ts';
import {
  awayFrom,
  checkGradient,
  distinctTensor,
  generator,
  gradientsOf,
  randomTensor,
} from '../support/gradient-check.ts';
import { graphGradients } from '../support/graph-gradients.ts';

type Random = () => number;
type Draw = (random: Random, dims: readonly number[]) => Tensor<'float32'>;

const between =
  (low: number, high: number): Draw =>
  (random, dims) =>
    randomTensor(random, dims, low, high);

const notNear =
  (...kinks: number[]): Draw =>
  (random, dims) =>
    awayFrom(random, dims, kinks);

/** Values at least `gap` apart across all the tensors, so that no moved value overtakes another. */
function distinctTensors(
  random: Random,
  dims: readonly (readonly number[])[],
  gap = 0.15,
): Tensor<'float32'>[] {
  const total = dims.reduce((n, d) => n + sizeOf(d), 0);
  const values = Array.from(distinctTensor(random, [total], gap).data);
  return dims.map((d) => float32(d, values.splice(0, sizeOf(d))));
}

const data = (tensors: Tensor<'float32'>[]): number[][] => tensors.map((t) => Array.from(t.data));

describe.each<[op: string, draw: Draw]>([
  ['Neg', between(-2, 2)],
  ['Abs', notNear(0)],
  ['Sqrt', between(0.3, 3)],
  ['Exp', between(-2, 2)],
  ['Log', between(0.3, 3)],
  ['Reciprocal', notNear(0, 0.2, -0.2)],
  ['Erf', between(-2, 2)],
  ['Sin', between(-3, 3)],
  ['Cos', between(-3, 3)],
  ['Tan', between(-1, 1)],
  ['Sinh', between(-2, 2)],
  ['Cosh', between(-2, 2)],
  ['Asin', between(-0.7, 0.7)],
  ['Acos', between(-0.7, 0.7)],
  ['Atan', between(-3, 3)],
])('%s', (op, draw) => {
  it('agrees with central differences', () =>
    holds(fc.tuple(shapes(), seeds), ([dims, seed]) =>
      checkGradient({ op, inputs: [draw(generator(seed), dims)] }, seed),
    ));
});

describe.each<[op: string, left: Draw, right: Draw]>([
  ['Add', between(-2, 2), between(-2, 2)],
  ['Sub', between(-2, 2), between(-2, 2)],
  ['Mul', between(-2, 2), between(-2, 2)],
  ['Div', between(-2, 2), notNear(0, 0.2, -0.2, 0.4, -0.4)],
  ['Pow', between(0.4, 2), between(-2, 3)],
])('%s', (op, left, right) => {
  it('agrees with central differences in both inputs, broadcast both ways', () =>
    holds(fc.tuple(broadcastable(2), seeds), ([[p, q], seed]) => {
      const random = generator(seed);
      return checkGradient({ op, inputs: [left(random, p!), right(random, q!)], wrt: [0, 1] }, seed);
    }));
});

describe.each(['Sum', 'Mean', 'Max', 'Min'])('%s', (op) => {
  it('agrees with central differences in each of one to four inputs', () =>
    holds(fc.tuple(fc.integer({ min: 1, max: 4 }).chain(broadcastable), seeds), ([dims, seed]) => {
      const inputs = distinctTensors(generator(seed), dims);
      return checkGradient({ op, inputs, wrt: inputs.map((_, i) => i) }, seed);
    }));
});

describe('Max and Min', () => {
  it.each(['Max', 'Min'])('%s shares the gradient equally among inputs that hold the result', async (op) => {
    const sign = op === 'Max' ? 1 : -1;
    const values = [
      [1, 2, 3],
      [1, 2, 5],
      [0, 2, 3],
    ];
    const inputs = values.map((v) =>
      float32(
        [3],
        v.map((x) => sign * x),
      ),
    );
    const third = expect.closeTo(1 / 3, 6);
    expect(data(await gradientsOf({ op, inputs, wrt: [0, 1, 2] }))).toEqual([
      [0.5, third, 0],
      [0.5, third, 1],
      [0, third, 0],
    ]);
  });
});

describe('Pow', () => {
  it('takes negative bases with whole exponents, float or integer', () =>
    holds(
      fc.tuple(shapes(1), fc.constantFrom(-2, -1, 0, 1, 2, 3), fc.boolean(), seeds),
      ([dims, p, asInt, seed]) => {
        const exponent = asInt ? int64([1], [p]) : float32([1], [p]);
        const base = awayFrom(generator(seed), dims, [0, 0.2, -0.2, 0.4, -0.4]);
        return checkGradient({ op: 'Pow', inputs: [base, exponent] }, seed);
      },
    ));

  it('takes different constant exponents side by side', () =>
    checkGradient({
      op: 'Pow',
      inputs: [awayFrom(generator(3), [5, 4], [0, 0.2, -0.2, 0.4, -0.4]), float32([4], [2, 3, 0, -1])],
    }));

  it('is exact at base 0', async () => {
    const exponents = [0, 0.5, 1, 2, 3];
    const inputs = [float32([5], [0, 0, 0, 0, 0]), float32([5], exponents)];
    expect(data(await gradientsOf({ op: 'Pow', inputs, wrt: [0, 1] }))).toEqual([
      [0, 0, 1, 0, 0],
      [0, 0, 0, 0, 0],
    ]);
    expect(data(await gradientsOf({ op: 'Pow', inputs: [float32([2], [0, -3]), float32([], [2])] }))).toEqual(
      [[0, -6]],
    );
  });

  it('gives exponents no gradient where the base is negative', async () => {
    const inputs = [float32([2], [-2, 2]), float32([2], [2, 2])];
    const [, dp] = data(await gradientsOf({ op: 'Pow', inputs, wrt: [0, 1] }));
    expect(dp).toEqual([0, expect.closeTo(4 * Math.log(2), 5)]);
  });
});

describe('Clip', () => {
  const bounds = fc.constantFrom<[number | null, number | null]>(
    [-1, 1],
    [null, 0.5],
    [-0.5, null],
    [null, null],
  );

  it('agrees with central differences in x and in each bound', () =>
    holds(
      fc.tuple(shapes(), bounds, seeds),
      ([dims, [low, high], seed]) => {
        const limits = [low, high].map((v) => (v === null ? null : float32([], [v])));
        const x = awayFrom(generator(seed), dims, [low ?? 9, high ?? 9]);
        const wrt = [0, 1, 2].filter((i) => i === 0 || limits[i - 1]);
        return checkGradient({ op: 'Clip', inputs: [x, ...limits], wrt }, seed);
      },
      15,
    ));

  it('passes the gradient at the bounds themselves', async () => {
    const inputs = [float32([4], [0, 6, -1, 7]), float32([], [0]), float32([], [6])];
    expect(data(await gradientsOf({ op: 'Clip', inputs, wrt: [0, 1, 2] }))).toEqual([[1, 1, 0, 0], [1], [1]]);
  });

  it('gives everything to the upper bound where it lies below the lower one', async () => {
    const inputs = [float32([3], [-1, 2, 9]), float32([], [5]), float32([], [1])];
    expect(data(await gradientsOf({ op: 'Clip', inputs, wrt: [0, 1, 2] }))).toEqual([[0, 0, 0], [0], [3]]);
  });
});

describe('Where', () => {
  it('agrees with central differences in both branches, broadcast with the condition', () =>
    holds(fc.tuple(broadcastable(3), seeds), ([[when, p, q], seed]) => {
      const random = generator(seed);
      const condition: Tensor = {
        dtype: 'bool',
        dims: when!,
        data: Uint8Array.from(randomTensor(random, when!).data, (v) => (v > 0 ? 1 : 0)),
      };
      const inputs = [condition, randomTensor(random, p!), randomTensor(random, q!)];
      return checkGradient({ op: 'Where', inputs, wrt: [1, 2] }, seed);
    }));

  const greaterThan = (b: GraphBuilder, limit: number): string => b.op('Greater', ['x', b.scalar(limit)]);

  it.each<
    [
      what: string,
      values: number[],
      branch: (b: GraphBuilder) => string,
      limit: number,
      slope: (x: number) => number,
    ]
  >([
    ['Log', [-1, 0, 2], (b) => b.op('Log', ['x']), 0, (x) => 1 / x],
    ['Sqrt', [-1, 0, 4], (b) => b.op('Sqrt', ['x']), 0, (x) => 0.5 / Math.sqrt(x)],
    ['Reciprocal', [-1, 0, 2], (b) => b.op('Reciprocal', ['x']), 0, (x) => -1 / x ** 2],
    ['Div', [-1, 0, 2], (b) => b.div(b.scalar(3), 'x'), 0, (x) => -3 / x ** 2],
    ['Div of 0 by 0', [-1, 0, 2], (b) => b.div('x', 'x'), 0, () => 0],
    ['Pow', [-1, 0, 2], (b) => b.op('Pow', ['x', b.scalar(0.5)]), 0, (x) => 0.5 / Math.sqrt(x)],
    ['Pow, negative', [-1, 0, 2], (b) => b.op('Pow', ['x', b.scalar(-1.5)]), 0, (x) => -1.5 * x ** -2.5],
    ['Exp that overflows', [-200, -1, 2], (b) => b.op('Exp', [b.neg('x')]), -90, (x) => -Math.exp(-x)],
    ['Asin', [-2, -1, 0.5], (b) => b.op('Asin', ['x']), -1, (x) => 1 / Math.sqrt(1 - x * x)],
    ['Acos', [-2, -1, 0.5], (b) => b.op('Acos', ['x']), -1, (x) => -1 / Math.sqrt(1 - x * x)],
    ['ReduceLogSum', [-1, 0, 2], (b) => b.op('ReduceLogSum', ['x', b.ints([1])]), 0, (x) => 1 / x],
    ['ReduceL2', [-1, 0, 2], (b) => b.op('ReduceL2', ['x', b.ints([1])]), 0, (x) => Math.sign(x)],
  ])('keeps a discarded invalid branch out of the gradient: %s', async (_, values, branch, limit, slope) => {
    const { x } = await graphGradients({
      inputs: { x: float32([values.length, 1], values) },
      build: (b) => b.where(greaterThan(b, limit), branch(b), b.scalar(0)),
    });
    expect(x).toEqual(values.map((v) => expect.closeTo(v > limit ? slope(v) : 0, 4)));
  });
});

describe('points without a derivative', () => {
  it.each([
    ['Abs', 0],
    ['Sqrt', 0],
    ['Log', 0],
    ['Reciprocal', 0],
    ['Asin', 1],
    ['Acos', -1],
  ])('%s at %f has gradient 0', async (op, x) => {
    const [gradient] = data(await gradientsOf({ op, inputs: [float32([1], [x])] }));
    expect(Math.abs(gradient![0]!)).toBe(0);
  });

  it('division by 0 has gradient 0 in both inputs', async () => {
    const [p, q] = data(
      await gradientsOf({ op: 'Div', inputs: [float32([2], [1, 0]), float32([1], [0])], wrt: [0, 1] }),
    );
    expect([...p!, ...q!].map(Math.abs)).toEqual([0, 0, 0]);
  });
});

describe('large arguments', () => {
  it.each<[op: string, x: number, slope: number]>([
    ['Exp', 80, Math.exp(80)],
    ['Exp', -200, 0],
    ['Erf', 1e20, 0],
    ['Atan', 1e30, 0],
    ['Sqrt', 1e38, 0.5e-19],
    ['Log', 1e38, 1e-38],
  ])('%s at %f', async (op, x, slope) => {
    const [gradient] = data(await gradientsOf({ op, inputs: [float32([1], [x])] }));
    expect(Math.abs(gradient![0]! - slope)).toBeLessThanOrEqual(1e-5 * slope);
  });
});

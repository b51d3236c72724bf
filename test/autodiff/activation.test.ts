import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differentiate } from '../../src/autodiff/gradient.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { type Attributes, float, int, string } from '../../src/onnx/graph.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { holds, seeds, shapes } from '../support/arbitraries.ts';
import { awayFrom, checkGradient, generator, gradientsOf, randomTensor } from '../support/gradient-check.ts';

const smooth: Attributes[] = [{}];
const alphas: Attributes[] = [{}, { alpha: float(0.3) }, { alpha: float(1.7) }];

describe.each<[op: string, attributes: Attributes[], kinks: number[]]>([
  ['Relu', [{}], [0]],
  ['LeakyRelu', [...alphas, { alpha: float(-0.5) }], [0]],
  ['Elu', alphas, [0]],
  ['Celu', alphas, [0]],
  ['Selu', [...alphas, { gamma: float(0.7) }, { alpha: float(2), gamma: float(1.3) }], [0]],
  ['ThresholdedRelu', alphas, [0.3, 1, 1.7]],
  ['HardSigmoid', [{}, { alpha: float(0.7), beta: float(0.4) }], [-2.5, 2.5, -0.4 / 0.7, 0.6 / 0.7]],
  ['HardSwish', [{}], [-3, 3]],
  ['Sigmoid', smooth, []],
  ['Tanh', smooth, []],
  ['Softplus', smooth, []],
  ['Softsign', smooth, [0]],
  ['Mish', smooth, []],
  ['Gelu', [{}, { approximate: string('none') }, { approximate: string('tanh') }], []],
])('%s', (op, attributes, kinks) => {
  it('agrees with central differences', () =>
    holds(
      fc.tuple(shapes(), fc.constantFrom(...attributes), seeds),
      ([dims, attrs, seed]) => {
        const x = awayFrom(generator(seed), dims, kinks, -4, 4);
        return checkGradient({ op, attributes: attrs, inputs: [x] }, seed);
      },
      15,
    ));
});

describe.each(['Softmax', 'LogSoftmax'])('%s', (op) => {
  it('agrees with central differences along any axis', () =>
    holds(
      fc
        .tuple(shapes(1), seeds)
        .chain(([dims, seed]) =>
          fc.tuple(
            fc.constant(dims),
            fc.constant(seed),
            fc.integer({ min: -dims.length, max: dims.length - 1 }),
          ),
        ),
      ([dims, seed, axis]) => {
        const x = randomTensor(generator(seed), dims, -2, 2);
        // The default axis is the last one.
        const attributes: Attributes = axis === -1 ? {} : { axis: int(axis) };
        return checkGradient({ op, attributes, inputs: [x] }, seed);
      },
      15,
    ));
});

describe('PRelu', () => {
  it.each([
    [
      [2, 3, 4, 4],
      [3, 1, 1],
    ],
    [[2, 3, 4, 4], [1]],
    [
      [2, 3, 4, 4],
      [3, 4, 4],
    ],
    [[5, 3], [3]],
    [
      [2, 3, 2],
      [2, 1, 2],
    ],
    [[4], []],
  ])('x %o, slope %o agrees with central differences in both', (dims, slopeDims) =>
    holds(
      seeds,
      (seed) => {
        const random = generator(seed);
        const inputs = [awayFrom(random, dims, [0]), randomTensor(random, slopeDims, -0.5, 1)];
        return checkGradient({ op: 'PRelu', inputs, wrt: [0, 1] }, seed);
      },
      4,
    ),
  );
});

describe('kinks', () => {
  it.each<[op: string, x: number, slope: number]>([
    ['Relu', 0, 0],
    ['Relu', -0, 0],
    ['LeakyRelu', 0, 0.01],
    ['ThresholdedRelu', 1, 0],
    ['HardSigmoid', 2.5, 0],
    ['HardSigmoid', -2.5, 0],
    ['HardSwish', -3, 0],
    ['HardSwish', 3, 1.5],
  ])('%s at %f takes slope %f', async (op, x, slope) => {
    const [gradient] = await gradientsOf({ op, inputs: [float32([1], [x])] });
    expect(gradient!.data[0]).toBeCloseTo(slope, 6);
  });
});

describe('saturation', () => {
  const cases: [op: string, attributes: Attributes, x: number, slope: number][] = [
    ['Relu', {}, 1e30, 1],
    ['Elu', {}, 200, 1],
    ['Elu', {}, -200, 0],
    ['Celu', {}, 200, 1],
    ['Celu', {}, -200, 0],
    ['Selu', {}, -200, 0],
    ['Sigmoid', {}, 200, 0],
    ['Sigmoid', {}, -200, 0],
    ['Tanh', {}, 200, 0],
    ['Tanh', {}, -200, 0],
    ['Softplus', {}, 80, 1],
    ['Softplus', {}, -80, 0],
    ['Softplus', {}, 500, 1],
    ['Softplus', {}, -500, 0],
    ['Softsign', {}, 1e30, 0],
    ['Mish', {}, 80, 1],
    ['Mish', {}, -80, 0],
    ['Mish', {}, 500, 1],
    ['Mish', {}, -500, 0],
    ['HardSwish', {}, 1e30, 1],
    ['HardSwish', {}, -1e30, 0],
    ['Gelu', {}, 30, 1],
    ['Gelu', {}, -30, 0],
    ['Gelu', {}, 1e6, 1],
    ['Gelu', { approximate: string('tanh') }, 30, 1],
    ['Gelu', { approximate: string('tanh') }, -30, 0],
    ['Gelu', { approximate: string('tanh') }, 1e6, 1],
  ];
  it.each(cases)('%s %o at %f has slope %f', async (op, attributes, x, slope) => {
    const [gradient] = await gradientsOf({ op, attributes, inputs: [float32([1], [x])] });
    expect(gradient!.data[0]).toBeCloseTo(slope, 5);
  });

  it.each([
    ['Softmax', [0, 0, 0]],
    // One output of ones each: Σ_j (δ_ij - softmax_j) · ... = 1 - 3 · softmax
    ['LogSoftmax', [-2, 1, 1]],
  ])('%s of logits far apart', async (op, expected) => {
    const [gradient] = await gradientsOf({ op, inputs: [float32([3], [800, -800, 0])] });
    expect(Array.from(gradient!.data)).toEqual(expected.map((g) => expect.closeTo(g, 5)));
  });
});

it('refuses an unknown approximation of Gelu', () => {
  const b = new GraphBuilder();
  b.input('x', 'float32', [1]);
  const y = b.op('Gelu', ['x'], { approximate: string('sigmoid') });
  const types = {
    shapes: new Map([
      ['x', [1]],
      [y, [1]],
    ]),
    dtypes: new Map(),
  };
  const loss = new Map([[y, b.fill([1], 1)]]);
  expect(() => differentiate(b.build(), types, { loss, wrt: ['x'] })).toThrow(
    expect.objectContaining({ code: 'ATTRIBUTE_UNSUPPORTED', op: 'Gelu' }),
  );
});

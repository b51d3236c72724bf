import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Attributes, float, int, ints, string } from '../../src/onnx/graph.ts';
import { float32, int64, type Tensor } from '../../src/onnx/tensor.ts';
import { checkGradient, generator, randomTensor } from '../support/gradient-check.ts';
import { gradientGraph } from '../support/single-op.ts';

const runs = { seed: 41, numRuns: 8 };
const size = fc.integer({ min: 1, max: 5 });
const seed = fc.integer({ min: 0, max: 1e6 });

const transformations = [
  'half_pixel',
  'half_pixel_symmetric',
  'pytorch_half_pixel',
  'asymmetric',
  'align_corners',
];
const roundings = ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'];

const floatList = (values: readonly number[]): Tensor => float32([values.length], values);
const list = (values: readonly number[]): Tensor => int64([values.length], values);

/** `height` and `width` of x, and where they go: by scales or to sizes. */
const planes = fc.record({
  n: fc.integer({ min: 1, max: 2 }),
  c: fc.integer({ min: 1, max: 2 }),
  from: fc.tuple(size, size),
  to: fc.tuple(fc.integer({ min: 1, max: 11 }), fc.integer({ min: 1, max: 11 })),
  scales: fc.tuple(
    fc.constantFrom(0.4, 0.5, 0.75, 1, 1.1, 1.5, 2, 2.6, 3),
    fc.constantFrom(0.34, 0.5, 1, 1.25, 2, 7 / 3, 4),
  ),
  seed,
});

describe.each(transformations)('Resize, %s', (transformation) => {
  const check = async (
    attributes: Attributes,
    g: typeof planes extends fc.Arbitrary<infer T> ? T : never,
  ) => {
    const x = randomTensor(generator(g.seed), [g.n, g.c, ...g.from]);
    const shared = { ...attributes, coordinate_transformation_mode: string(transformation) };
    const sizes = list([g.n, g.c, ...g.to]);
    await checkGradient({ op: 'Resize', attributes: shared, inputs: [x, null, null, sizes] }, g.seed);
    // A scale must leave at least one element
    const scales = floatList([1, 1, ...g.scales.map((s, i) => (s * g.from[i]! < 1 ? 1 : s))]);
    await checkGradient({ op: 'Resize', attributes: shared, inputs: [x, null, scales] }, g.seed);
  };

  it.each(roundings)('nearest, %s', async (rounding) => {
    await fc.assert(
      fc.asyncProperty(planes, (g) => check({ nearest_mode: string(rounding) }, g)),
      runs,
    );
  });

  it('linear', async () => {
    await fc.assert(
      fc.asyncProperty(planes, (g) => check({ mode: string('linear') }, g)),
      runs,
    );
  });

  it('cubic', async () => {
    const cubic = fc.constantFrom<Attributes>(
      {},
      { cubic_coeff_a: float(-0.5) },
      { exclude_outside: int(1) },
    );
    await fc.assert(
      fc.asyncProperty(planes, cubic, (g, more) => check({ ...more, mode: string('cubic') }, g)),
      runs,
    );
  });
});

describe('Resize', () => {
  it.each(roundings)(
    'finds the neighbour ONNX Runtime finds a rounding error below one half, %s',
    async (rounding) => {
      const attributes = {
        coordinate_transformation_mode: string('half_pixel_symmetric'),
        nearest_mode: string(rounding),
      };
      const x = randomTensor(generator(5), [1, 1, 2, 1]);
      await checkGradient({ op: 'Resize', attributes, inputs: [x, null, floatList([1, 1, 0.75, 1])] });
    },
  );

  it.each(['nearest', 'linear'])('resizes only the listed axes, %s', async (mode) => {
    const x = randomTensor(generator(1), [2, 3, 4, 5]);
    const attributes = { mode: string(mode), axes: ints([-1, 2]) };
    await checkGradient({ op: 'Resize', attributes, inputs: [x, null, null, list([7, 3])] });
    await checkGradient({ op: 'Resize', attributes, inputs: [x, null, floatList([0.6, 2])] });
    // An empty tensor of scales counts as absent
    await checkGradient({ op: 'Resize', attributes, inputs: [x, null, floatList([]), list([7, 3])] });
  });

  it.each(['nearest', 'linear'])('resizes volumes and any axis, %s', async (mode) => {
    const attributes = { mode: string(mode) };
    const volume = randomTensor(generator(2), [1, 2, 3, 4, 2]);
    await checkGradient({ op: 'Resize', attributes, inputs: [volume, null, floatList([1, 1, 2, 1.5, 3])] });
    const channelsLast = randomTensor(generator(3), [2, 3, 4, 2]);
    await checkGradient({
      op: 'Resize',
      attributes,
      inputs: [channelsLast, null, floatList([1, 2, 1.5, 1])],
    });
    const vector = randomTensor(generator(4), [5]);
    await checkGradient({ op: 'Resize', attributes: {}, inputs: [vector, null, floatList([1.6])] });
  });

  it.each([
    [
      { coordinate_transformation_mode: string('tf_crop_and_resize') },
      'coordinate_transformation_mode is "tf_crop_and_resize"',
    ],
    [{ mode: string('linear'), antialias: int(1) }, 'antialias'],
    [{ keep_aspect_ratio_policy: string('not_larger') }, 'keep_aspect_ratio_policy is "not_larger"'],
  ] as [Attributes, string][])('refuses %o', (attributes, reason) => {
    const refused = () =>
      gradientGraph({
        op: 'Resize',
        attributes,
        inputs: [{ dims: [1, 1, 2, 2] }, floatList([0, 0, 0, 0, 1, 1, 1, 1]), null, list([1, 1, 3, 3])],
        outputs: [{ dims: [1, 1, 3, 3] }],
      });
    expect(refused).toThrow(expect.objectContaining({ code: 'ATTRIBUTE_UNSUPPORTED', op: 'Resize' }));
    expect(refused).toThrow(reason);
  });

  it('refuses scales computed at run time', () => {
    const refused = () =>
      gradientGraph({
        op: 'Resize',
        inputs: [{ dims: [1, 1, 2, 2] }, null, { dims: [4] }],
        outputs: [{ dims: [1, 1, 3, 3] }],
      });
    expect(refused).toThrow(/its scales \(input 2\) is computed at run time/);
  });
});

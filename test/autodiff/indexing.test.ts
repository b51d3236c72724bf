import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Attributes, int, string } from '../../src/onnx/graph.ts';
import { int64, scalar, sizeOf, type Tensor } from '../../src/onnx/tensor.ts';
import { checkGradient, distinctTensor, generator, randomTensor } from '../support/gradient-check.ts';
import { gradientGraph, runOnce } from '../support/single-op.ts';

const runs = { seed: 31, numRuns: 15 };
const size = fc.integer({ min: 1, max: 5 });
const shape = fc.array(size, { minLength: 1, maxLength: 4 });
const seed = fc.integer({ min: 0, max: 1e6 });
const list = (values: readonly number[]): Tensor => int64([values.length], values);

/** Indices into an axis of `size`, negative ones among them. */
const randomIndices = (random: () => number, dims: readonly number[], size: number): Tensor<'int64'> =>
  int64(
    dims,
    Array.from({ length: sizeOf(dims) }, () => Math.floor(random() * 2 * size) - size),
  );

/** Expects the same gradient whether the indices are constant or fed. */
async function expectSameAtRunTime(
  op: string,
  dims: readonly number[],
  indices: Tensor,
  y: readonly number[],
  attributes: Attributes,
  random: () => number,
): Promise<void> {
  const [x0, dy0] = [randomTensor(random, dims), randomTensor(random, y)];
  const graphOf = (second: Tensor | { dims: readonly number[]; dtype: 'int64' }) =>
    gradientGraph({ op, attributes, inputs: [{ dims }, second], outputs: [{ dims: y }] });
  const constant = await runOnce(graphOf(indices), { x0, dy0 });
  const atRunTime = await runOnce(graphOf({ dims: indices.dims, dtype: 'int64' }), { x0, x1: indices, dy0 });
  const expected = constant['grad:x0']!.data as Float32Array;
  const actual = atRunTime['grad:x0']!.data as Float32Array;
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, 5);
}

describe('Slice', () => {
  const bound = fc.integer({ min: -8, max: 8 });
  const step = fc.constantFrom(-3, -2, -1, 1, 2, 3);
  const cut = fc.record({ start: bound, end: bound, step });

  it('agrees with central differences for clamped bounds and any step', async () => {
    await fc.assert(
      fc.asyncProperty(
        shape,
        fc.array(cut, { minLength: 4, maxLength: 4 }),
        fc.nat(),
        seed,
        async (dims, cuts, mask, seed) => {
          const axes = dims.map((_, i) => i).filter((i) => i === 0 || (mask >> i) & 1);
          const used = axes.map((a) => cuts[a]!);
          await checkGradient(
            {
              op: 'Slice',
              inputs: [
                randomTensor(generator(seed), dims),
                list(used.map((c) => c.start)),
                list(used.map((c) => c.end)),
                list(axes.map((a) => (mask % 2 ? a : a - dims.length))),
                list(used.map((c) => c.step)),
              ],
            },
            seed,
          );
        },
      ),
      { ...runs, numRuns: 60 },
    );
  });

  it.each([
    ['everything', [0, 0], [2 ** 40, 2 ** 40], [1, 1]],
    ['everything backwards', [-1, -1], [-(2 ** 40), -(2 ** 40)], [-1, -1]],
    ['every second from the second', [1, 0], [5, 7], [2, 3]],
    ['every third backwards', [3, 5], [0, -(2 ** 40)], [-3, -2]],
    ['nothing', [3, 0], [3, 7], [1, 1]],
  ])('takes %s', async (_, starts, ends, steps) => {
    const x = randomTensor(generator(1), [5, 7]);
    await checkGradient({ op: 'Slice', inputs: [x, list(starts), list(ends), null, list(steps)] });
  });

  it('refuses bounds computed at run time', () => {
    const bounds = { dims: [1], dtype: 'int64' } as const;
    const refused = () =>
      gradientGraph({ op: 'Slice', inputs: [{ dims: [5] }, bounds, bounds], outputs: [{ dims: [2] }] });
    expect(refused).toThrow(/Slice cannot be differentiated: its starts \(input 1\) is computed at run time/);
  });
});

describe('Gather', () => {
  it('agrees with central differences for indices of any rank, with duplicates', async () => {
    const arbitrary = fc.record({ dims: shape, at: fc.array(size, { maxLength: 2 }), axis: fc.nat(), seed });
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ dims, at, axis: pick, seed }) => {
        const random = generator(seed);
        const axis = pick % dims.length;
        const indices = randomIndices(random, at, dims[axis]!);
        const attributes = { axis: int(seed % 2 ? axis : axis - dims.length) };
        await checkGradient(
          { op: 'Gather', attributes, inputs: [randomTensor(random, dims), indices] },
          seed,
        );
        const y = dims.toSpliced(axis, 1, ...at);
        await expectSameAtRunTime('Gather', dims, indices, y, attributes, random);
      }),
      { ...runs, numRuns: 30 },
    );
  });

  const roll = Array.from({ length: 40 }, (_, i) => (i + 3) % 40);
  const shuffled = Array.from({ length: 700 }, (_, i) => (i * 37) % 700);
  it.each([
    ['a single index pads', [6, 2], [4], ['Pad']],
    ['a range pads', [6, 2], [2, 3, 4], ['Pad']],
    ['every second element is dilated and padded', [6, 2], [1, 3], ['Expand', 'Concat', 'Pad']],
    ['a permutation of long rows is gathered back', [40, 16], roll, ['Gather']],
    ['distinct long rows are gathered back', [40, 16], [5, 0, 3], ['Pad', 'Gather']],
    ['a permutation of many single elements is gathered back', [700, 1], shuffled, ['Gather']],
    ['a permutation of few single elements is multiplied', [40, 1], roll, ['MatMul']],
    ['duplicates are multiplied', [6, 16], [5, 0, 0, 3], ['MatMul']],
    ['many duplicates are scattered', [700, 1], [...shuffled, 7], ['Expand', 'Expand', 'ScatterElements']],
  ] as [string, number[], number[], string[]][])('%s', async (_, dims, indices, expected) => {
    const graph = gradientGraph({
      op: 'Gather',
      inputs: [{ dims }, list(indices)],
      outputs: [{ dims: [indices.length, dims[1]!] }],
    });
    const used = graph.nodes.map((n) => n.op).filter((op) => op !== 'Reshape' && op !== 'Identity');
    expect(used.toSorted()).toEqual(expected.toSorted());
    await checkGradient({ op: 'Gather', inputs: [randomTensor(generator(1), dims), list(indices)] });
  });
});

describe('GatherElements', () => {
  it('agrees with central differences', async () => {
    await fc.assert(
      fc.asyncProperty(shape, fc.nat(), size, seed, async (dims, pick, count, seed) => {
        const random = generator(seed);
        const axis = pick % dims.length;
        // Other axes of the indices may be shorter than those of x
        const at = dims.map((d, a) => (a === axis ? count : Math.max(1, d - (seed % 2))));
        const indices = randomIndices(random, at, dims[axis]!);
        const attributes = { axis: int(axis) };
        const inputs = [randomTensor(random, dims), indices];
        await checkGradient({ op: 'GatherElements', attributes, inputs }, seed);
        await expectSameAtRunTime('GatherElements', dims, indices, at, attributes, random);
      }),
      runs,
    );
  });
});

describe('GatherND', () => {
  const arbitrary = fc.record({
    dims: fc.array(size, { minLength: 2, maxLength: 4 }),
    at: fc.array(size, { maxLength: 2 }),
    batch: fc.nat(),
    depth: fc.nat(),
    seed,
  });

  it('agrees with central differences', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ dims, at, batch, depth: d, seed }) => {
        const random = generator(seed);
        const batchDims = batch % dims.length;
        const depth = 1 + (d % (dims.length - batchDims));
        const places = [...dims.slice(0, batchDims), ...at];
        const values = Array.from({ length: sizeOf(places) }, () =>
          Array.from({ length: depth }, (_, k) => {
            const size = dims[batchDims + k]!;
            return Math.floor(random() * 2 * size) - size;
          }),
        );
        const indices = int64([...places, depth], values.flat());
        const attributes = { batch_dims: int(batchDims) };
        const inputs = [randomTensor(random, dims), indices];
        await checkGradient({ op: 'GatherND', attributes, inputs }, seed);
        if (batchDims === 0) {
          const y = [...places, ...dims.slice(depth)];
          await expectSameAtRunTime('GatherND', dims, indices, y, attributes, random);
        }
      }),
      { ...runs, numRuns: 25 },
    );
  });

  it('refuses batches of indices computed at run time', () => {
    const refused = () =>
      gradientGraph({
        op: 'GatherND',
        attributes: { batch_dims: int(1) },
        inputs: [{ dims: [2, 3] }, { dims: [2, 1], dtype: 'int64' }],
        outputs: [{ dims: [2] }],
      });
    expect(refused).toThrow(expect.objectContaining({ code: 'ATTRIBUTE_UNSUPPORTED', op: 'GatherND' }));
    expect(refused).toThrow(/batch_dims is 1/);
  });
});

describe('TopK', () => {
  it('agrees with central differences', async () => {
    await fc.assert(
      fc.asyncProperty(
        shape,
        fc.nat(),
        fc.nat(),
        fc.boolean(),
        seed,
        async (dims, pick, count, largest, seed) => {
          const axis = pick % dims.length;
          const k = 1 + (count % dims[axis]!);
          await checkGradient(
            {
              op: 'TopK',
              attributes: { axis: int(axis), largest: int(Number(largest)) },
              inputs: [distinctTensor(generator(seed), dims), list([k])],
              outputs: 2,
            },
            seed,
          );
        },
      ),
      runs,
    );
  });

  it('finds the indices again where their output has no name', async () => {
    const graph = gradientGraph({
      op: 'TopK',
      inputs: [{ dims: [4] }, list([2])],
      outputs: [{ dims: [2] }, { dims: [2], dtype: 'int64', used: false, name: '' }],
    });
    const x0: Tensor = { dtype: 'float32', dims: [4], data: Float32Array.of(1, 4, 2, 3) };
    const dy0: Tensor = { dtype: 'float32', dims: [2], data: Float32Array.of(10, 20) };
    const { 'grad:x0': dx } = await runOnce(graph, { x0, dy0 });
    expect([...(dx!.data as Float32Array)]).toEqual([0, 10, 0, 20]);
  });
});

describe('Pad', () => {
  const padded = (min: number) =>
    fc.array(size, { minLength: 1, maxLength: 4 }).chain((dims) =>
      fc.tuple(
        fc.constant(dims),
        fc.tuple(
          ...dims.map((d) =>
            fc
              .tuple(fc.integer({ min, max: 3 }), fc.integer({ min, max: 3 }))
              // leave at least one element
              .map(([begin, end]) => (d + Math.min(begin, 0) + Math.min(end, 0) > 0 ? [begin, end] : [1, 0])),
          ),
        ),
      ),
    );

  it('with a constant agrees with central differences for x and the constant', async () => {
    await fc.assert(
      fc.asyncProperty(padded(-2), seed, async ([dims, pads], seed) => {
        const flat = list([...pads.map((p) => p[0]!), ...pads.map((p) => p[1]!)]);
        const x = randomTensor(generator(seed), dims);
        await checkGradient({ op: 'Pad', inputs: [x, flat, scalar(0.5)], wrt: [0, 2] }, seed);
        await checkGradient({ op: 'Pad', inputs: [x, flat] }, seed);
      }),
      { ...runs, numRuns: 25 },
    );
  });

  it.each(['edge', 'reflect', 'wrap'])('in mode %s agrees with central differences', async (mode) => {
    await fc.assert(
      fc.asyncProperty(padded(-1), seed, async ([dims, pads], seed) => {
        // A reflection or a wrapped copy is at most as long as what it copies
        const limit = (p: number, d: number) =>
          mode === 'edge' ? p : Math.min(p, mode === 'wrap' ? d : d - 1);
        const kept = dims.map((d, a) => d + Math.min(0, pads[a]![0]!) + Math.min(0, pads[a]![1]!));
        const flat = [0, 1].flatMap((side) => pads.map((p, a) => limit(p[side]!, kept[a]!)));
        const x = randomTensor(generator(seed), dims);
        await checkGradient({ op: 'Pad', attributes: { mode: string(mode) }, inputs: [x, list(flat)] }, seed);
      }),
      { ...runs, numRuns: 25 },
    );
  });

  it('pads only the listed axes', async () => {
    const x = randomTensor(generator(1), [2, 3, 4, 5]);
    const rest = [list([1, 2, 0, 1]), null, list([-1, 2])];
    await checkGradient({ op: 'Pad', inputs: [x, ...rest] });
    await checkGradient({ op: 'Pad', attributes: { mode: string('reflect') }, inputs: [x, ...rest] });
  });

  it('refuses pads computed at run time and unknown modes', () => {
    const pads = { dims: [2], dtype: 'int64' } as const;
    const refused = () =>
      gradientGraph({ op: 'Pad', inputs: [{ dims: [5] }, pads], outputs: [{ dims: [7] }] });
    expect(refused).toThrow(/its pads \(input 1\) is computed at run time/);
    const attributes = { mode: string('mirror') };
    const unknown = () =>
      gradientGraph({
        op: 'Pad',
        attributes,
        inputs: [{ dims: [5] }, list([1, 1])],
        outputs: [{ dims: [7] }],
      });
    expect(unknown).toThrow(/its mode is "mirror"/);
  });
});

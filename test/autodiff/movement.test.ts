import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differentiate } from '../../src/autodiff/gradient.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { type Attributes, int, ints, string } from '../../src/onnx/graph.ts';
import { int64, scalar, type Tensor } from '../../src/onnx/tensor.ts';
import { checkGradient, generator, randomTensor } from '../support/gradient-check.ts';
import { gradientGraph, runOnce } from '../support/single-op.ts';

const runs = { seed: 21, numRuns: 10 };
const size = fc.integer({ min: 1, max: 4 });
const shape = fc.array(size, { minLength: 1, maxLength: 4 });
const seed = fc.integer({ min: 0, max: 1e6 });
const list = (values: readonly number[]): Tensor => int64([values.length], values);
const truth = (value: boolean): Tensor => ({ dtype: 'bool', dims: [], data: Uint8Array.of(Number(value)) });

/** Checks an operator of one float input x [dims]. */
const check = (
  op: string,
  dims: readonly number[],
  seed: number,
  attributes: Attributes = {},
  ...rest: (Tensor | null)[]
) => checkGradient({ op, attributes, inputs: [randomTensor(generator(seed), dims), ...rest] }, seed);

describe('operators that keep the order of elements', () => {
  it('Reshape', async () => {
    await fc.assert(
      fc.asyncProperty(shape, seed, async (dims, seed) => {
        await check('Reshape', dims, seed, {}, list([-1, ...dims.slice(0, -1)]));
        await check('Reshape', dims, seed, {}, list([0, -1]));
      }),
      runs,
    );
    await check('Reshape', [1, 1], 1, {}, int64([0], []));
  });

  it('Flatten', async () => {
    const arbitrary = shape.chain((dims) =>
      fc.tuple(fc.constant(dims), fc.integer({ min: -dims.length, max: dims.length })),
    );
    await fc.assert(
      fc.asyncProperty(arbitrary, seed, async ([dims, axis], seed) => {
        await check('Flatten', dims, seed, { axis: int(axis) });
      }),
      runs,
    );
  });

  it('Squeeze and Unsqueeze', async () => {
    await fc.assert(
      fc.asyncProperty(shape, seed, async (dims, seed) => {
        await check('Squeeze', dims, seed);
        await check('Squeeze', [...dims, 1, 1], seed, {}, list([-1]));
        await check('Unsqueeze', dims, seed, {}, list([0, -1]));
      }),
      runs,
    );
  });

  it('Identity', async () => {
    await check('Identity', [2, 3], 1);
  });
});

describe('Transpose', () => {
  it('agrees with central differences for any permutation', async () => {
    const arbitrary = shape.chain((dims) => {
      const axes = dims.map((_, i) => i);
      const perm = fc.shuffledSubarray(axes, { minLength: axes.length });
      return fc.tuple(fc.constant(dims), perm);
    });
    await fc.assert(
      fc.asyncProperty(arbitrary, seed, async ([dims, perm], seed) => {
        await check('Transpose', dims, seed, { perm: ints(perm) });
        await check('Transpose', dims, seed);
      }),
      runs,
    );
  });
});

describe('Concat and Split', () => {
  const parts = fc.record({
    dims: shape,
    sizes: fc.array(size, { minLength: 1, maxLength: 4 }),
    axis: fc.nat(),
    fromEnd: fc.boolean(),
    seed,
  });

  it('Concat agrees with central differences for every part', async () => {
    await fc.assert(
      fc.asyncProperty(parts, async ({ dims, sizes, axis: pick, fromEnd, seed }) => {
        const axis = pick % dims.length;
        const random = generator(seed);
        const inputs = sizes.map((size) => randomTensor(random, dims.with(axis, size)));
        const attributes = { axis: int(fromEnd ? axis - dims.length : axis) };
        await checkGradient({ op: 'Concat', attributes, inputs, wrt: sizes.map((_, i) => i) }, seed);
      }),
      runs,
    );
  });

  it('Split agrees with central differences, whichever outputs are used', async () => {
    await fc.assert(
      fc.asyncProperty(parts, fc.nat(), async ({ dims, sizes, axis: pick, fromEnd, seed }, use) => {
        const axis = pick % dims.length;
        const total = sizes.reduce((sum, size) => sum + size, 0);
        const x = randomTensor(generator(seed), dims.with(axis, total));
        await checkGradient(
          {
            op: 'Split',
            attributes: { axis: int(fromEnd ? axis - dims.length : axis) },
            inputs: [x, list(sizes)],
            outputs: sizes.length,
            lossOutputs: sizes.map((_, i) => i).filter((i) => i === use % sizes.length || (use >> i) & 1),
          },
          seed,
        );
      }),
      runs,
    );
  });

  it.each([6, 7])('Split of %i elements into 3 equal parts', async (size) => {
    const x = randomTensor(generator(1), [2, size]);
    const attributes = { axis: int(1), num_outputs: int(3) };
    await checkGradient({ op: 'Split', attributes, inputs: [x], outputs: 3, lossOutputs: [0, 1] });
  });

  it('refuses parts whose sizes are computed at run time', () => {
    const refused = () =>
      gradientGraph({
        op: 'Split',
        inputs: [{ dims: [5] }, { dims: [2], dtype: 'int64' }],
        outputs: [{ dims: [2] }, { dims: [3] }],
      });
    expect(refused).toThrow(expect.objectContaining({ code: 'ATTRIBUTE_UNSUPPORTED' }));
    expect(refused).toThrow(/split \(input 1\) is computed at run time/);
  });
});

describe('Expand and Tile', () => {
  it('Expand agrees with central differences', async () => {
    await fc.assert(
      fc.asyncProperty(shape, shape, fc.nat(), seed, async (to, lead, mask, seed) => {
        const from = to.map((d, i) => ((mask >> i) & 1 ? 1 : d));
        await check('Expand', from, seed, {}, list([...lead.slice(0, 2), ...to]));
        // A target of fewer or smaller axes broadcasts as well
        await check('Expand', from, seed, {}, list([1]));
      }),
      runs,
    );
    await check('Expand', [], 1, {}, list([2, 3]));
  });

  it('Tile agrees with central differences', async () => {
    const arbitrary = shape.chain((dims) =>
      fc.tuple(
        fc.constant(dims),
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: dims.length, maxLength: dims.length }),
      ),
    );
    await fc.assert(
      fc.asyncProperty(arbitrary, seed, async ([dims, repeats], seed) => {
        await check('Tile', dims, seed, {}, list(repeats));
      }),
      runs,
    );
  });
});

describe('DepthToSpace and SpaceToDepth', () => {
  const arbitrary = fc.record({
    n: size,
    c: size,
    h: size,
    w: size,
    s: fc.integer({ min: 1, max: 3 }),
    seed,
  });

  it('agree with central differences', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ n, c, h, w, s, seed }) => {
        const deep = [n, c * s * s, h, w];
        await check('DepthToSpace', deep, seed, { blocksize: int(s), mode: string('DCR') });
        await check('DepthToSpace', deep, seed, { blocksize: int(s), mode: string('CRD') });
        await check('DepthToSpace', deep, seed, { blocksize: int(s) });
        await check('SpaceToDepth', [n, c, h * s, w * s], seed, { blocksize: int(s) });
      }),
      runs,
    );
  });
});

describe('Dropout', () => {
  it.each([
    ['no further inputs', []],
    ['a ratio', [scalar(0.3)]],
    ['training mode off', [scalar(0.3), truth(false)]],
    ['training mode on and ratio 0', [scalar(0), truth(true)]],
  ] as [string, Tensor[]][])('is the identity with %s', async (_, rest) => {
    await check('Dropout', [3, 4], 1, {}, ...rest);
  });

  it('passes the gradient where the same run kept the element', async () => {
    const ratio = 0.4;
    const graph = gradientGraph({
      op: 'Dropout',
      inputs: [{ dims: [6, 50] }, scalar(ratio), truth(true)],
      outputs: [{ dims: [6, 50] }, { dims: [6, 50], dtype: 'bool', used: false, name: 'mask' }],
    });
    const x = randomTensor(generator(2), [6, 50], 0.5, 1);
    const dy = randomTensor(generator(3), [6, 50]);
    const withForward = { ...graph, outputs: [...graph.outputs, { name: 'y0', dtype: null, dims: null }] };
    const { y0, 'grad:x0': dx } = await runOnce(withForward, { x0: x, dy0: dy });
    const kept = Array.from(y0!.data as Float32Array, (y, i) => y / x.data[i]!);
    for (const [i, factor] of kept.entries()) expect(dx!.data[i]).toBeCloseTo(dy.data[i]! * factor, 4);
    expect(new Set(kept.map((k) => k.toFixed(3)))).toEqual(new Set(['0.000', (1 / (1 - ratio)).toFixed(3)]));
  });

  it('refuses training mode without a named mask', () => {
    const refused = () =>
      gradientGraph({
        op: 'Dropout',
        inputs: [{ dims: [4] }, scalar(0.5), truth(true)],
        outputs: [{ dims: [4] }],
      });
    expect(refused).toThrow(expect.objectContaining({ code: 'ATTRIBUTE_UNSUPPORTED', op: 'Dropout' }));
    expect(refused).toThrow(/mask output has no name/);
  });
});

describe('Cast and CastLike', () => {
  it.each([
    ['Cast', 1],
    ['Cast', 11],
    ['Cast', 10],
    ['CastLike', 11],
  ])('%s to type %i and back passes the gradient', async (op, to) => {
    const dims = [2, 3];
    const [x, dy] = [randomTensor(generator(1), dims), randomTensor(generator(2), dims)];
    const dtype = ({ 1: 'float32', 10: 'float16', 11: 'float64' } as const)[to]!;
    const b = new GraphBuilder();
    b.input('x', 'float32', dims);
    if (op === 'Cast') b.op('Cast', ['x'], { to: int(to) }, { outputs: ['wide'] });
    else
      b.op(
        'CastLike',
        ['x', b.constant({ dtype: 'float64', dims: [1], data: Float64Array.of(1) })],
        {},
        { outputs: ['wide'] },
      );
    b.op('Neg', ['wide'], {}, { outputs: ['negative'] });
    b.op('Cast', ['negative'], { to: int(1) }, { outputs: ['y'] });
    const loss = new Map([['y', b.constant(dy)]]);
    const types = {
      shapes: new Map(['x', 'wide', 'negative', 'y'].map((name) => [name, dims])),
      dtypes: new Map([['wide', dtype] as const, ['negative', dtype] as const]),
    };
    const graph = differentiate(b.build(), types, { loss, wrt: ['x'] });
    const { 'grad:x': dx } = await runOnce(graph, { x });
    expect(dx!.dtype).toBe('float32');
    for (const [i, value] of dy.data.entries()) expect(dx!.data[i]).toBeCloseTo(-value, to === 10 ? 3 : 6);
  });

  it('passes nothing through integers', () => {
    const b = new GraphBuilder();
    b.input('x', 'float32', [2]);
    b.op('Cast', ['x'], { to: int(7) }, { outputs: ['i'] });
    b.op('Cast', ['i'], { to: int(1) }, { outputs: ['y'] });
    const types = { shapes: new Map([['x', [2]]]), dtypes: new Map([['i', 'int64'] as const]) };
    const loss = new Map([['y', b.fill([2], 1)]]);
    expect(() => differentiate(b.build(), types, { loss, wrt: ['x'] })).toThrow(
      expect.objectContaining({ code: 'NOT_DIFFERENTIABLE' }),
    );
  });
});

describe('Trilu', () => {
  it('agrees with central differences', async () => {
    await fc.assert(
      fc.asyncProperty(
        size,
        size,
        size,
        fc.boolean(),
        fc.integer({ min: -2, max: 2 }),
        seed,
        async (n, h, w, upper, k, seed) => {
          const attributes = { upper: int(Number(upper)) };
          await check('Trilu', [n, h, w], seed, attributes, int64([], [k]));
          await check('Trilu', [h, w], seed, attributes);
        },
      ),
      runs,
    );
  });
});

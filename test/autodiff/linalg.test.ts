import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differentiate } from '../../src/autodiff/gradient.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { float, int, string } from '../../src/onnx/graph.ts';
import { checkGradient, generator, randomTensor } from '../support/gradient-check.ts';
import { gradientGraph, runOnce } from '../support/single-op.ts';

const runs = { seed: 11, numRuns: 12 };
const size = fc.integer({ min: 1, max: 4 });
const seed = fc.integer({ min: 0, max: 1e6 });

describe('Gemm', () => {
  const arbitrary = fc.record({
    m: size,
    k: size,
    n: size,
    transA: fc.boolean(),
    transB: fc.boolean(),
    alpha: fc.constantFrom(1, 0.5, -2),
    beta: fc.constantFrom(1, 0.25, -1.5),
    c: fc.constantFrom('none', 'scalar', 'row', 'one row', 'column', 'full'),
    seed,
  });

  it('agrees with central differences for both factors and the summand', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ m, k, n, transA, transB, alpha, beta, c, seed }) => {
        const random = generator(seed);
        const summands = {
          none: null,
          scalar: [],
          row: [n],
          'one row': [1, n],
          column: [m, 1],
          full: [m, n],
        };
        const summand = summands[c as keyof typeof summands];
        await checkGradient(
          {
            op: 'Gemm',
            attributes: {
              transA: int(Number(transA)),
              transB: int(Number(transB)),
              alpha: float(alpha),
              beta: float(beta),
            },
            inputs: [
              randomTensor(random, transA ? [k, m] : [m, k]),
              randomTensor(random, transB ? [n, k] : [k, n]),
              summand && randomTensor(random, summand),
            ],
            wrt: summand ? [0, 1, 2] : [0, 1],
          },
          seed,
        );
      }),
      { ...runs, numRuns: 24 },
    );
  });
});

describe('MatMul', () => {
  const shapes = fc.tuple(size, size, size, size, size).chain(([p, q, m, k, n]) =>
    fc.constantFrom(
      [[k], [k]],
      [[k], [k, n]],
      [[m, k], [k]],
      [
        [m, k],
        [k, n],
      ],
      [
        [p, m, k],
        [k, n],
      ],
      [[p, q, m, k], [k]],
      [
        [m, k],
        [p, k, n],
      ],
      [[k], [p, k, n]],
      [
        [p, q, m, k],
        [p, q, k, n],
      ],
      [
        [p, 1, m, k],
        [q, k, n],
      ],
      [
        [q, m, k],
        [p, q, k, n],
      ],
      [
        [1, q, m, k],
        [p, 1, k, n],
      ],
    ),
  );

  it('agrees with central differences for both factors, whatever is broadcast', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, seed, async ([a, b], seed) => {
        const random = generator(seed);
        const inputs = [randomTensor(random, a!), randomTensor(random, b!)];
        await checkGradient({ op: 'MatMul', inputs, wrt: [0, 1] }, seed);
      }),
      { ...runs, numRuns: 40 },
    );
  });

  it('multiplies all rows at once for the gradient of a weight matrix', () => {
    const graph = gradientGraph({
      op: 'MatMul',
      inputs: [{ dims: [8, 16, 3] }, { dims: [3, 4] }],
      outputs: [{ dims: [8, 16, 4] }],
      wrt: [1],
    });
    expect(graph.nodes.map((n) => n.op)).toEqual(['Reshape', 'Reshape', 'Gemm', 'Identity']);
  });
});

describe('Einsum', () => {
  it.each([
    ['ij,jk->ik', [2, 3], [3, 4]],
    ['bij,bjk->bik', [2, 3, 2], [2, 2, 3]],
    ['bhid,bhjd->bhij', [2, 2, 3, 2], [2, 2, 4, 2]],
    ['bhij,bhjd->bihd', [2, 2, 3, 4], [2, 2, 4, 2]],
    ['nchw,c->nchw', [2, 3, 2, 2], [3]],
    ['nchw,nchw->', [2, 2, 2, 2], [2, 2, 2, 2]],
    ['i,j->ij', [3], [4]],
    ['i,i', [3], [3]],
    ['ij,jk', [2, 3], [3, 4]],
    ['kj,ji', [2, 3], [3, 4]],
    ['ij->ji', [3, 2]],
    ['ij->i', [3, 2]],
    ['ij->', [3, 2]],
    ['ba', [3, 2]],
    ['ij,k->ik', [3, 2], [4]],
    ['i,ij,j->', [3], [3, 2], [2]],
    ['ab,bc,cd->ad', [2, 3], [3, 2], [2, 4]],
    ['...ij,...jk->...ik', [2, 3, 2, 4], [2, 3, 4, 2]],
    ['...ij,jk->...ik', [2, 3, 2, 4], [4, 2]],
    ['...ij,...jk->...ik', [2, 3, 2, 4], [1, 3, 4, 2]],
    ['i...,j...->ij...', [2, 3], [4, 3]],
    ['i...->...', [2, 3, 2]],
    ['...i', [2, 3]],
    [' b i , i j -> b j ', [2, 3], [3, 2]],
    ['bij,bjk->bik', [2, 3, 2], [1, 2, 3]],
    ['bij,bjk,bkl->bil', [2, 3, 2], [1, 2, 3], [1, 3, 2]],
  ] as [string, ...number[][]][])('%s', async (equation, ...shapes) => {
    const random = generator(5);
    const inputs = shapes.map((dims) => randomTensor(random, dims));
    const wrt = shapes.map((_, i) => i);
    await checkGradient({ op: 'Einsum', attributes: { equation: string(equation) }, inputs, wrt });
  });

  it('agrees with central differences for random equations', async () => {
    const labels = fc.subarray(['a', 'b', 'c', 'd'], { minLength: 1 });
    const equation = fc
      .tuple(fc.array(labels, { minLength: 1, maxLength: 3 }), fc.nat())
      .map(([terms, pick]) => {
        const all = [...new Set(terms.flat())];
        const output = all.filter((_, i) => (pick >> i) & 1).toReversed();
        return { terms, text: `${terms.map((t) => t.join('')).join(',')}->${output.join('')}` };
      });
    const sizes = fc.record({ a: size, b: size, c: size, d: size });
    await fc.assert(
      fc.asyncProperty(equation, sizes, seed, async ({ terms, text }, sizes, seed) => {
        const random = generator(seed);
        const inputs = terms.map((t) =>
          randomTensor(
            random,
            t.map((l) => sizes[l as keyof typeof sizes]),
          ),
        );
        const wrt = terms.map((_, i) => i);
        await checkGradient({ op: 'Einsum', attributes: { equation: string(text) }, inputs, wrt }, seed);
      }),
      { ...runs, numRuns: 30 },
    );
  });

  it('adds up the gradients of a value that is several operands', async () => {
    const random = generator(6);
    const [x, dy] = [randomTensor(random, [3, 2]), randomTensor(random, [3, 3])];
    const b = new GraphBuilder();
    b.input('x', 'float32', x.dims);
    const loss = new Map([['y', b.constant(dy)]]);
    b.op('Einsum', ['x', 'x'], { equation: string('ij,kj->ik') }, { outputs: ['y'] });
    const shapes = new Map([
      ['x', x.dims],
      ['y', dy.dims],
    ]);
    const graph = differentiate(b.build(), { shapes, dtypes: new Map() }, { loss, wrt: ['x'] });
    const { 'grad:x': dx } = await runOnce(graph, { x });

    // y = x xᵀ, so dx = (dy + dyᵀ) x
    const at = (i: number, j: number) => dy.data[3 * i + j]! + dy.data[3 * j + i]!;
    const expected = [0, 1, 2].flatMap((i) =>
      [0, 1].map((j) => [0, 1, 2].reduce((sum, k) => sum + at(i, k) * x.data[2 * k + j]!, 0)),
    );
    for (const [i, value] of expected.entries()) expect(dx!.data[i]).toBeCloseTo(value, 5);
  });

  it('refuses a diagonal, unless only other operands are differentiated', async () => {
    const random = generator(1);
    const inputs = [randomTensor(random, [3]), randomTensor(random, [3, 3])];
    const attributes = { equation: string('j,ii->j') };
    await checkGradient({ op: 'Einsum', attributes, inputs, wrt: [0] });
    await expect(checkGradient({ op: 'Einsum', attributes, inputs, wrt: [1] })).rejects.toMatchObject({
      code: 'ATTRIBUTE_UNSUPPORTED',
      op: 'Einsum',
      message: expect.stringContaining('diagonal'),
    });
  });
});

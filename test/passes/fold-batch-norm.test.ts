import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { checkGraph } from '../../src/onnx/check.ts';
import { type Attributes, float, type Graph, int, ints } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { foldBatchNormalization } from '../../src/passes/fold-batch-norm.ts';
import { generator, randomTensor } from '../support/gradient-check.ts';
import { runModel } from './models.ts';

const random = generator(3);
const parameter = (b: GraphBuilder, name: string, dims: readonly number[], low = -1, high = 1): string =>
  b.initializer(name, randomTensor(random, dims, low, high));

/** Batch normalisation over axis 1, its statistics named after `name`. */
function normalized(
  b: GraphBuilder,
  x: string,
  channels: number,
  name: string,
  attributes: Attributes = {},
): string {
  const [scale, shift, mean] = ['scale', 'shift', 'mean'].map((p) =>
    parameter(b, `${name}/${p}`, [channels]),
  );
  const variance = parameter(b, `${name}/variance`, [channels], 0.1, 2);
  return b.op('BatchNormalization', [x, scale!, shift!, mean!, variance], {
    epsilon: float(1e-3),
    ...attributes,
  });
}

function graphOf(dims: readonly number[], body: (b: GraphBuilder) => string): Graph {
  const b = new GraphBuilder();
  b.input('x', 'float32', dims);
  b.output(body(b), 'float32', null, 'y');
  return b.build();
}

/** Largest difference relative to the largest result, and the operators that are left. */
async function folded(graph: Graph, keep: readonly string[] = []): Promise<{ error: number; ops: string[] }> {
  const result = foldBatchNormalization(graph, new Set(keep));
  checkGraph(result, { pass: 'foldBatchNormalization' });
  const x = randomTensor(random, graph.inputs[0]!.dims as number[]);
  const [before, after] = [
    (await runModel(canonicalModel(graph), { x })).y!,
    (await runModel(canonicalModel(result), { x })).y!,
  ];
  expect(after.dims).toEqual(before.dims);
  const [p, q] = [before.data as Float32Array, after.data as Float32Array];
  const scale = Math.max(...p.map(Math.abs));
  const error = Math.max(...p.map((v, i) => Math.abs(v - q[i]!))) / scale;
  return { error, ops: result.nodes.map((n) => n.op).filter((op) => op !== 'Identity') };
}

const convolution = (b: GraphBuilder, attributes: Attributes = {}): string =>
  b.op('Conv', ['x', parameter(b, 'w', [4, 3, 3, 3]), parameter(b, 'bias', [4])], attributes);

describe('folded', () => {
  test('into convolutions of any grouping', () =>
    fc.assert(
      fc.asyncProperty(
        fc.record({
          transposed: fc.boolean(),
          group: fc.integer({ min: 1, max: 3 }),
          inputs: fc.integer({ min: 1, max: 2 }),
          outputs: fc.integer({ min: 1, max: 3 }),
          rank: fc.integer({ min: 1, max: 2 }),
          bias: fc.boolean(),
        }),
        async ({ transposed, group, inputs, outputs, rank, bias }) => {
          const kernel = Array.from({ length: rank }, () => 2);
          const graph = graphOf([2, group * inputs, ...kernel.map((k) => k + 3)], (b) => {
            const dims = transposed ? [group * inputs, outputs] : [group * outputs, inputs];
            const w = parameter(b, 'w', [...dims, ...kernel]);
            const operands = bias ? ['x', w, parameter(b, 'bias', [group * outputs])] : ['x', w];
            const y = b.op(transposed ? 'ConvTranspose' : 'Conv', operands, { group: int(group) });
            return normalized(b, y, group * outputs, 'bn');
          });
          const { error, ops } = await folded(graph);
          expect(error).toBeLessThan(2e-6);
          expect(ops).toEqual([transposed ? 'ConvTranspose' : 'Conv']);
        },
      ),
      { seed: 9, numRuns: 25 },
    ));

  test.each([
    ['plain', {}, [6, 4], [4]],
    ['transposed and scaled', { transB: int(1), alpha: float(0.5), beta: float(2) }, [4, 6], [1, 4]],
    ['with one bias for all', {}, [6, 4], [1]],
    ['without bias', {}, [6, 4], null],
  ] as const)('into a Gemm: %s', async (_, attributes, weight, bias) => {
    const graph = graphOf([3, 6], (b) => {
      const operands = ['x', parameter(b, 'w', weight), ...(bias ? [parameter(b, 'c', bias)] : [])];
      return normalized(b, b.op('Gemm', operands, attributes), 4, 'bn');
    });
    const { error, ops } = await folded(graph);
    expect(error).toBeLessThan(2e-6);
    expect(ops).toEqual(['Gemm']);
  });

  test('one after another', async () => {
    const graph = graphOf([2, 3, 6, 6], (b) =>
      normalized(b, normalized(b, convolution(b, { pads: ints([1, 1, 1, 1]) }), 4, 'first'), 4, 'second'),
    );
    const { error, ops } = await folded(graph);
    expect(error).toBeLessThan(2e-6);
    expect(ops).toEqual(['Conv']);
  });

  test('where two layers share their weights, each gets its own', async () => {
    const graph = graphOf([2, 3, 6, 6], (b) => {
      const w = parameter(b, 'w', [4, 3, 3, 3]);
      const [p, q] = [b.op('Conv', ['x', w]), b.op('Conv', [b.neg('x'), w])];
      return b.add(normalized(b, p, 4, 'p'), b.add(normalized(b, q, 4, 'q'), b.op('Conv', ['x', w])));
    });
    const { error, ops } = await folded(graph);
    expect(error).toBeLessThan(2e-6);
    expect(ops).not.toContain('BatchNormalization');
  });
});

describe('left as it is', () => {
  const cases: Record<string, [graph: Graph, keep?: string[]]> = {
    'behind another operator': [graphOf([2, 3, 4, 4], (b) => normalized(b, b.op('Relu', ['x']), 3, 'bn'))],
    'behind a layer that is read twice': [
      graphOf([2, 3, 6, 6], (b) => {
        const y = convolution(b);
        return b.add(y, normalized(b, y, 4, 'bn'));
      }),
    ],
    'behind a layer whose result is kept': [
      graphOf([2, 3, 6, 6], (b) => {
        const y = b.op('Conv', ['x', parameter(b, 'w', [4, 3, 3, 3])], {}, { outputs: ['features'] });
        return normalized(b, y, 4, 'bn');
      }),
      ['features'],
    ],
    'where weights stay variables': [
      graphOf([2, 3, 6, 6], (b) => normalized(b, convolution(b), 4, 'bn')),
      ['w'],
    ],
    'where statistics stay variables': [
      graphOf([2, 3, 6, 6], (b) => normalized(b, convolution(b), 4, 'bn')),
      ['bn/scale'],
    ],
    'where weights are computed': [
      graphOf([2, 3, 6, 6], (b) => {
        const w = b.op('Abs', [parameter(b, 'w', [4, 3, 3, 3])]);
        return normalized(b, b.op('Conv', ['x', w]), 4, 'bn');
      }),
    ],
    'where biases differ by row': [
      graphOf([4, 6], (b) => {
        const y = b.gemm('x', parameter(b, 'w', [6, 4]), { c: parameter(b, 'c', [4, 1]) });
        return normalized(b, y, 4, 'bn');
      }),
    ],
  };

  test.each(Object.entries(cases))('%s', async (_, [graph, keep]) => {
    const { error, ops } = await folded(graph, keep);
    expect(error).toBe(0);
    expect(ops).toContain('BatchNormalization');
  });

  test('in training mode', () => {
    const graph = graphOf([2, 3, 6, 6], (b) =>
      normalized(b, convolution(b), 4, 'bn', { training_mode: int(1) }),
    );
    expect(foldBatchNormalization(graph, new Set()).nodes).toEqual(graph.nodes);
  });

  test('behind a layer that is itself an output', () => {
    const graph = graphOf([2, 3, 6, 6], (b) => {
      const y = b.op('Conv', ['x', parameter(b, 'w', [4, 3, 3, 3])], {}, { outputs: ['features'] });
      return normalized(b, y, 4, 'bn');
    });
    const both = {
      ...graph,
      outputs: [...graph.outputs, { name: 'features', dtype: 'float32', dims: null } as const],
    };
    expect(foldBatchNormalization(both, new Set()).nodes).toEqual(both.nodes);
  });
});

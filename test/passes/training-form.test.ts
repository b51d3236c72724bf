import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { checkGraph } from '../../src/onnx/check.ts';
import { float, type Graph } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { lower } from '../../src/passes/lower.ts';
import { trainingForm } from '../../src/passes/training-form.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import type { Feeds } from '../../src/runtime/session.ts';
import { generator, randomTensor } from '../support/gradient-check.ts';

const x = randomTensor(generator(1), [4, 3, 5], -1, 2);

/** Normalised twice with the same statistics, then dropped. */
function network(): Graph {
  const b = new GraphBuilder(undefined, '');
  b.input('x', 'float32', x.dims);
  const affine = [
    b.initializer('scale', float32([3], [1, 2, 3])),
    b.initializer('bias', float32([3], [0, 1, 2])),
  ];
  const running = [
    b.initializer('mean', float32([3], [1, 1, 1])),
    b.initializer('variance', float32([3], [2, 2, 2])),
  ];
  const settings = { epsilon: float(1e-3), momentum: float(0.8) };
  const once = b.op('BatchNormalization', ['x', ...affine, ...running], settings, { outputs: ['once'] });
  const twice = b.op('BatchNormalization', [once, ...affine, ...running], settings, { outputs: ['twice'] });
  b.output(b.op('Dropout', [twice, b.scalar(0.5)]), 'float32', x.dims, 'y');
  return b.build();
}

const shapes = new Map(['x', 'once', 'twice'].map((name) => [name, x.dims] as const));
const statistics = new Set(['mean', 'variance']);
const options = { scatter: true, blocked: false };

const values = async (graph: Graph, feeds: Feeds, names: readonly string[]): Promise<Float32Array[]> => {
  const outputs = names.map((name) => ({ name, dtype: 'float32' as const, dims: null }));
  const session = await nodeRuntime.open(canonicalModel({ ...lower(checkGraph(graph), options), outputs }), {
    provider: 'cpu',
  });
  const results = await session.run(feeds);
  await session.release();
  return names.map((name) => results[name]!.data as Float32Array);
};

/** Mean and variance (with `n - less` in the denominator) of one channel of [4, 3, 5]. */
function channel(data: Float32Array, c: number, less: number): [mean: number, variance: number] {
  const own = [...data].filter((_, i) => Math.floor(i / 5) % 3 === c);
  const mean = own.reduce((a, v) => a + v, 0) / own.length;
  return [mean, own.reduce((a, v) => a + (v - mean) ** 2, 0) / (own.length - less)];
}

describe('training form', () => {
  it('leaves a network alone that neither drops nor normalises by the mini-batch', () => {
    const form = trainingForm(network(), { shapes, dropout: false, statistics: new Set() });
    expect(form.graph).toEqual(network());
    expect([form.masks.length, form.updated.size]).toEqual([0, 0]);
    // Both statistics or none
    const half = trainingForm(network(), { shapes, dropout: false, statistics: new Set(['mean']) });
    expect(half.updated.size).toBe(0);
  });

  it('multiplies by the mask that is fed', async () => {
    const { graph, masks } = trainingForm(network(), { shapes, dropout: true, statistics: new Set() });
    expect(masks).toEqual([{ input: expect.any(String), dims: x.dims, keep: 0.5 }]);
    const mask = float32(
      x.dims,
      Array.from({ length: 60 }, (_, i) => 2 * (i % 2)),
    );
    const [y, before] = await values(graph, { x, [masks[0]!.input]: mask }, ['y', 'twice']);
    expect(y).toEqual(before!.map((v, i) => v * mask.data[i]!));
  });

  it('normalises by the mini-batch and moves the statistics, once for each use', async () => {
    const { graph, updated } = trainingForm(network(), { shapes, dropout: false, statistics });
    const names = ['once', updated.get('mean')!, updated.get('variance')!];
    const [once, means, variances] = await values(graph, { x }, names);
    for (let c = 0; c < 3; c++) {
      const [mean, variance] = channel(x.data, c, 0);
      const expected = x.data.map((v) => ((c + 1) * (v - mean)) / Math.sqrt(variance + 1e-3) + c);
      expected.forEach((v, i) => {
        if (Math.floor(i / 5) % 3 === c) expect(once![i]).toBeCloseTo(v, 4);
      });
      const moved = (start: number, at: 0 | 1): number =>
        [x.data, once!].reduce((running, data) => 0.8 * running + 0.2 * channel(data, c, 1)[at], start);
      expect(means![c]).toBeCloseTo(moved(1, 0), 4);
      expect(variances![c]).toBeCloseTo(moved(2, 1), 4);
    }
  });

  it('refuses a mini-batch that has no variance', () => {
    const single = new Map([...shapes.keys()].map((name) => [name, [1, 3, 1]] as const));
    expect(() => trainingForm(network(), { shapes: single, dropout: false, statistics })).toThrow(
      expect.objectContaining({ code: 'SETTING_INVALID', op: 'BatchNormalization' }),
    );
  });
});

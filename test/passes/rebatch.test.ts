import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NeuralCleanseError } from '../../src/errors.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { checkGraph } from '../../src/onnx/check.ts';
import { type Graph, int, ints, type Model, string } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32, int64, sizeOf, type Tensor } from '../../src/onnx/tensor.ts';
import { rebatch } from '../../src/passes/rebatch.ts';
import { generator, randomTensor } from '../support/gradient-check.ts';
import { runModel, shapesOf } from './models.ts';

const random = generator(11);
const constant = (b: GraphBuilder, ...dims: number[]): string => b.constant(randomTensor(random, dims));

/** A graph from its input `x` to its output, both declared with these dimensions. */
function graphOf(
  dims: readonly (number | string)[],
  body: (b: GraphBuilder, x: string) => string,
  outputDims: readonly (number | string)[] | null = null,
): Graph {
  const b = new GraphBuilder(undefined, 'm/');
  b.input('x', 'float32', dims);
  b.output(body(b, 'x'), 'float32', outputDims, 'y');
  return b.build();
}

/** Frees the batch of a graph exported with `batch` samples. */
async function freed(graph: Graph, batch = 1): Promise<{ model: Model; dims: number[] }> {
  const model = canonicalModel(graph);
  const dims = graph.inputs[0]!.dims!.map((d, i) => (i === 0 ? batch : Number(d)));
  const shapes = await shapesOf(model, { x: randomTensor(random, dims) });
  const result = rebatch(model, shapes);
  checkGraph(result.graph, { pass: 'rebatch' });
  return { model: result, dims };
}

/** Runs five exported batches alone and together; returns the largest difference relative to the largest result. */
async function difference(graph: Graph, batch = 1): Promise<number> {
  const { model, dims } = await freed(graph, batch);
  const parts = Array.from({ length: 5 }, () => randomTensor(random, dims));
  const together = float32(
    [5 * batch, ...dims.slice(1)],
    parts.flatMap((p) => Array.from(p.data)),
  );
  const { y } = await runModel(model, { x: together });
  const alone: number[] = [];
  for (const x of parts) {
    const single = (await runModel(canonicalModel(graph), { x })).y as Tensor<'float32'>;
    expect(y!.dims).toEqual([5 * batch, ...single.dims.slice(1)]);
    alone.push(...single.data);
  }
  const data = y!.data as Float32Array;
  const scale = Math.max(...alone.map(Math.abs), 1e-3);
  return Math.max(...alone.map((v, i) => Math.abs(v - data[i]!))) / scale;
}

const multiply = (b: GraphBuilder, value: string, from: number, to: number): string =>
  b.op('MatMul', [value, constant(b, from, to)]);

/** Self-attention as torch.nn.MultiheadAttention computes it: x [L, N, E], heads merged into the batch. */
function torchAttention(b: GraphBuilder, x: string, length: number, width: number, heads: number): string {
  const size = width / heads;
  const projected = (): string => {
    const p = b.add(multiply(b, x, width, width), constant(b, width));
    return b.transpose(b.reshape(p, [length, heads, size]), [1, 0, 2]);
  };
  const [q, k, v] = [b.scale(projected(), size ** -0.5), projected(), projected()];
  const weights = b.op('Softmax', [b.op('MatMul', [q, b.transpose(k, [0, 2, 1])])], { axis: int(-1) });
  const mixed = b.transpose(b.op('MatMul', [weights, v]), [1, 0, 2]);
  const rows = b.reshape(mixed, [length, width]);
  return b.reshape(b.gemm(rows, constant(b, width, width)), [length, 1, width]);
}

const models: Record<string, Graph> = {
  'a reshape before the classifier': graphOf(
    [1, 3, 8, 8],
    (b, x) => {
      const features = b.op('Relu', [
        b.op('Conv', [x, constant(b, 4, 3, 3, 3), constant(b, 4)], { strides: ints([2, 2]) }),
      ]);
      return b.gemm(b.reshape(features, [1, 36]), constant(b, 36, 5), { c: constant(b, 5) });
    },
    [1, 5],
  ),
  'a reshape that leaves the features open': graphOf([1, 2, 4, 4], (b, x) =>
    multiply(b, b.op('Reshape', [x, b.ints([1, -1])]), 32, 3),
  ),
  'attention in the [L, N, E] layout': graphOf([1, 6, 8], (b, x) => {
    const attended = torchAttention(b, b.transpose(x, [1, 0, 2]), 6, 8, 2);
    return b.reduce('ReduceMean', b.transpose(attended, [1, 0, 2]), [1], false);
  }),
  'a vision transformer with a class token': graphOf([1, 3, 8, 8], (b, x) => {
    const patches = b.op('Conv', [x, constant(b, 8, 3, 4, 4)], { strides: ints([4, 4]) });
    const tokens = b.transpose(b.reshape(patches, [1, 8, 4]), [0, 2, 1]);
    const all = b.add(b.concat([constant(b, 1, 1, 8), tokens], 1), constant(b, 1, 5, 8));
    const normal = b.op('LayerNormalization', [all, constant(b, 8), constant(b, 8)]);
    const qkv = b.transpose(b.reshape(multiply(b, normal, 8, 24), [1, 5, 3, 2, 4]), [2, 0, 3, 1, 4]);
    const [q, k, v] = [0, 1, 2].map((i) =>
      b.op('Gather', [qkv, b.constant(int64([], [i]))], { axis: int(0) }),
    ) as [string, string, string];
    const weights = b.op('Softmax', [b.scale(b.op('MatMul', [q, b.transpose(k, [0, 1, 3, 2])]), 0.5)]);
    const mixed = b.reshape(b.transpose(b.op('MatMul', [weights, v]), [0, 2, 1, 3]), [1, 5, 8]);
    const out = b.add(all, multiply(b, mixed, 8, 8));
    return multiply(b, b.op('Gather', [out, b.constant(int64([], [0]))], { axis: int(1) }), 8, 3);
  }),
  'channel shuffle': graphOf([1, 6, 4, 4], (b, x) => {
    const grouped = b.transpose(b.reshape(x, [1, 2, 3, 4, 4]), [0, 2, 1, 3, 4]);
    return b.reduce('ReduceMean', b.reshape(grouped, [1, 6, 4, 4]), [2, 3], false);
  }),
  'shifted windows with a mask': graphOf([1, 4, 4, 8], (b, x) => {
    const parted = b.transpose(b.reshape(x, [1, 2, 2, 2, 2, 8]), [0, 1, 3, 2, 4, 5]);
    const windows = b.reshape(parted, [4, 4, 8]);
    const heads = b.transpose(b.reshape(windows, [4, 4, 2, 4]), [0, 2, 1, 3]);
    const scores = b.add(b.op('MatMul', [heads, b.transpose(heads, [0, 1, 3, 2])]), constant(b, 1, 2, 4, 4));
    const masked = b.add(b.reshape(scores, [1, 4, 2, 4, 4]), constant(b, 1, 4, 1, 4, 4));
    const weights = b.op('Softmax', [b.reshape(masked, [4, 2, 4, 4])], { axis: int(-1) });
    const mixed = b.transpose(b.op('MatMul', [weights, heads]), [0, 2, 1, 3]);
    const joined = b.transpose(b.reshape(mixed, [1, 2, 2, 2, 2, 8]), [0, 1, 3, 2, 4, 5]);
    return b.reduce('ReduceMean', b.reshape(joined, [1, 16, 8]), [1], false);
  }),
  'a mask for each window, without an axis for the batch': graphOf([1, 4, 6], (b, x) => {
    const windows = b.reshape(x, [2, 2, 6]);
    return b.reshape(b.mul(windows, constant(b, 2, 1, 6)), [1, 24]);
  }),
  'constants beside samples inside a merged axis': graphOf([1, 3, 4], (b, x) => {
    const merged = b.reshape(b.transpose(x, [1, 0, 2]), [6, 2]);
    const joined = b.concat([merged, constant(b, 6, 1)], 1);
    return b.reshape(b.transpose(b.reshape(joined, [3, 1, 6]), [1, 0, 2]), [1, 18]);
  }),
  'sizes of a Resize': graphOf([1, 2, 3, 3], (b, x) => {
    const sized = b.op('Resize', [x, '', '', b.ints([1, 2, 5, 6])], { mode: string('linear') });
    const scaled = b.op('Resize', [sized, '', b.constant(float32([4], [1, 1, 2, 0.5]))], {
      mode: string('nearest'),
    });
    return b.op('Flatten', [scaled]);
  }),
  'slices, pads, splits and squeezes': graphOf([1, 4, 5, 1], (b, x) => {
    const whole = b.slice(x, [0, 1], [0, 1], [1, 4]);
    const padded = b.pad(whole, [0, 0, 1, 0, 0, 0, 1, 0]);
    const [left, right] = b.ops('Split', [padded, b.ints([2, 5])], 2, { axis: int(2) }) as [string, string];
    const squeezed = b.op('Squeeze', [b.concat([right, left], 2), b.ints([-1])]);
    const open = b.op('Unsqueeze', [squeezed, b.ints([0, 2])]);
    return b.op('Flatten', [b.op('Squeeze', [open, b.ints([0, 2])])], { axis: int(1) });
  }),

  'Einsum with a constant operand': graphOf([1, 3, 4], (b, x) => {
    const scores = b.op('Einsum', [x, constant(b, 5, 4)], { equation: string('nld,kd->nkl') });
    const stacked = b.op('Einsum', [scores, constant(b, 1, 3, 2)], {
      equation: string('...ij,...jk->...ik'),
    });
    return b.op('Flatten', [stacked]);
  }),
  'expanded and tiled values': graphOf([1, 1, 4], (b, x) => {
    const wide = b.expand(x, [1, 3, 4]);
    const tiled = b.op('Tile', [wide, b.ints([1, 1, 2])]);
    const token = b.expand(constant(b, 1, 1, 8), [1, 2, 8]);
    return b.op('Flatten', [b.concat([tiled, token], 1)]);
  }),
  'the one sample picked out and put back': graphOf([1, 3, 4], (b, x) => {
    const sample = b.op('Gather', [x, b.constant(int64([], [0]))], { axis: int(0) });
    return b.reshape(b.op('Relu', [sample]), [1, 12]);
  }),
  'values stacked along the batch axis': graphOf([1, 4], (b, x) => {
    const both = b.op('Sigmoid', [multiply(b, b.concat([x, b.neg(x)], 0), 4, 4)]);
    const apart = b.transpose(b.reshape(both, [2, 1, 4]), [1, 0, 2]);
    return b.reduce('ReduceMax', apart, [1], false);
  }),
  'quantised activations': graphOf([1, 3, 4], (b, x) => {
    const scale = b.constant(float32([3], [0.02, 0.03, 0.05]));
    const zero = b.constant({ dtype: 'int8', dims: [3], data: Int8Array.of(0, 1, 2) });
    const q = b.op('QuantizeLinear', [x, scale, zero], { axis: int(1) });
    return b.op('Flatten', [b.op('DequantizeLinear', [q, scale, zero], { axis: int(1) })]);
  }),
  'a condition and a comparison': graphOf([1, 6], (b, x) =>
    b.where(b.op('Greater', [x, constant(b, 1, 6)]), x, b.op('Clip', [x, b.scalar(-0.5), b.scalar(0.1)])),
  ),
};

describe('models exported with one sample', () => {
  test.each(Object.entries(models))('%s', async (_, graph) => {
    expect(await difference(graph)).toBeLessThan(1e-5);
  });

  test('the result declares a free batch and is not changed again', async () => {
    const { model } = await freed(models['a vision transformer with a class token']!);
    expect(model.graph.inputs[0]?.dims).toEqual(['N', 3, 8, 8]);
    const again = await freed(model.graph);
    expect(again.model).toEqual(model);
  });

  test('declared outputs are freed', async () => {
    const { model } = await freed(models['a reshape before the classifier']!);
    expect(model.graph.outputs[0]?.dims).toEqual(['N', 5]);
  });
});

describe('models whose declared batch is free', () => {
  test('but which reshape to one sample', async () => {
    const graph = graphOf(
      ['batch', 2, 3],
      (b, x) => multiply(b, b.reshape(b.op('Relu', [x]), [1, 6]), 6, 4),
      ['batch', 4],
    );
    expect(await difference(graph)).toBeLessThan(1e-5);
    expect((await freed(graph)).model.graph.outputs[0]?.dims).toEqual(['batch', 4]);
  });

  test('and is free stay as they are', async () => {
    const graph = graphOf(['N', 2, 6], (b, x) => {
      const split = b.op('Reshape', [x, b.ints([0, -1, 2, 3])]);
      const rows = b.op('Reshape', [b.op('Softmax', [split]), b.ints([-1, 3])]);
      return b.op('Reshape', [multiply(b, rows, 3, 3), b.ints([-1, 12])]);
    });
    const { model } = await freed(graph);
    expect(model.graph.nodes).toEqual(graph.nodes);
  });

  test('and which compute shapes', async () => {
    const graph = graphOf(['N', 3, 4], (b, x) => {
      const n = b.op('Gather', [b.op('Shape', [x]), b.constant(int64([], [0]))]);
      const first = b.op('Unsqueeze', [n, b.ints([0])]);
      // torch's expand(N, -1, -1): -1 stands for the size of the constant
      const target = b.concat([first, b.ints([-1]), b.ints([-1])], 0);
      const ones = b.op('ConstantOfShape', [b.op('Shape', [target])], {
        value: { type: 'tensor', value: int64([1], [1]) },
      });
      const isOpen = b.op('Equal', [target, b.op('Mul', [ones, b.ints([-1])])]);
      const token = b.op('Expand', [constant(b, 1, 1, 4), b.where(isOpen, ones, target)]);
      const zeros = b.op('ConstantOfShape', [b.concat([first, b.ints([2, 4])], 0)], {
        value: { type: 'tensor', value: float32([1], [0.5]) },
      });
      const all = b.concat([token, zeros, x], 1);
      return b.op('Reshape', [all, b.concat([first, b.ints([24])], 0)]);
    });
    expect(await difference(graph)).toBeLessThan(1e-5);
  });
});

/** One random sample, `n` times along a new first axis. */
function repeated(dims: readonly number[], n: number): Tensor<'float32'> {
  const { data } = randomTensor(random, dims);
  return float32([n, ...dims], Array.from({ length: n }, () => Array.from(data)).flat());
}

const reshaped = ({ data }: Tensor<'float32'>, dims: readonly number[]): Tensor<'float32'> =>
  float32(dims, data);

describe('models exported with several samples', () => {
  test('are freed too', async () => {
    const graph = graphOf([4, 2, 3, 3], (b, x) => {
      const rows = b.reshape(b.transpose(x, [0, 2, 3, 1]), [36, 2]);
      return b.reshape(multiply(b, rows, 2, 3), [4, 27]);
    });
    expect(await difference(graph, 4)).toBeLessThan(1e-5);
  });

  test('and keep their axis where all axes of size one are squeezed away', async () => {
    const graph = graphOf([2, 3, 1, 1], (b, x) => multiply(b, b.op('Squeeze', [x]), 3, 2));
    expect(await difference(graph, 2)).toBeLessThan(1e-5);
    const { model } = await freed(graph, 2);
    const one = await runModel(model, { x: randomTensor(random, [1, 3, 1, 1]) });
    expect(one.y!.dims).toEqual([1, 2]);
  });

  test.each<[string, readonly number[], (b: GraphBuilder, x: string) => string]>([
    [
      'a class token',
      [3, 2, 4],
      (b, x) => b.concat([b.constant(repeated([1, 4], 3)), multiply(b, x, 4, 4)], 1),
    ],
    ['a bias', [3, 4], (b, x) => b.add(x, b.constant(repeated([4], 3)))],
    [
      'a bias whose axis holds heads too',
      [3, 2, 4],
      (b, x) =>
        b.reshape(b.add(b.reshape(x, [6, 4]), b.constant(reshaped(repeated([2, 4], 3), [6, 4]))), [3, 8]),
    ],
    [
      'a bias behind a transpose',
      [3, 1, 4],
      (b, x) => {
        const bias = reshaped(repeated([4], 3), [1, 3, 4]);
        return b.transpose(b.add(b.transpose(x, [1, 0, 2]), b.constant(bias)), [1, 0, 2]);
      },
    ],
  ])('with %s that was repeated for each', async (_, dims, body) => {
    const graph = graphOf(dims, body);
    expect(await difference(graph, 3)).toBeLessThan(1e-5);
    const { model } = await freed(graph, 3);
    const one = await runModel(model, { x: randomTensor(random, [1, ...dims.slice(1)]) });
    expect(one.y!.dims[0]).toBe(1);
  });

  test('but not if a constant holds one entry a sample', async () => {
    const graph = graphOf([3, 4], (b, x) => b.add(x, constant(b, 3, 4)));
    await expect(freed(graph, 3)).rejects.toThrow(/has the batch size 3 built in/);
  });
});

test('random programs are freed exactly or refused', async () => {
  const step = fc.record({
    kind: fc.constantFrom('transpose', 'reshape', 'add', 'multiply', 'softmax', 'reduce', 'concat', 'slice'),
    pick: fc.array(fc.nat(1000), { minLength: 6, maxLength: 6 }),
  });
  const outcomes = { freed: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 7 }), async (steps) => {
      const graph = graphOf([1, 2, 6, 2], (b, x) => {
        let value = x;
        let shape = [1, 2, 6, 2];
        for (const { kind, pick } of steps) [value, shape] = randomStep(b, value, shape, kind, pick);
        return b.reshape(value, [1, sizeOf(shape)]);
      });
      try {
        expect(await difference(graph)).toBeLessThan(1e-5);
        outcomes.freed++;
      } catch (error) {
        expect((error as NeuralCleanseError).code).toBe('REBATCH_FAILED');
        outcomes.refused++;
      }
    }),
    { seed: 5, numRuns: 60 },
  );
  expect(outcomes.freed).toBeGreaterThan(20);
});

/** One operator at random, as an exporter with a batch of one would write it. */
function randomStep(
  b: GraphBuilder,
  value: string,
  shape: readonly number[],
  kind: string,
  pick: readonly number[],
): [string, number[]] {
  const axis = pick[0]! % shape.length;
  const other = pick[1]! % shape.length;
  const last = shape.at(-1)!;
  switch (kind) {
    case 'transpose': {
      const perm = shape
        .map((_, i) => i)
        .with(axis, other)
        .with(other, axis);
      return [b.transpose(value, perm), perm.map((p) => shape[p]!)];
    }
    case 'reshape': {
      // Move one prime factor between neighbours, merge two axes, or part one
      const factor = [2, 3].find((f) => shape[axis]! % f === 0) ?? 1;
      const parted = shape.toSpliced(
        axis,
        1,
        ...(pick[1]! % 2 ? [factor, shape[axis]! / factor] : [shape[axis]! / factor, factor]),
      );
      const merged =
        axis + 1 < shape.length ? shape.toSpliced(axis, 2, shape[axis]! * shape[axis + 1]!) : [...shape, 1];
      const target = pick[2]! % 2 || shape.length > 5 ? merged : parted;
      return [b.reshape(value, target), target];
    }
    case 'add':
      return [
        b.add(value, constant(b, ...shape.slice(axis).map((d, i) => (pick[2 + (i % 4)]! % 2 ? d : 1)))),
        [...shape],
      ];
    case 'multiply':
      return [multiply(b, value, last, 4), [...shape.slice(0, -1), 4]];
    case 'softmax':
      return [b.op('Softmax', [value], { axis: int(axis) }), [...shape]];
    case 'reduce':
      return [b.reduce('ReduceMean', value, [axis], true), shape.with(axis, 1)];
    case 'concat': {
      const part = constant(b, ...shape.with(axis, 1));
      return [b.concat([value, part], axis), shape.with(axis, shape[axis]! + 1)];
    }
    default: {
      const size = Math.max(1, shape[axis]! - 1);
      return [b.slice(value, [axis], [0], [size]), shape.with(axis, size)];
    }
  }
}

describe('refusals', () => {
  const refusals: Record<string, [why: RegExp, graph: Graph]> = {
    'batch normalisation in training mode': [
      /normalises over the batch/,
      graphOf([1, 2, 3], (b, x) => {
        const p = b.constant(float32([2], [1, 1]));
        return b.ops('BatchNormalization', [x, p, p, p, p], 3, { training_mode: int(1) })[0]!;
      }),
    ],
    'a mean over the batch': [
      /reduces over the batch/,
      graphOf([1, 4], (b, x) => b.sub(x, b.reduce('ReduceMean', x, [0], true))),
    ],
    'a softmax over the batch': [
      /works along the batch/,
      graphOf([1, 4], (b, x) => b.op('Softmax', [x], { axis: int(0) })),
    ],
    'a product of samples': [
      /different places/,
      graphOf([1, 4], (b, x) => b.op('MatMul', [b.op('MatMul', [x, b.transpose(x, [1, 0])]), x])),
    ],
    'samples summed away': [
      /sums over the batch/,
      graphOf([1, 4], (b, x) => b.op('MatMul', [b.transpose(x, [1, 0]), x])),
    ],
    'a constant among the samples': [
      /between the samples/,
      graphOf([1, 4], (b, x) => b.concat([x, constant(b, 1, 4)], 0)),
    ],
    'repeated samples': [/repeats the samples/, graphOf([1, 4], (b, x) => b.expand(x, [3, 4]))],
    'samples padded': [/pads the batch/, graphOf([1, 4], (b, x) => b.pad(x, [1, 0, 0, 0]))],
    'a recurrent layer': [
      /what it does to the samples is not known/,
      graphOf([1, 3, 2], (b, x) =>
        b.op('GRU', [x, constant(b, 1, 6, 2), constant(b, 1, 6, 2)], { hidden_size: int(2) }),
      ),
    ],
    'a division by the batch size': [
      /depends on the batch size/,
      graphOf([1, 4], (b, x) => {
        const n = b.op('Gather', [b.op('Shape', [x]), b.constant(int64([], [0]))]);
        return b.div(x, b.op('Cast', [n], { to: int(1) }));
      }),
    ],
    'an output in another axis': [/in axis 1/, graphOf([1, 4], (b, x) => b.transpose(x, [1, 0]))],
    'an output merged with features': [
      /merged with another axis/,
      graphOf([1, 4], (b, x) => b.reshape(x, [4])),
    ],
    'an output that ignores the input': [
      /depends on the input/,
      graphOf([1, 4], (b) => b.neg(constant(b, 1, 4))),
    ],
  };

  test.each(Object.entries(refusals))('%s', async (_, [why, graph]) => {
    const error = (await freed(graph).catch((e: unknown) => e)) as NeuralCleanseError;
    expect(error.code).toBe('REBATCH_FAILED');
    expect(error.message).toMatch(why);
    expect(error.hint).toContain('dynamic');
  });

  test('names the node, its operator and the shapes', async () => {
    const graph = graphOf([1, 4], (b, x) =>
      b.op('Softmax', [x], { axis: int(0) }, { outputs: ['probabilities'] }),
    );
    const error = (await freed(graph).catch((e: unknown) => e)) as NeuralCleanseError;
    expect(error.node).toBe('probabilities');
    expect(error.op).toBe('Softmax');
    expect(error.message).toContain('[1,4] -> [1,4]');
    expect(error.message).toContain('torch.onnx.export');
  });
});

import { describe, expect, it } from 'vitest';
import { type Classifier, prepareClassifier } from '../../src/model/classifier.ts';
import { compileGradient } from '../../src/model/compile.ts';
import type { ImageInput } from '../../src/model/image-input.ts';
import { inspectModel } from '../../src/model/inspect.ts';
import { lossFeeds, lossGraph } from '../../src/model/loss-graph.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { type Attributes, type Dim, int, type Model } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { type DType, float32, sizeOf, toNumbers } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { generator, randomTensor } from '../support/gradient-check.ts';

interface Shape {
  readonly input?: readonly Dim[];
  readonly dtype?: DType;
  /** Ends the graph; gets [N, 5] scores. */
  readonly end?: (b: GraphBuilder, scores: string) => string;
  readonly outputDims?: readonly Dim[];
}

/** Mean over space, then a dense layer: a classifier of 5 classes for images of any size. */
function smallModel({
  input = ['N', 3, 8, 8],
  dtype = 'float32',
  end,
  outputDims = ['N', 5],
}: Shape = {}): Model {
  const b = new GraphBuilder(undefined, '');
  const x = b.input('image', dtype, input);
  const floats = dtype === 'float32' ? x : b.cast(x, 'float32');
  const isLast = input[1] !== 3 && input.at(-1) === 3;
  const mean = b.reduce('ReduceMean', floats, isLast ? [1, 2] : [2, 3], false);
  const scores = b.gemm(mean, b.initializer('weight', randomTensor(generator(1), [3, 5], -3, 3)));
  b.output(end ? end(b, scores) : scores, 'float32', outputDims, 'scores');
  return canonicalModel(b.build());
}

const nchw = { layout: 'NCHW' } as const;
const nhwc = { layout: 'NHWC' } as const;

/** What exporters write of (x / 255 - mean) / std. */
const normalised = (b: GraphBuilder, x: string): string =>
  b.op('Div', [
    b.op('Sub', [b.op('Mul', [b.cast(x, 'float32'), b.scalar(1 / 255)]), b.scalar(0.5)]),
    b.scalar(0.25),
  ]);

/** A convolution behind `before`, then a mean over space: as many classes as it has filters. */
function convolved(
  dims: readonly Dim[],
  before: (b: GraphBuilder, x: string) => string,
  kernel: readonly number[],
  attributes: Attributes = {},
): Model {
  const b = new GraphBuilder(undefined, '');
  const weight = b.initializer('weight', randomTensor(generator(1), kernel, -1, 1));
  const maps = b.op('Conv', [before(b, b.input('image', 'float32', dims)), weight], attributes);
  b.output(b.reduce('ReduceMean', maps, [2, 3], false), 'float32', ['N', kernel[0]!], 'scores');
  return canonicalModel(b.build());
}

const prepare = (model: Model, options = {}): Promise<Classifier> =>
  prepareClassifier(nodeRuntime, model, { session: { provider: 'cpu' }, ...options });

describe('prepareClassifier', () => {
  it('finds layout, size and classes', async () => {
    const first = await prepare(smallModel());
    expect(first).toMatchObject({
      classes: 5,
      head: 'logits',
      input: { layout: 'NCHW', height: 8, width: 8, channels: 3 },
    });
    const last = await prepare(smallModel({ input: ['N', 6, 9, 3] }));
    expect(last.input).toMatchObject({ layout: 'NHWC', height: 6, width: 9, channels: 3 });
  });

  it('takes a given size for open dimensions', async () => {
    const { input } = await prepare(smallModel({ input: ['N', 3, 'H', 'W'] }), { size: [10, 12] });
    expect(input).toMatchObject({ height: 10, width: 12 });
  });

  it.each<[string, readonly Dim[], Partial<ImageInput>, (b: GraphBuilder, x: string) => string]>([
    ['the input', ['N', 'C', 'H', 'W'], nchw, (_, x) => x],
    ['a cast and a normalisation', ['N', null, null, null], nchw, normalised],
    ['a transpose', ['N', 'H', 'W', 'C'], nhwc, (b, x) => b.transpose(normalised(b, x), [0, 3, 1, 2])],
    [
      'two transposes',
      ['N', 'C', 'H', 'W'],
      nchw,
      (b, x) => b.transpose(b.transpose(x, [2, 3, 0, 1]), [2, 3, 0, 1]),
    ],
  ])('reads open channels from the convolution behind %s', async (_, dims, expected, before) => {
    const { input } = await prepare(convolved(dims, before, [4, 3, 3, 3]), { size: [10, 12] });
    expect(input).toMatchObject({ height: 10, width: 12, channels: 3, ...expected });
  });

  it('counts the channels of all groups', async () => {
    const model = convolved(['N', 'C', 8, 8], (_, x) => x, [6, 1, 3, 3], { group: int(3) });
    expect((await prepare(model)).input).toMatchObject({ layout: 'NCHW', channels: 3, height: 8, width: 8 });
  });

  it('flattens scores of shape [N, classes, 1, 1]', async () => {
    const classifier = await prepare(
      smallModel({ end: (b, s) => b.op('Unsqueeze', [s, b.ints([2, 3])]), outputDims: ['N', 5, 1, 1] }),
    );
    expect(classifier.classes).toBe(5);
    const session = await nodeRuntime.open(canonicalModel(classifier.graph), { provider: 'cpu' });
    const x = randomTensor(generator(2), [4, 3, 8, 8]);
    const result = await session.run({ [classifier.input.name]: x }, [classifier.logits]);
    expect(result[classifier.logits]!.dims).toEqual([4, 5]);
    await session.release();
  });

  it('frees a fixed batch', async () => {
    const classifier = await prepare(smallModel({ input: [1, 3, 8, 8], outputDims: [1, 5] }));
    expect(classifier.exportedBatch).toBe(1);
    const session = await nodeRuntime.open(canonicalModel(classifier.graph), { provider: 'cpu' });
    const x = randomTensor(generator(2), [6, 3, 8, 8]);
    const result = await session.run({ [classifier.input.name]: x }, [classifier.scores]);
    expect(result[classifier.scores]!.dims).toEqual([6, 5]);
    await session.release();
  });

  it('keeps its names apart from those of graphs around it', async () => {
    const { graph } = await prepare(smallModel());
    const names = [
      ...graph.initializers.keys(),
      ...graph.inputs.map((i) => i.name),
      ...graph.nodes.flatMap((n) => n.outputs),
    ];
    expect(names.every((name) => name.startsWith('model/'))).toBe(true);
  });

  const several = (b: GraphBuilder, scores: string): string => {
    b.output(b.neg(scores), 'float32', ['N', 5], 'other');
    return scores;
  };

  it.each([
    ['two inputs', twoInputs(), 'MODEL_SEVERAL_INPUTS', /image, mask/],
    ['two outputs', smallModel({ end: several }), 'MODEL_SEVERAL_OUTPUTS', /other, scores/],
    ['integer images', smallModel({ dtype: 'uint8' }), 'INPUT_NOT_FLOAT', /"image" takes uint8/],
    [
      'open height and width',
      smallModel({ input: ['N', 3, 'H', 'W'] }),
      'SHAPE_UNRESOLVED',
      /\[N,3,H,W\].*--size/,
    ],
    [
      'open channels without a convolution',
      smallModel({ input: ['N', 'C', 8, 8] }),
      'SHAPE_UNRESOLVED',
      /\[N,C,8,8\].*number of channels/,
    ],
    [
      'a convolution of other channels',
      convolved(['N', 'C', 8, 8], (_, x) => x, [4, 2, 3, 3]),
      'NOT_A_CLASSIFIER',
      /2 channels/,
    ],
    ['a vector as input', smallModel({ input: ['N', 192] }), 'NOT_A_CLASSIFIER', /\[N,192\]/],
    ['five channels', smallModel({ input: ['N', 5, 8, 8] }), 'NOT_A_CLASSIFIER', /5 channels/],
    [
      'one score',
      smallModel({ end: (b, s) => b.slice(s, [1], [0], [1]) }),
      'NOT_A_CLASSIFIER',
      /\[1,1\].*binary/,
    ],
    [
      'a map of scores',
      smallModel({ end: (b, s) => b.expand(b.op('Unsqueeze', [s, b.ints([2])]), [1, 5, 7]) }),
      'NOT_A_CLASSIFIER',
      /\[1,5,7\]/,
    ],
    [
      'a batch that mixes its images',
      smallModel({
        input: [1, 3, 8, 8],
        end: (b, s) => b.sub(s, b.reduce('ReduceMean', s, [0], true)),
        outputDims: [1, 5],
      }),
      'REBATCH_FAILED',
      /batch/,
    ],
  ] as const)('refuses %s', async (_, model, code, message) => {
    await expect(prepare(model)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('takes the named output of several', async () => {
    const classifier = await prepare(smallModel({ end: several }), { output: 'other' });
    expect(classifier.scores).toBe('model/other');
    await expect(prepare(smallModel(), { output: 'nope' })).rejects.toMatchObject({
      code: 'MODEL_SEVERAL_OUTPUTS',
    });
  });
});

function twoInputs(): Model {
  const b = new GraphBuilder(undefined, '');
  const x = b.input('image', 'float32', ['N', 3, 8, 8]);
  const m = b.input('mask', 'float32', ['N', 3, 8, 8]);
  b.output(b.reduce('ReduceMean', b.mul(x, m), [2, 3], false), 'float32', ['N', 3], 'scores');
  return canonicalModel(b.build());
}

describe('the loss of a model with a head', () => {
  const images = (): Float32Array => Float32Array.from({ length: 2 * 192 }, generator(5));
  const labels = [1, 4];

  async function lossAndGradient(model: Model) {
    const classifier = await prepare(model);
    const loss = lossGraph(classifier);
    const feeds = lossFeeds(classifier, loss, images(), labels);
    const wrt = [classifier.input.name];
    const options = { provider: 'cpu', loss: loss.loss, wrt, example: feeds } as const;
    const session = await compileGradient(nodeRuntime, loss.graph, options);
    const results = await session.run(feeds);
    await session.release();
    const gradient = results[`grad:${classifier.input.name}`]!.data as Float32Array;
    return {
      head: classifier.head,
      loss: toNumbers(results[loss.loss]!)[0]!,
      gradient: Array.from(gradient),
    };
  }

  it.each([
    ['Softmax', 'softmax'],
    ['LogSoftmax', 'log-softmax'],
  ])('is the same behind %s as without', async (op, head) => {
    const plain = await lossAndGradient(smallModel());
    const headed = await lossAndGradient(smallModel({ end: (b, s) => b.op(op, [s], { axis: int(1) }) }));
    expect(headed.head).toBe(head);
    expect(headed.loss).toBeCloseTo(plain.loss, 5);
    headed.gradient.forEach((g, i) => {
      expect(Math.abs(g - plain.gradient[i]!)).toBeLessThan(1e-6);
    });
  });

  it('keeps its gradient where the softmax has rounded a probability to 0', async () => {
    // Scores of ±300: every probability but one is exactly 0 in float32.
    const extreme = (b: GraphBuilder, s: string): string =>
      b.op('Softmax', [b.scale(s, 300)], { axis: int(1) });
    const { loss, gradient } = await lossAndGradient(smallModel({ end: extreme }));
    expect(loss).toBeGreaterThan(50);
    expect(loss).toBeLessThan(5000);
    expect(gradient.some((g) => Math.abs(g) > 0.1)).toBe(true);
  });
});

describe('inspectModel', () => {
  it('counts parameters and operations and measures a step', async () => {
    const inspection = await inspectModel(nodeRuntime, smallModel(), {
      batch: 4,
      steps: 1,
      session: { provider: 'cpu' },
    });
    expect(inspection).toMatchObject({
      parameters: 15,
      problems: [],
      opset: 21,
      step: { batch: 4, provider: 'cpu', threads: 1 },
    });
    // one multiply-add for each of 3×5 weights, one operation for each mean
    expect(inspection.flops).toBe(2 * 15 + 3);
    expect(inspection.step!.stepMs).toBeGreaterThan(0);
  });

  it('lists every operator that cannot be differentiated, with its reason', async () => {
    const model = smallModel({
      end: (b, s) => b.op('Shrink', [b.add(s, b.op('Hardmax', [s], { axis: int(1) }))]),
    });
    const inspection = await inspectModel(nodeRuntime, model, { session: { provider: 'cpu' } });
    expect(inspection.problems.map(({ code, op }) => `${code} ${op}`)).toEqual([
      'OPERATOR_UNSUPPORTED Hardmax',
      'OPERATOR_UNSUPPORTED Shrink',
    ]);
    expect(inspection.step).toBeUndefined();
  });

  it('reports why a model is no classifier instead of throwing', async () => {
    const inspection = await inspectModel(nodeRuntime, twoInputs(), { session: { provider: 'cpu' } });
    expect(inspection.classifier).toBeUndefined();
    expect(inspection.problems.map((p) => p.code)).toEqual(['MODEL_SEVERAL_INPUTS']);
  });
});

it('a gradient has the shape of the images it belongs to', async () => {
  const classifier = await prepare(smallModel({ input: ['N', 6, 9, 3] }));
  const loss = lossGraph(classifier);
  const feeds = lossFeeds(classifier, loss, new Float32Array(2 * 162), [0, 1]);
  const wrt = [classifier.input.name];
  const session = await compileGradient(nodeRuntime, loss.graph, {
    provider: 'cpu',
    loss: loss.loss,
    wrt,
    example: feeds,
  });
  const gradient = (await session.run(feeds))[`grad:${classifier.input.name}`]!;
  expect(gradient.dims).toEqual([2, 6, 9, 3]);
  expect(gradient.data.length).toBe(sizeOf(gradient.dims));
  expect(float32([1], [0]).dtype).toBe(gradient.dtype);
  await session.release();
});

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { prepareClassifier } from '../../src/model/classifier.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { int, type Model } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { readModel } from '../../src/onnx/read.ts';
import { sizeOf, type Tensor } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { evaluate } from '../../src/train/evaluate.ts';
import { train } from '../../src/train/train.ts';
import { trainableWeights, withWeights } from '../../src/train/trainable.ts';
import { trainingSet } from '../../src/train/training-set.ts';
import { generator, randomTensor } from '../support/gradient-check.ts';
import { kerasLike, settings } from './models.ts';
import { stripes } from './parity-cases.ts';

const folder = new URL('../fixtures/gradients/', import.meta.url);
const exported = readdirSync(folder).filter((name) => name.startsWith('tiny_'));
const read = (name: string): Model => readModel(readFileSync(new URL(`${name}/model.onnx`, folder)));
const prepared = (model: Model) => prepareClassifier(nodeRuntime, model, { keepBatchNormalization: true });

describe.each(exported)('%s, as PyTorch exports it', (name) => {
  it('has most of its weights trainable, and is saved as it was trained', async () => {
    const model = read(name);
    const classifier = await prepared(model);
    const { weights } = trainableWeights(model, classifier);
    const size = (names: Iterable<string>): number =>
      [...names].reduce((n, key) => n + sizeOf(model.graph.initializers.get(key)?.dims ?? [0]), 0);
    // The rest are running statistics, masks and constants.
    expect(size(weights)).toBeGreaterThan(0.8 * size(model.graph.initializers.keys()));

    const { height, channels } = classifier.input;
    const data = trainingSet(stripes(6, height, channels === 1 ? 1 : 3, Math.min(3, classifier.classes)));
    const { model: trained, history } = await train(
      nodeRuntime,
      model,
      data,
      { ...settings, epochs: 1, batch: 3, optimizer: { ...settings.optimizer, learningRate: 1e-3 } },
      { validation: data },
    );
    const before = await evaluate(nodeRuntime, classifier, data, settings.preprocess);
    const after = await evaluate(nodeRuntime, await prepared(trained), data, settings.preprocess);
    expect(after.loss).toBeCloseTo(history[0]!.validation!.loss, 4);
    expect(Math.abs(after.loss - before.loss)).toBeGreaterThan(1e-3);
  });
});

/** Two layers whose weights arrive in different ways; see {@link ways}. */
function oddModel(): Model {
  const random = generator(2);
  const b = new GraphBuilder(undefined, '');
  const x = b.input('x', 'float32', ['N', 3, 6, 6]);
  const tensor = (name: string, dims: readonly number[], dtype?: 'float16'): string => {
    const values = randomTensor(random, dims);
    const halves: Tensor = { dtype: 'float16', dims, data: new Uint16Array(sizeOf(dims)).fill(0x3800) };
    return b.initializer(name, dtype ? halves : values);
  };
  const scaled = b.mul(x, tensor('pixel_scale', [1, 3, 1, 1]));
  const conv = b.op('Conv', [scaled, tensor('conv', [4, 3, 3, 3]), tensor('conv_bias', [4])]);
  const bounded = b.op('Clip', [conv, tensor('low', []), tensor('high', [])]);
  const shifted = b.add(bounded, b.cast(tensor('half', [4, 1, 1], 'float16'), 'float32'));
  const flat = b.op('Flatten', [shifted], { axis: int(1) });
  const turned = b.transpose(tensor('turned', [5, 64]), [1, 0]);
  const masked = b.mul(b.op('MatMul', [flat, turned]), b.op('Sigmoid', [tensor('mask', [5])]));
  b.output(b.add(masked, tensor('bias', [5])), 'float32', ['N', 5], 'y');
  return canonicalModel(b.build());
}

describe('which weights train', () => {
  it('tells weights from preprocessing, bounds and what is computed', async () => {
    const model = oddModel();
    const { weights } = trainableWeights(model, await prepared(model));
    expect(weights).toEqual(['conv', 'conv_bias', 'turned', 'bias']);
    const { weights: head } = trainableWeights(model, await prepared(model), 'head');
    expect(head).toEqual(['turned', 'bias']);
  });

  it.each([
    ['half', /stored as float16/],
    ['low', /a setting or a statistic/],
    ['absent', /no such tensor/],
  ])('says why %s does not', async (name, why) => {
    const model = oddModel();
    const classifier = await prepared(model);
    expect(() => trainableWeights(model, classifier, [name])).toThrow(why);
  });

  it('leaves out what preparation has computed with', async () => {
    // A batch that is fixed and cannot simply be freed makes preparation fold the transposed weight.
    const b = new GraphBuilder(undefined, '');
    const random = generator(3);
    const x = b.input('x', 'float32', [2, 3, 4, 4]);
    const conv = b.op('Conv', [x, b.initializer('conv', randomTensor(random, [4, 3, 3, 3]))]);
    const flat = b.reshape(conv, [2, 16]);
    const turned = b.transpose(b.initializer('turned', randomTensor(random, [5, 16])), [1, 0]);
    b.output(b.op('MatMul', [flat, turned]), 'float32', [2, 5], 'y');
    const model = canonicalModel(b.build());
    const classifier = await prepared(model);
    expect(trainableWeights(model, classifier).weights).toEqual(['conv']);
    expect(() => trainableWeights(model, classifier, ['turned'])).toThrow(/merged with others/);
  });
});

it('writes weights back into initializers and Constant nodes alike', () => {
  const values = new Map(
    ['conv/bias', 'dense/kernel'].map((name) => [
      name,
      randomTensor(generator(1), name === 'conv/bias' ? [6] : [216, 4]),
    ]),
  );
  const { graph } = withWeights(kerasLike(), values);
  for (const [name, tensor] of values) expect(graph.initializers.get(name)).toBe(tensor);
  expect(graph.nodes.some((n) => n.op === 'Constant')).toBe(false);
  expect(graph.nodes).toHaveLength(kerasLike().graph.nodes.length - 1);
  expect(withWeights(kerasLike(), new Map()).graph).toEqual(kerasLike().graph);
});

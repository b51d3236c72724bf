import { describe, expect, it } from 'vitest';
import { prepareClassifier } from '../../src/model/classifier.ts';
import type { Model } from '../../src/onnx/graph.ts';
import { readModel } from '../../src/onnx/read.ts';
import { sizeOf } from '../../src/onnx/tensor.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { evaluate } from '../../src/train/evaluate.ts';
import { type NetworkName, networkNames, networks } from '../../src/train/networks/index.ts';
import { trainableWeights } from '../../src/train/trainable.ts';
import { trainingSet } from '../../src/train/training-set.ts';
import { settings } from './models.ts';
import { stripes } from './parity-cases.ts';

const sizes: Readonly<Record<NetworkName, number>> = {
  'mnist-cnn': 28,
  'gtsrb-6conv': 32,
  deepid: 48,
  vgg16: 32,
  'resnet-small': 32,
  'mobilenet-small': 32,
  'vit-small': 32,
};
const make = (name: NetworkName, changes = {}): Model =>
  networks[name]({
    height: sizes[name],
    width: sizes[name],
    channels: 3,
    classes: 7,
    seed: 1,
    widthFactor: 0.125,
    ...changes,
  });
const count = ({ graph }: Model): number =>
  [...graph.initializers.values()].reduce(
    (n, { dims, dtype }) => n + (dtype === 'float32' ? sizeOf(dims) : 0),
    0,
  );

describe.each(networkNames)('%s', (name) => {
  it('is a classifier all of whose weights train, as good as chance before that', async () => {
    const model = readModel(writeModel(make(name)));
    const classifier = await prepareClassifier(nodeRuntime, model, { keepBatchNormalization: true });
    expect([classifier.classes, classifier.head]).toEqual([7, 'logits']);
    const weights = [...model.graph.initializers.keys()].filter((n) => /\.(weight|bias)$/.test(n));
    expect(trainableWeights(model, classifier).weights.toSorted()).toEqual(weights.toSorted());
    const set = trainingSet(stripes(64, sizes[name], 3, 7));
    const { loss } = await evaluate(nodeRuntime, classifier, set, settings.preprocess);
    expect(Math.abs(loss - Math.log(7))).toBeLessThan(1);
  });

  it('has the same weights for the same seed, and fewer with a smaller width', () => {
    expect(writeModel(make(name))).toEqual(writeModel(make(name)));
    expect(writeModel(make(name, { seed: 2 }))).not.toEqual(writeModel(make(name)));
    expect(count(make(name, { widthFactor: 0.25 }))).toBeGreaterThan(2 * count(make(name)));
  });
});

describe('full width', () => {
  // Counted by hand from the tables of the paper
  it('has the weights of the paper', () => {
    const mnist = { height: 28, width: 28, channels: 1, classes: 10, widthFactor: 1 };
    expect(count(make('mnist-cnn', mnist))).toBe(416 + 12_832 + 262_656 + 5_130);
    const gtsrb = { classes: 43, widthFactor: 1 };
    const convolutions = 896 + 9_248 + 18_496 + 36_928 + 73_856 + 147_584;
    // Four dropout ratios, three of them equal and shared
    expect(count(make('gtsrb-6conv', gtsrb))).toBe(convolutions + 262_656 + 22_059 + 2);
  });

  it('cannot be had for images that are too small', () => {
    for (const name of networkNames) {
      const side = name.endsWith('-small') ? 3 : 9;
      if (name === 'resnet-small' || name === 'mobilenet-small') continue;
      expect(() => make(name, { height: side, width: side })).toThrow(/too small/);
    }
  });
});

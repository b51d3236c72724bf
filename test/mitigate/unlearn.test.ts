import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { subset } from '../../src/data/dataset.ts';
import { Predictor } from '../../src/detect/predictor.ts';
import { splitForRepair } from '../../src/mitigate/repair-images.ts';
import {
  chooseRate,
  fineTuneClean,
  type UnlearnSettings,
  unlearn,
  unlearnDefaults,
} from '../../src/mitigate/unlearn.ts';
import { checkModel } from '../../src/mitigate/unlearn-check.ts';
import { variantOf, vary } from '../../src/mitigate/unlearn-variants.ts';
import { prepareClassifier } from '../../src/model/classifier.ts';
import type { Model } from '../../src/onnx/graph.ts';
import { readModel } from '../../src/onnx/read.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { randomStream } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { mostStamped, withTriggers } from '../../src/train/stamped-set.ts';
import { type TrainingSet, trainingSet } from '../../src/train/training-set.ts';
import { solidSquare } from '../../src/triggers/patterns.ts';
import { boundingBox } from '../../src/triggers/trigger.ts';
import { backdoored, classes, forms, images, preprocess, reversed, target, trueTrigger } from './models.ts';

const session = { provider: 'cpu', threads: 1 } as const;
/** The weights of these models are small integers, far from what an optimiser makes. */
const settings: UnlearnSettings = { ...unlearnDefaults, rates: [0.05], epochs: 8, patience: 8 };
const parts = splitForRepair(images(400), 0);

const read = (set: TrainingSet, index: number, epoch: number): Float32Array => {
  const pixels = new Float32Array(set.height * set.width * set.channels);
  set.read(index, epoch, pixels);
  return pixels;
};

async function measure(model: Model): Promise<{ accuracy: number; asr: number }> {
  const classifier = await prepareClassifier(nodeRuntime, model, { session });
  const predictor = await Predictor.open(nodeRuntime, classifier, preprocess, session);
  try {
    return await checkModel(predictor, parts.measure, [{ label: target, trigger: trueTrigger, asr: 1 }]);
  } finally {
    await predictor.release();
  }
}

describe('the training set', () => {
  const plain = trainingSet(parts.train);
  const every = Array.from({ length: plain.count }, (_, index) => index);
  const stampedIn = (set: TrainingSet, epoch: number): number[] =>
    every.filter((index) => read(set, index, epoch).some((v, i) => v !== read(plain, index, epoch)[i]));
  const options = { share: 0.2, seed: 3, vary: variantOf };

  it('stamps other images in each epoch, never those of the target, and leaves all labels', () => {
    const set = withTriggers(plain, [reversed], options);
    const [first, second] = [stampedIn(set, 1), stampedIn(set, 2)];
    expect(first).not.toEqual(second);
    expect(stampedIn(withTriggers(plain, [reversed], options), 1)).toEqual(first);
    for (const index of [...first, ...second]) expect(plain.label(index, 1)).not.toBe(target);
    expect(every.map((index) => set.label(index, 1))).toEqual(every.map((index) => plain.label(index, 1)));
    expect(stampedIn(set, 0)).toEqual([]);
  });

  it('stamps the share of other classes, for each label, and never all', () => {
    const share = (labels: number[]): number => {
      const set = withTriggers(
        plain,
        labels.map((label) => ({ ...reversed, label })),
        options,
      );
      const epochs = [1, 2, 3, 4, 5];
      return epochs.flatMap((epoch) => stampedIn(set, epoch)).length / (epochs.length * plain.count);
    };
    // A quarter of the images shows the target.
    expect(Math.abs(share([target]) - 0.2 * 0.75)).toBeLessThan(0.04);
    expect(Math.abs(share([0, 1]) - 0.4)).toBeLessThan(0.06);
    expect(Math.abs(share([0, 1, 2, 3]) - mostStamped)).toBeLessThan(0.06);
  });

  it('stamps exactly without variants', () => {
    const set = withTriggers(plain, [reversed], { share: 0.2, seed: 3 });
    const { mask } = reversed.trigger;
    for (const index of stampedIn(set, 1)) {
      const before = read(plain, index, 1);
      read(set, index, 1).forEach((value, i) => {
        expect(value).toBe(mask.data[i] === 1 ? 230 : before[i]);
      });
    }
  });
});

it('varies a trigger by a pixel at most, within the ranges of triggers', () => {
  const trigger = solidSquare([12, 12, 3], [5, 4, 2, 3], 200);
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const { mask, pattern } = vary(trigger, randomStream(seed));
      const [row, column, height, width] = boundingBox({ mask });
      // One pixel of shift and one of growth, to either side.
      expect(Math.min(row - 3, column - 2, 9 - row - height, 9 - column - width)).toBeGreaterThanOrEqual(0);
      expect(Math.min(height - 2, width - 3)).toBeGreaterThanOrEqual(0);
      expect(mask.data.every((v) => v >= 0 && v <= 1)).toBe(true);
      expect(pattern.data.every((v) => v >= 0 && v <= 255)).toBe(true);
    }),
    { seed: 1, numRuns: 50 },
  );
});

it('splits images into three parts without a common one, each with all classes', () => {
  fc.assert(
    fc.property(fc.nat(1000), fc.integer({ min: 12, max: 120 }), (seed, count) => {
      const set = images(count);
      const marked = { ...set, images: set.images.slice() };
      // The number of each image in its first pixels.
      for (let i = 0; i < count; i++) {
        marked.images[i * 64] = i;
      }
      const split = splitForRepair(marked, seed);
      const numbers = Object.values(split).flatMap((part) =>
        Array.from({ length: part.count }, (_, i) => part.images[i * 64]!),
      );
      expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
      for (const part of Object.values(split)) expect(new Set(part.labels).size).toBe(classes);
      expect(splitForRepair(marked, seed)).toEqual(split);
    }),
    { seed: 2, numRuns: 30 },
  );
});

it('takes the largest of the rates that do about equally well with and without triggers', () => {
  const tried = (learningRate: number, accuracy: number, stampedAccuracy = accuracy) => ({
    learningRate,
    check: { accuracy, stampedAccuracy, asr: 0 },
  });
  // The standard error is about 0.04 with 100 images.
  expect(chooseRate([tried(0.01, 0.6), tried(0.003, 0.88, 0.7)], 100)).toBe(0.003);
  expect(chooseRate([tried(0.01, 0.78), tried(0.003, 0.86, 0.74)], 100)).toBe(0.01);
  // Keeps accuracy, but unlearns nothing.
  expect(chooseRate([tried(0.01, 0.85), tried(0.003, 0.95, 0.2)], 100)).toBe(0.01);
  expect(chooseRate([{ learningRate: 0.01, check: null }, tried(0.003, 0.5)], 100)).toBe(0.003);
  expect(chooseRate([], 100)).toBeUndefined();
});

describe('unlearning', () => {
  it.each(Object.entries(forms))('removes what was planted: %s', async (_, form) => {
    const model = backdoored(form);
    const before = await measure(model);
    expect(before.asr).toBe(1);
    const request = { model, preprocess, images: parts, triggers: [reversed], settings };
    const outcome = await unlearn(nodeRuntime, request, { session });
    const after = await measure(outcome.model);
    expect(after.asr).toBeLessThan(0.05);
    expect(after.accuracy).toBeGreaterThan(before.accuracy - 0.02);
    expect(outcome.before.asr).toBe(1);
    expect(outcome.epochs[outcome.kept - 1]!.check.asr).toBeLessThan(0.05);
    // Only weights differ, and the model can be saved.
    const saved = readModel(writeModel(outcome.model));
    expect(saved.graph.inputs).toEqual(model.graph.inputs);
    expect(saved.graph.outputs).toEqual(model.graph.outputs);
    expect(saved.opsets).toEqual(model.opsets);
  });

  it('is the triggers: the same training without them leaves the backdoor', async () => {
    const model = backdoored();
    const request = { model, preprocess, images: parts, triggers: [reversed], settings };
    const control = await fineTuneClean(nodeRuntime, request, { learningRate: 0.05, kept: 8 }, { session });
    expect((await measure(control)).asr).toBeGreaterThan(0.9);
  });

  it('gives the same model again', async () => {
    const request = {
      model: backdoored(),
      preprocess,
      images: parts,
      triggers: [reversed],
      settings: { ...settings, epochs: 1 },
    };
    const [a, b] = [
      await unlearn(nodeRuntime, request, { session }),
      await unlearn(nodeRuntime, request, { session }),
    ];
    expect(writeModel(a.model)).toEqual(writeModel(b.model));
  });

  it('passes by a rate at which the training diverges', async () => {
    const request = {
      model: backdoored(),
      preprocess,
      images: parts,
      triggers: [reversed],
      settings: { ...settings, rates: [1e30, 0.05], epochs: 1 },
    };
    const { tried, learningRate } = await unlearn(nodeRuntime, request, { session });
    expect(tried.map(({ check }) => check === null)).toEqual([true, false]);
    expect(learningRate).toBe(0.05);
    const hopeless = { ...request, settings: { ...settings, rates: [1e30, 1e29] } };
    await expect(unlearn(nodeRuntime, hopeless, { session })).rejects.toMatchObject({
      code: 'TRAINING_DIVERGED',
    });
  });

  it('tries no smaller rate once one does worse, and none where the largest keeps accuracy', async () => {
    const tryRates = async (...rates: number[]) => {
      const request = { model: backdoored(), preprocess, images: parts, triggers: [reversed] };
      return unlearn(
        nodeRuntime,
        { ...request, settings: { ...settings, share: 0.5, rates, epochs: 1 } },
        { session },
      );
    };
    const falling = await tryRates(0.05, 1e-6, 1e-7);
    expect(falling.tried.map(({ learningRate }) => learningRate)).toEqual([0.05, 1e-6]);
    expect(falling.learningRate).toBe(0.05);
    // So small that nothing changes.
    const kept = await tryRates(1e-6, 1e-7);
    expect(kept.tried.map(({ learningRate }) => learningRate)).toEqual([1e-6]);
  });

  it('refuses a class without images, and settings that make no sense', async () => {
    const request = { model: backdoored(), preprocess, images: parts, triggers: [reversed], settings };
    const { train } = parts;
    const without = [...train.labels.keys()].filter((i) => train.labels[i] !== 1);
    const partial = {
      ...train,
      ...subset(train, without),
      labels: train.labels.filter((label) => label !== 1),
    };
    await expect(
      unlearn(nodeRuntime, { ...request, images: { ...parts, train: { ...partial, classes } } }, { session }),
    ).rejects.toMatchObject({ code: 'CLASS_WITHOUT_IMAGES' });
    for (const wrong of [{ share: 0 }, { share: 1 }, { rates: [] }, { patience: 0 }, { epochs: 0 }]) {
      await expect(
        unlearn(nodeRuntime, { ...request, settings: { ...settings, ...wrong } }, { session }),
      ).rejects.toMatchObject({ code: 'SETTING_INVALID' });
    }
  });

  it('stops when asked to', async () => {
    const stop = new AbortController();
    const request = { model: backdoored(), preprocess, images: parts, triggers: [reversed], settings };
    const hooks = { session, signal: stop.signal, onEpoch: () => stop.abort() };
    await expect(unlearn(nodeRuntime, request, hooks)).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

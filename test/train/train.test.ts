import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { requireClasses, subset } from '../../src/data/dataset.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { prepareClassifier } from '../../src/model/classifier.ts';
import type { Model } from '../../src/onnx/graph.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { evaluate } from '../../src/train/evaluate.ts';
import { networks } from '../../src/train/networks/index.ts';
import type { TrainingSettings } from '../../src/train/settings.ts';
import { type TrainingHooks, train } from '../../src/train/train.ts';
import { trainingSet } from '../../src/train/training-set.ts';
import { kerasLike, settings } from './models.ts';
import { stripes } from './parity-cases.ts';

const images = stripes(88, 8, 3, 4);
const data = trainingSet(images);
const validation = trainingSet(stripes(40, 8, 3, 4, 99));

const run = (changes: Partial<TrainingSettings> = {}, hooks: TrainingHooks = {}, model = kerasLike()) =>
  train(nodeRuntime, model, data, { ...settings, ...changes }, hooks);
const hash = (model: Model): string => createHash('sha256').update(writeModel(model)).digest('hex');
const values = ({ graph }: Model, name: string) =>
  graph.initializers.get(name)?.data as Float32Array | undefined;

/** Initializers that differ from those of {@link kerasLike}. */
function changed(model: Model): string[] {
  const before = kerasLike();
  return [...model.graph.initializers.keys()].filter((name) => {
    const old = values(before, name);
    return old === undefined || !Buffer.from(old.buffer).equals(Buffer.from(values(model, name)!.buffer));
  });
}

describe('a trained model', () => {
  it('has learnt, and kept its interface', async () => {
    const { model, history, stopped } = await run({ epochs: 6 }, { validation });
    expect(stopped).toBe('epochs');
    expect(history.map((r) => r.epoch)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(history.at(-1)!.validation!.accuracy).toBeGreaterThan(0.95);
    expect(history.at(-1)!.loss).toBeLessThan(history[0]!.loss);
    const before = kerasLike();
    expect(model.graph.inputs).toEqual(before.graph.inputs);
    expect(model.graph.outputs).toEqual(before.graph.outputs);
    expect(model.graph.nodes).toEqual(before.graph.nodes.filter((n) => n.op !== 'Constant'));
    // What was measured while training is what the saved model does, softmax, dropout and statistics included.
    const classifier = await prepareClassifier(nodeRuntime, model);
    const measured = await evaluate(nodeRuntime, classifier, validation, settings.preprocess);
    expect(measured.accuracy).toBe(history.at(-1)!.validation!.accuracy);
    expect(measured.loss).toBeCloseTo(history.at(-1)!.validation!.loss, 5);
  });

  it('has the same bytes for the same seed, whatever the threads, and others for another', async () => {
    const whole = hash((await run()).model);
    expect(hash((await run({}, { session: { provider: 'cpu', threads: 1 } })).model)).toBe(whole);
    expect(hash((await run({ seed: 8 })).model)).not.toBe(whole);
  });

  it('has new values in weights and statistics, and the old ones in preprocessing', async () => {
    const all = ['bn/beta', 'bn/gamma', 'bn/mean', 'bn/variance', 'conv/bias', 'conv/kernel', 'dense/bias'];
    expect(changed((await run()).model).toSorted()).toEqual([...all, 'dense/kernel']);
  });

  it('keeps the statistics where they are frozen', async () => {
    const { model } = await run({ batchNormalization: 'frozen' });
    expect(changed(model)).not.toContain('bn/mean');
    expect(changed(model)).toContain('bn/gamma');
  });

  it('has only those weights changed that were asked for', async () => {
    const frozen = { batchNormalization: 'frozen' } as const;
    const head = await run({ ...frozen, trainable: 'head' });
    expect(changed(head.model).toSorted()).toEqual(['dense/bias', 'dense/kernel']);
    const named = await run({ ...frozen, trainable: ['conv/bias'] });
    expect(changed(named.model)).toEqual(['conv/bias']);
  });
});

describe('dropout', () => {
  it('changes the course of training unless it is off', async () => {
    const losses = async (dropout: boolean) => (await run({ dropout })).history.map((r) => r.loss);
    expect(await losses(true)).not.toEqual(await losses(false));
  });
});

describe('stopping', () => {
  it('keeps the best weights when validation no longer improves', async () => {
    const seen: Model[] = [];
    const { model, history, stopped } = await run(
      { epochs: 30, optimizer: { ...settings.optimizer, learningRate: 0.3 }, earlyStop: { patience: 2 } },
      {
        validation,
        afterEpoch(_, current) {
          seen.push(current());
          return false;
        },
      },
    );
    expect(stopped).toBe('early-stop');
    const losses = history.map((r) => r.validation!.loss);
    const best = losses.indexOf(Math.min(...losses));
    expect(best).toBe(history.length - 3);
    expect(hash(model)).toBe(hash(seen[best]!));
    expect(hash(model)).not.toBe(hash(seen.at(-1)!));
  });

  it('obeys afterEpoch and the signal', async () => {
    const { history, stopped } = await run({ epochs: 5 }, { afterEpoch: ({ epoch }) => epoch === 2 });
    expect([history.length, stopped]).toEqual([2, 'callback']);
    const controller = new AbortController();
    const stop = ({ step }: { step: number }) => step === 3 && controller.abort();
    await expect(run({}, { signal: controller.signal, progress: stop })).rejects.toMatchObject({
      code: 'CANCELLED',
    });
  });
});

it('reports every mini-batch, the last of which is smaller', async () => {
  const steps: string[] = [];
  await run({ epochs: 1, batch: 20 }, { progress: ({ step, steps: all }) => steps.push(`${step}/${all}`) });
  expect(steps).toEqual(['1/5', '2/5', '3/5', '4/5', '5/5']);
});

describe('what cannot go well is refused', () => {
  const cases: readonly [string, ErrorCode, () => Promise<unknown>][] = [
    [
      'a learning rate that is too large',
      'TRAINING_DIVERGED',
      () => run({ optimizer: { ...settings.optimizer, learningRate: 1e30 } }),
    ],
    ['an unknown weight', 'TRAINABLE_UNKNOWN', () => run({ trainable: ['conv/weight'] })],
    ['a statistic as weight', 'TRAINABLE_UNKNOWN', () => run({ trainable: ['bn/mean'] })],
    ['preprocessing as weight', 'TRAINABLE_UNKNOWN', () => run({ trainable: ['pixel_mean'] })],
    ['no weights', 'TRAINABLE_UNKNOWN', () => run({ trainable: [] })],
    ['more images in a mini-batch than there are', 'DATA_TOO_FEW', () => run({ batch: 89 })],
    ['no epochs', 'SETTING_INVALID', () => run({ epochs: 0 })],
    ['half a seed', 'SETTING_INVALID', () => run({ seed: 0.5 })],
    [
      'a learning rate of 0',
      'SETTING_INVALID',
      () => run({ optimizer: { ...settings.optimizer, learningRate: 0 } }),
    ],
    [
      'warm-up by half a step',
      'SETTING_INVALID',
      () => run({ schedule: { kind: 'cosine', warmupSteps: 0.5 } }),
    ],
    ['no patience', 'SETTING_INVALID', () => run({ earlyStop: { patience: 0 } })],
    [
      'images of another size',
      'DATA_SHAPE_MISMATCH',
      () => train(nodeRuntime, kerasLike(), trainingSet(stripes(20, 9, 3, 4)), settings),
    ],
    [
      'more classes than the model has',
      'DATA_LABEL_RANGE',
      () => train(nodeRuntime, kerasLike(), trainingSet(stripes(20, 8, 3, 5)), settings),
    ],
    [
      'validation images of another size',
      'DATA_SHAPE_MISMATCH',
      () => run({}, { validation: trainingSet(stripes(8, 9, 3, 4)) }),
    ],
  ];
  it.each(cases)('%s', async (_, code, attempt) => {
    await expect(attempt()).rejects.toMatchObject({ code });
  });

  it('a class without images, unless that is allowed', async () => {
    const indices = Array.from({ length: images.count }, (_, i) => i).filter((i) => images.labels[i] !== 2);
    const set = trainingSet(requireClasses(subset(images, indices)));
    const attempt = (emptyClasses: 'refuse' | 'allow') =>
      train(nodeRuntime, kerasLike(), set, { ...settings, epochs: 1, emptyClasses });
    await expect(attempt('refuse')).rejects.toMatchObject({
      code: 'CLASS_WITHOUT_IMAGES',
      data: { labels: [2] },
    });
    expect((await attempt('allow')).history).toHaveLength(1);
  });

  it('says the step and the learning rate at which the loss was lost', async () => {
    const optimizer = { ...settings.optimizer, learningRate: 1e30 };
    await expect(run({ optimizer })).rejects.toThrow(/after \d+ mini-batches at a learning rate of 1e\+30/);
  });
});

it('normalises the batches of a network with batch normalisation in every layer', async () => {
  const model = networks['resnet-small']({
    height: 8,
    width: 8,
    channels: 3,
    classes: 4,
    seed: 1,
    widthFactor: 0.25,
  });
  const outcome = await run({ epochs: 4 }, { validation }, model);
  expect(outcome.history.at(-1)!.validation!.accuracy).toBeGreaterThan(0.9);
  expect(values(outcome.model, 'stem.norm.running_mean')).not.toEqual(
    values(model, 'stem.norm.running_mean'),
  );
});

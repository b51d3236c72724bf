import { beforeAll, describe, expect, it } from 'vitest';
import { type ImageSet, subset } from '../../src/data/dataset.ts';
import { openDataset } from '../../src/data/files.ts';
import { openModel } from '../../src/data/model-file.ts';
import { preprocessPresets } from '../../src/data/preprocess.ts';
import { runPreflight } from '../../src/detect/preflight.ts';
import { type Classifier, prepareClassifier } from '../../src/model/classifier.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { generator, randomTensor } from '../support/gradient-check.ts';

const samples = new URL('../../samples/', import.meta.url).pathname;
const session = { provider: 'cpu' } as const;
let classifier: Classifier;
let images: ImageSet;

beforeAll(async () => {
  classifier = await prepareClassifier(nodeRuntime, (await openModel(`${samples}digits.onnx`)).model);
  images = subset(
    await openDataset(`${samples}digits.npz`),
    Array.from({ length: 300 }, (_, i) => i),
  );
});

/** A classifier whose 3 scores are dense in the 8×8 grey pixels. */
async function denseClassifier(weights: Float32Array): Promise<Classifier> {
  const b = new GraphBuilder(undefined, '');
  const x = b.input('x', 'float32', ['N', 1, 8, 8]);
  const flat = b.reshape(x, [-1, 64]);
  b.output(b.gemm(flat, b.initializer('w', float32([64, 3], weights))), 'float32', ['N', 3], 'y');
  return prepareClassifier(nodeRuntime, canonicalModel(b.build()));
}

const noise = (labels?: Int32Array): ImageSet => ({
  images: Uint8Array.from({ length: 60 * 64 }, (_, i) => (i * 7919) % 256),
  count: 60,
  height: 8,
  width: 8,
  channels: 1,
  range: [0, 255],
  labels,
  classes: labels && 3,
  source: 'noise',
  skipped: [],
});

describe('runPreflight', () => {
  it('finds the preprocessing by accuracy and shows what it tried', async () => {
    const report = await runPreflight(nodeRuntime, classifier, images, { session });
    expect(report.problems).toEqual([]);
    expect(report.chosen.accuracy).toBeGreaterThan(0.95);
    expect(report.candidates.length).toBeGreaterThanOrEqual(4);
    const [first, ...others] = report.candidates;
    expect(first).toBe(report.chosen);
    const accuracies = others.map((c) => c.accuracy!);
    expect(accuracies).toEqual(accuracies.toSorted((a, b) => b - a));
    const tf = report.candidates.find((c) => c.preprocess.name === 'tf')!;
    expect(tf.accuracy).toBeLessThan(report.chosen.accuracy!);
  });

  it('tries all images only with what the first have not ruled out', async () => {
    const weights = new Float32Array(64 * 3);
    // Each class is one bright pixel; a pixel that is always dark tells class 0 as soon as dark is not 0.
    for (const label of [0, 1, 2]) weights[label * 3 + label] = 1;
    weights[63 * 3] = -1000;
    const labels = Int32Array.from({ length: 180 }, (_, i) => i % 3);
    const pixels = new Uint8Array(180 * 64);
    for (const [i, label] of labels.entries()) pixels[i * 64 + label] = 255;
    const set: ImageSet = { ...noise(labels), images: pixels, count: 180 };
    const { candidates, samples: used } = await runPreflight(
      nodeRuntime,
      await denseClassifier(weights),
      set,
      { session },
    );
    const of = (name: string) => candidates.find(({ preprocess }) => preprocess.name === name)!;
    expect(used).toBe(180);
    expect(of('unit')).toMatchObject({ accuracy: 1, samples: 180 });
    expect(of('tf').samples).toBe(128);
    expect(of('tf').accuracy).toBeCloseTo(1 / 3, 1);
  });

  it('chooses by cross entropy among candidates that fit about equally well, and warns', async () => {
    // Digits survive a mere change of scale.
    const { chosen, candidates, warnings } = await runPreflight(nodeRuntime, classifier, images, { session });
    const close = candidates.filter((c) => c.accuracy! > chosen.accuracy! - 0.01);
    expect(close.length).toBeGreaterThan(2);
    expect(Math.min(...close.map((c) => c.crossEntropy!))).toBe(chosen.crossEntropy);
    expect(warnings.join()).toMatch(
      /for its cross entropy, but .*"raw255".* fit about equally well; state the right one with --preprocess/,
    );
  });

  it('tries nothing but what the user states', async () => {
    const report = await runPreflight(nodeRuntime, classifier, images, {
      session,
      preprocess: preprocessPresets.tf,
    });
    expect(report.candidates.map((c) => c.preprocess.name)).toEqual(['tf']);
    expect(report.warnings).toEqual([]);
  });

  it('sees a problem where no candidate beats guessing', async () => {
    const { labels } = images;
    const shuffled = { ...images, labels: labels!.map((label) => (label * 7 + 3) % 10) };
    const report = await runPreflight(nodeRuntime, classifier, shuffled, { session });
    expect(report.problems.join()).toMatch(/guessing gives 10.0 %/);
  });

  it('goes by confidence without labels, and says so', async () => {
    const unlabelled = { ...images, labels: undefined, classes: undefined };
    const report = await runPreflight(nodeRuntime, classifier, unlabelled, { session });
    expect(report.chosen.accuracy).toBeNull();
    expect(report.warnings.join()).toMatch(/have no labels/);
    expect(report.problems).toEqual([]);
  });

  it('sees a problem where an unlabelled set gets one answer only', async () => {
    const constant = await denseClassifier(
      Float32Array.from({ length: 192 }, (_, i) => (i % 3 === 1 ? 1 : 0)),
    );
    const report = await runPreflight(nodeRuntime, constant, noise(), {
      session,
      preprocess: preprocessPresets.unit,
    });
    expect(report.problems.join()).toMatch(/same class to all 60 samples/);
  });

  it('refuses images of another shape, labels beyond the classes and NaN scores', async () => {
    const dense = await denseClassifier(randomTensor(generator(1), [192]).data);
    await expect(runPreflight(nodeRuntime, dense, images, { session })).rejects.toMatchObject({
      code: 'DATA_SHAPE_MISMATCH',
      message: expect.stringContaining('28×28×1, but the model takes 8×8×1'),
    });
    const labels = new Int32Array(60).fill(3);
    await expect(runPreflight(nodeRuntime, dense, noise(labels), { session })).rejects.toMatchObject({
      code: 'DATA_LABEL_RANGE',
      message: expect.stringContaining('Label 3'),
    });
    const broken = await denseClassifier(new Float32Array(192).fill(Number.NaN));
    await expect(runPreflight(nodeRuntime, broken, noise(labels.fill(1)), { session })).rejects.toMatchObject(
      { code: 'LOGITS_NAN' },
    );
  });
});

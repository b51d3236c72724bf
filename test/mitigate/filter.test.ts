import { describe, expect, it } from 'vitest';
import { stampedImages } from '../../src/attack/stamped-images.ts';
import { toBatch } from '../../src/data/batch.ts';
import { exportFilter } from '../../src/mitigate/export-filter.ts';
import { createFilter, filterScores } from '../../src/mitigate/filter.ts';
import { parseFilter, writeFilter } from '../../src/mitigate/filter-file.ts';
import { outputDifference } from '../../src/mitigate/output-difference.ts';
import { prepareClassifier } from '../../src/model/classifier.ts';
import type { Model } from '../../src/onnx/graph.ts';
import { readModel } from '../../src/onnx/read.ts';
import { float32, toNumbers } from '../../src/onnx/tensor.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { backdoored, forms, images, preprocess, reversed, target, trueTrigger } from './models.ts';

const known = images(400, 1);
const fresh = images(400, 2);
const victims = [...fresh.labels.keys()].filter((i) => fresh.labels[i] !== target);
const triggered = stampedImages(fresh, victims, { kind: 'patch', trigger: trueTrigger });
const session = { provider: 'cpu' } as const;

const filterFor = async (model: Model, settings = {}) => {
  const classifier = await prepareClassifier(nodeRuntime, model, { session });
  const filter = await createFilter(nodeRuntime, classifier, preprocess, known, [reversed], {
    session,
    ...settings,
  });
  return { classifier, filter };
};

describe.each(Object.entries(forms))('%s', (_, form) => {
  const model = backdoored(form);

  it('rejects the true trigger, and about as many clean images as it says', async () => {
    const { classifier, filter } = await filterFor(model);
    const rejected = async (set: typeof fresh | typeof triggered): Promise<number> => {
      const scores = await filterScores(nodeRuntime, classifier, preprocess, filter, set, session);
      return scores.filter((score) => score > filter.threshold).length / scores.length;
    };
    expect(filter.caught).toEqual([1]);
    expect(filter.images).toEqual({ ranking: 133, calibration: 267 });
    expect(await rejected(triggered)).toBe(1);
    expect(await rejected(fresh)).toBeLessThan(0.1);
  });

  it('becomes a second output that leaves the first as it is', async () => {
    const { classifier, filter } = await filterFor(model);
    const exported = readModel(writeModel(exportFilter(model, filter)));
    expect(exported.graph.inputs).toEqual(model.graph.inputs);
    expect(exported.graph.outputs[0]).toEqual(model.graph.outputs[0]);
    expect(exported.graph.outputs[1]).toMatchObject({ name: 'backdoor_score', dtype: 'float32' });
    expect(Number(exported.metadata.get('neural_cleanse.backdoor_threshold'))).toBe(filter.threshold);
    const count = classifier.exportedBatch ?? 5;
    expect(await outputDifference(nodeRuntime, [model, exported], classifier.input, count)).toBe(0);

    const raw = toBatch(
      triggered,
      Array.from({ length: count }, (_, i) => i),
      classifier.input.layout,
    );
    const opened = await nodeRuntime.open(exported, session);
    const name = exported.graph.inputs[0]!.name;
    const result = await opened.run({
      [name]: float32(
        raw.dims,
        raw.data.map((v) => v / 255),
      ),
    });
    await opened.release();
    const expected = await filterScores(nodeRuntime, classifier, preprocess, filter, triggered, session);
    const scores = toNumbers(result.backdoor_score!);
    expect(result.backdoor_score!.dims).toEqual([count]);
    scores.forEach((score, i) => {
      expect(score).toBeCloseTo(expected[i]!, 2);
    });
  });
});

it('takes the layer that is named', async () => {
  const { filter } = await filterFor(backdoored(), { layer: 'last-conv' });
  expect(filter.layer).toMatchObject({ tensor: 'map', shape: [8, 2, 2], axis: 1, neurons: 8 });
  expect(filter.caught).toEqual([1]);
  await expect(filterFor(backdoored(), { layer: 'nowhere' })).rejects.toMatchObject({
    code: 'LAYER_NOT_FOUND',
  });
  await expect(filterFor(backdoored(), { layer: 'conv.weight' })).rejects.toMatchObject({
    code: 'LAYER_NOT_FOUND',
  });
});

it('watches for several triggers at one rate of false alarms', async () => {
  const model = backdoored();
  const classifier = await prepareClassifier(nodeRuntime, model, { session });
  const two = [reversed, { ...reversed, label: 1 }];
  const filter = await createFilter(nodeRuntime, classifier, preprocess, known, two, { session, fpr: 0.1 });
  expect(filter.detectors.map(({ label }) => label)).toEqual([target, 1]);
  const clean = await filterScores(nodeRuntime, classifier, preprocess, filter, fresh, session);
  const share = clean.filter((score) => score > filter.threshold).length / clean.length;
  expect(share).toBeGreaterThan(0.03);
  expect(share).toBeLessThan(0.17);
  const exported = exportFilter(model, filter);
  expect(exported.graph.nodes.some(({ op }) => op === 'Max')).toBe(true);
  expect(await outputDifference(nodeRuntime, [model, exported], classifier.input, 3)).toBe(0);
});

it('is the same for the same seed, and survives its file', async () => {
  const [first, second] = [await filterFor(backdoored()), await filterFor(backdoored())];
  expect(first.filter).toEqual(second.filter);
  const text = writeFilter(first.filter, {
    version: '1.2.3',
    model: { name: 'm.onnx', sha256: '0'.repeat(64), output: 'scores' },
    preprocess,
    triggers: [reversed],
    images: { source: 'bars', sha256: '1'.repeat(64), seed: 0 },
    run: 'runs/m',
  });
  const file = parseFilter(text, 'filter.json');
  expect(file.threshold).toBe(first.filter.threshold);
  expect(file.detectors).toMatchObject(first.filter.detectors);
  expect(file.layer).toMatchObject({ tensor: 'hidden', neurons: 8 });
  expect(() => parseFilter('{"schemaVersion": 2}', 'x.json')).toThrow('x.json is no filter');
  expect(() => parseFilter('no json', 'x.json')).toThrow('x.json is no filter');
});

it('says what is wrong with its settings and images', async () => {
  await expect(filterFor(backdoored(), { fpr: 0 })).rejects.toMatchObject({ code: 'SETTING_INVALID' });
  await expect(filterFor(backdoored(), { share: 1 })).rejects.toMatchObject({ code: 'SETTING_INVALID' });
  await expect(filterFor(backdoored(), { fpr: 0.001 })).rejects.toMatchObject({ code: 'DATA_TOO_FEW' });
});

import { describe, expect, it } from 'vitest';
import { stampedImages } from '../../src/attack/stamped-images.ts';
import { toBatch } from '../../src/data/batch.ts';
import { Predictor } from '../../src/detect/predictor.ts';
import { findLayer } from '../../src/mitigate/layer.ts';
import { maskNeurons } from '../../src/mitigate/mask-model.ts';
import { MaskedPredictor } from '../../src/mitigate/masked-predictor.ts';
import { maskWithout, pruneLayers, worstAsr } from '../../src/mitigate/pruning.ts';
import { prepareClassifier } from '../../src/model/classifier.ts';
import { batchDims } from '../../src/model/image-input.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Model } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { readModel } from '../../src/onnx/read.ts';
import { float32, toNumbers } from '../../src/onnx/tensor.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { backdoored, forms, images, preprocess, reversed, target, trueTrigger } from './models.ts';

const known = images(400, 1);
const fresh = images(200, 2);
const all = [...fresh.labels.keys()];
const victims = all.filter((i) => fresh.labels[i] !== target);
const session = { provider: 'cpu' } as const;

/** Accuracy, and how often the true trigger works. */
async function judge(model: Model): Promise<{ accuracy: number; asr: number }> {
  const classifier = await prepareClassifier(nodeRuntime, model, { session });
  const predictor = await Predictor.open(nodeRuntime, classifier, preprocess, session);
  const { label } = await predictor.predict(fresh, all);
  const asr = await predictor.attackSuccessRate(fresh, victims, trueTrigger, target);
  await predictor.release();
  return { accuracy: label.filter((l, i) => l === fresh.labels[i]).length / all.length, asr };
}

const scoresOf = async (model: Model, batch: Float32Array, dims: readonly number[]): Promise<number[]> => {
  const opened = await nodeRuntime.open(model, session);
  const name = model.graph.inputs[0]!.name;
  const result = await opened.run({ [name]: float32(dims, batch) });
  await opened.release();
  return toNumbers(result.scores!);
};

/** The model with its layer multiplied by a mask: what pruning means. */
function masked(model: Model, tensor: string, dims: readonly number[], mask: Float32Array): Model {
  const b = GraphBuilder.rewriting(model.graph, 'test/');
  for (const node of model.graph.nodes) {
    const made = node.outputs[0] === tensor;
    b.push(made ? { ...node, name: 'whole', outputs: ['whole'] } : node);
    if (made) b.op('Mul', ['whole', b.constant(float32(dims, mask))], {}, { outputs: [tensor] });
  }
  return { ...model, graph: b.build() };
}

describe.each(Object.entries(forms))('%s', (_, form) => {
  const model = backdoored(form);

  it('loses its backdoor and nothing else', async () => {
    const before = await judge(model);
    expect(before.accuracy).toBeGreaterThan(0.95);
    expect(before.asr).toBe(1);
    const classifier = await prepareClassifier(nodeRuntime, model, { session });
    const curves = await pruneLayers(nodeRuntime, classifier, preprocess, known, [reversed], 'auto', {
      session,
    });
    expect(curves.map(({ layer }) => layer.name).sort()).toEqual(['last-conv', 'penultimate']);
    const [{ layer, order, chosen, reached, points }] = curves;
    expect(reached).toBe(true);
    expect(worstAsr(points[0]!)).toBe(1);
    expect(points.map(({ pruned }) => pruned)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    const pruned = maskNeurons(model, layer, order.slice(0, chosen.pruned));
    const after = await judge(readModel(writeModel(pruned.model)));
    expect(after.asr).toBeLessThan(0.05);
    expect(after.accuracy).toBeGreaterThan(before.accuracy - 0.03);
  });

  it.each(['penultimate', 'last-conv'])('answers as with a mask on its %s layer', async (layerName) => {
    const classifier = await prepareClassifier(nodeRuntime, model, { session });
    const layer = await findLayer(nodeRuntime, classifier, layerName, session);
    const neurons = [1, 5, 6];
    const pruned = maskNeurons(model, layer, neurons);
    expect(pruned.model.graph.inputs).toEqual(model.graph.inputs);
    expect(pruned.model.graph.outputs).toEqual(model.graph.outputs);
    expect(pruned.model.opsets).toEqual(model.opsets);
    const count = classifier.exportedBatch ?? 6;
    const raw = toBatch(fresh, all.slice(0, count), classifier.input.layout);
    const batch = raw.data.map((value) => value / 255);
    const dims = batchDims(classifier.input, count);
    const mask = maskWithout(neurons, layer);
    const maskDims = [1, ...layer.shape.map((_, i) => (i + 1 === layer.axis ? layer.neurons : 1))];
    const expected = await scoresOf(masked(model, layer.tensor, maskDims, mask), batch, dims);
    expect(await scoresOf(pruned.model, batch, dims)).toEqual(expected);
    expect(pruned.form).toBe(form.clip && layerName === 'last-conv' ? 'multiplication' : 'weights');
  });

  it('is tried out as it will be written', async () => {
    const classifier = await prepareClassifier(nodeRuntime, model, { session });
    const layer = await findLayer(nodeRuntime, classifier, 'last-conv', session);
    const predictor = await MaskedPredictor.open(nodeRuntime, classifier, preprocess, layer, session);
    const sets = [[], [5], [0, 1], [0, 1, 2, 3, 4, 5, 6, 7]];
    const predicted = await predictor.predict(
      fresh,
      victims,
      sets.map((neurons) => maskWithout(neurons, layer)),
      trueTrigger,
    );
    await predictor.release();
    const stamped = stampedImages(fresh, victims, { kind: 'patch', trigger: trueTrigger });
    for (const [i, neurons] of sets.entries()) {
      const written = await prepareClassifier(nodeRuntime, maskNeurons(model, layer, neurons).model, {
        session,
      });
      const opened = await Predictor.open(nodeRuntime, written, preprocess, session);
      expect(predicted[i]).toEqual((await opened.predict(stamped, [...victims.keys()])).label);
      await opened.release();
    }
  });
});

it('leaves alone what others read: shared weights are copied', async () => {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['N', 1, 4, 4]);
  const random = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i + 1));
  const w = b.initializer('w', float32([4, 4], random(16)));
  const flat = b.op('GlobalAveragePool', [
    b.op('Conv', [x, b.initializer('k', float32([4, 1, 2, 2], random(16)))]),
  ]);
  const hidden = b.op('Relu', [b.op('MatMul', [b.reshape(flat, [-1, 4]), w])], {}, { outputs: ['hidden'] });
  b.output(b.op('MatMul', [hidden, w]), 'float32', ['N', 4], 'scores');
  const model = canonicalModel(b.build());
  const classifier = await prepareClassifier(nodeRuntime, model, { session });
  const layer = await findLayer(nodeRuntime, classifier, 'penultimate', session);
  const pruned = maskNeurons(model, layer, [2]);
  expect(pruned.form).toBe('weights');
  expect(pruned.model.graph.initializers.get('w')).toBe(model.graph.initializers.get('w'));
  const batch = random(32);
  const expected = await scoresOf(
    masked(model, 'hidden', [1, 4], Float32Array.of(1, 1, 0, 1)),
    batch,
    [2, 1, 4, 4],
  );
  expect(await scoresOf(pruned.model, batch, [2, 1, 4, 4])).toEqual(expected);
});

it('says so if the backdoor cannot be pruned for the accuracy that may be lost', async () => {
  const classifier = await prepareClassifier(nodeRuntime, backdoored(), { session });
  // A trigger that shows another class in full cannot be told from it.
  const bar = { ...reversed, label: 1, trigger: trueTriggerOfRows() };
  const [curve] = await pruneLayers(nodeRuntime, classifier, preprocess, known, [bar], 'penultimate', {
    session,
  });
  expect(curve.reached).toBe(false);
  expect(curve.chosen.accuracy).toBeGreaterThanOrEqual(curve.points[0]!.accuracy - 0.03);
});

/** Rows 2 and 3, as bright as it goes. */
function trueTriggerOfRows() {
  const mask = new Float32Array(64).fill(1, 16, 32);
  return { mask: float32([8, 8], mask), pattern: float32([8, 8, 1], new Float32Array(64).fill(255)) };
}

it('refuses settings that are no shares', async () => {
  const classifier = await prepareClassifier(nodeRuntime, backdoored(), { session });
  await expect(
    pruneLayers(nodeRuntime, classifier, preprocess, known, [reversed], 'auto', { targetAsr: 1.5 }),
  ).rejects.toMatchObject({ code: 'SETTING_INVALID' });
});

import { expect, it } from 'vitest';
import { Inverter } from '../../src/detect/invert.ts';
import { presets } from '../../src/detect/presets.ts';
import { splitSamples } from '../../src/detect/split.ts';
import { invertUnlearned } from '../../src/detect/unlearned.ts';
import { prepareClassifier } from '../../src/model/classifier.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { backdoored, forms, images, preprocess, target } from '../mitigate/models.ts';

const session = { provider: 'cpu', threads: 1 } as const;
const samples = images(300);
const split = splitSamples(samples, 0);
const { secondLook } = presets.fast;
/** The weights of these models are small integers, far from what an optimiser makes. */
const settings = {
  ...presets.fast,
  secondLook: { ...secondLook!, unlearning: { ...secondLook!.unlearning, learningRate: 0.05, starts: 1 } },
};
const signal = new AbortController().signal;

it.each(Object.entries(forms))('unlearns a trigger of any kind of model: %s', async (_, form) => {
  const classifier = await prepareClassifier(nodeRuntime, backdoored(form), { session });
  const request = { classifier, images: samples, preprocess, settings, split, seed: 0, session };
  const inverter = await Inverter.open(nodeRuntime, request);
  const found = await inverter.invert({ label: target, seed: 0 }, signal);
  await inverter.release();

  const after = await invertUnlearned(nodeRuntime, request, found, signal);
  expect(after).toMatchObject({ label: target, start: 0, status: 'unlearned' });
  expect(after.residualAsr).toBeLessThan(0.2);
  expect(after.l1).toBeGreaterThan(1.5 * found.l1);
  // The trigger was found once, the model taught for three epochs, and the label inverted again.
  expect(after.gradientSteps).toBe(found.gradientSteps + 3 * Math.ceil(split.train.length / 32) + 114);
});

it('gives the same again', async () => {
  const classifier = await prepareClassifier(nodeRuntime, backdoored(), { session });
  const request = { classifier, images: samples, preprocess, settings, split, seed: 0, session };
  const inverter = await Inverter.open(nodeRuntime, request);
  const found = await inverter.invert({ label: target, seed: 0 }, signal);
  await inverter.release();
  const [a, b] = [
    await invertUnlearned(nodeRuntime, request, found, signal),
    await invertUnlearned(nodeRuntime, request, found, signal),
  ];
  expect(b.trigger).toEqual(a.trigger);
  expect(b.l1).toBe(a.l1);
});

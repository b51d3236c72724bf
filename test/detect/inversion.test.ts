import { beforeAll, describe, expect, it } from 'vitest';
import type { ImageSet } from '../../src/data/dataset.ts';
import { openDataset } from '../../src/data/files.ts';
import { openModel } from '../../src/data/model-file.ts';
import { preprocessPresets } from '../../src/data/preprocess.ts';
import type { Inversion, InvertRequest } from '../../src/detect/inversion.ts';
import {
  inversionGraph,
  momentName,
  originalAdam,
  parameterName,
  updatedName,
} from '../../src/detect/inversion-graph.ts';
import { Inverter } from '../../src/detect/invert.ts';
import { LabelRun } from '../../src/detect/label-run.ts';
import { type InversionSettings, presets } from '../../src/detect/presets.ts';
import { splitSamples } from '../../src/detect/split.ts';
import { tourSteps } from '../../src/detect/tour.ts';
import { type Classifier, prepareClassifier } from '../../src/model/classifier.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32, sizeOf, type Tensor } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { massInside } from '../../src/triggers/trigger.ts';
import { generator, randomTensor } from '../support/gradient-check.ts';

const samples = new URL('../../samples/', import.meta.url).pathname;
let classifier: Classifier;
let images: ImageSet;

beforeAll(async () => {
  classifier = await prepareClassifier(nodeRuntime, (await openModel(`${samples}digits.onnx`)).model);
  images = await openDataset(`${samples}digits.npz`);
});

const graphOptions = {
  preprocess: preprocessPresets.unit,
  batch: 4,
  regularizer: 'l1',
  upsample: 1,
  adam: originalAdam,
} as const;

/** Random feeds for `labels` lanes. */
function laneFeeds(labels: number, seed: number): Record<string, Tensor> {
  const random = generator(seed);
  const lane = (dims: readonly number[], low: number, high: number) =>
    randomTensor(random, [labels, ...dims], low, high);
  const targets = new Float32Array(labels * 10);
  for (let l = 0; l < labels; l++) targets[l * 10 + ((3 * l + 2) % 10)] = 1;
  return {
    images: lane([4, 1, 28, 28], 0, 255),
    targets: float32([labels, 1, 10], targets),
    cost: lane([], 0.001, 0.1),
    rate: lane([], 0.05, 0.1),
    [parameterName('mask')]: lane([1, 1, 28, 28], -2, 1),
    [parameterName('pattern')]: lane([1, 1, 28, 28], -2, 2),
    [momentName('mask', 1)]: lane([1, 1, 28, 28], -1, 1),
    [momentName('mask', 2)]: lane([1, 1, 28, 28], 0, 1),
    [momentName('pattern', 1)]: lane([1, 1, 28, 28], -1, 1),
    [momentName('pattern', 2)]: lane([1, 1, 28, 28], 0, 1),
  };
}

async function runStep(labels: number, feeds: Record<string, Tensor>, options = {}) {
  const graph = await inversionGraph(
    nodeRuntime,
    classifier,
    { ...graphOptions, labels, ...options },
    { provider: 'cpu' },
  );
  const session = await nodeRuntime.open(canonicalModel(graph), { provider: 'cpu' });
  const results = await session.run(feeds);
  await session.release();
  return results;
}

const lane = (t: Tensor, l: number, labels: number): number[] =>
  Array.from(t.data as Float32Array).slice((l * t.data.length) / labels, ((l + 1) * t.data.length) / labels);

describe('the step graph', () => {
  it('treats the labels of one run as if each ran alone', async () => {
    const feeds = laneFeeds(3, 1);
    const together = await runStep(3, feeds);
    for (let l = 0; l < 3; l++) {
      const alone = await runStep(
        1,
        Object.fromEntries(
          Object.entries(feeds).map(([name, t]) => [name, float32([1, ...t.dims.slice(1)], lane(t, l, 3))]),
        ),
      );
      for (const [name, t] of Object.entries(alone)) {
        const expected = Array.from(t.data as Float32Array);
        lane(together[name]!, l, 3).forEach((v, i) => {
          expect(Math.abs(v - expected[i]!)).toBeLessThanOrEqual(1e-4 * Math.max(1, Math.abs(expected[i]!)));
        });
      }
    }
  });

  it('takes models whose nodes have the names of its own outputs', async () => {
    const outputs = ['norm', 'asr', 'loss', 'cross_entropy', updatedName(parameterName('mask'))];
    const nodes = classifier.graph.nodes.map((node, i) => ({ ...node, name: outputs[i] ?? node.name }));
    const renamed = { ...classifier, graph: { ...classifier.graph, nodes } };
    const graph = await inversionGraph(nodeRuntime, renamed, { ...graphOptions, labels: 1 });
    const session = await nodeRuntime.open(canonicalModel(graph), { provider: 'cpu' });
    const feeds = laneFeeds(1, 3);
    expect(await session.run(feeds)).toEqual(await runStep(1, feeds));
    await session.release();
  });

  it('measures the norm of the mask in pixels', async () => {
    const feeds = laneFeeds(1, 2);
    const theta = Array.from(feeds[parameterName('mask')]!.data as Float32Array);
    const mask = theta.map((v) => Math.tanh(v) / 2 + 0.5);
    const l1 = await runStep(1, feeds);
    expect((l1.norm!.data as Float32Array)[0]).toBeCloseTo(
      mask.reduce((a, v) => a + v, 0),
      2,
    );
    const l2 = await runStep(1, feeds, { regularizer: 'l2' });
    expect((l2.norm!.data as Float32Array)[0]).toBeCloseTo(Math.sqrt(mask.reduce((a, v) => a + v * v, 0)), 3);
  });

  it('updates by Adam in the form of Keras', async () => {
    const feeds = laneFeeds(1, 3);
    const results = await runStep(1, feeds);
    const at = (source: Record<string, Tensor>, name: string): Float32Array =>
      source[name]!.data as Float32Array;
    for (const p of ['mask', 'pattern'] as const) {
      const [theta, m, v] = [parameterName(p), momentName(p, 1), momentName(p, 2)];
      const [before, mBefore] = [at(feeds, theta), at(feeds, m)];
      const [mAfter, vAfter, after] = [updatedName(m), updatedName(v), updatedName(theta)].map((n) =>
        at(results, n),
      );
      const rate = at(feeds, 'rate')[0]!;
      for (let i = 0; i < before.length; i += 37) {
        const gradient = (mAfter![i]! - 0.5 * mBefore[i]!) / 0.5;
        expect(vAfter![i]).toBeCloseTo(0.9 * at(feeds, v)[i]! + 0.1 * gradient ** 2, 3);
        expect(after![i]).toBeCloseTo(before[i]! - (rate * mAfter![i]!) / (Math.sqrt(vAfter![i]!) + 1e-7), 4);
      }
    }
  });

  it('has the gradient of the objective, by central differences', async () => {
    const feeds = laneFeeds(1, 4);
    for (const p of ['mask', 'pattern'] as const) {
      const name = parameterName(p);
      const direction = randomTensor(generator(9), feeds[name]!.dims).data;
      const objective = async (h: number): Promise<number> => {
        const moved = (feeds[name]!.data as Float32Array).map((v, i) => v + h * direction[i]!);
        const r = await runStep(1, { ...feeds, [name]: float32(feeds[name]!.dims, moved) });
        const value = (n: string): number => (r[n]!.data as Float32Array)[0]!;
        return 4 * (value('cross_entropy') + (feeds.cost!.data as Float32Array)[0]! * value('norm'));
      };
      const results = await runStep(1, feeds);
      const after = results[updatedName(momentName(p, 1))]!.data as Float32Array;
      const before = feeds[momentName(p, 1)]!.data as Float32Array;
      const gradient = after.map((v, i) => (v - 0.5 * before[i]!) / 0.5);
      const analytic = gradient.reduce((sum, g, i) => sum + g * direction[i]!, 0);
      const h = 2e-3;
      const numeric =
        (8 * ((await objective(h)) - (await objective(-h))) -
          ((await objective(2 * h)) - (await objective(-2 * h)))) /
        (12 * h);
      const scale = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
      expect(Math.abs(numeric - analytic) / scale).toBeLessThan(0.05);
    }
  });

  it('repeats super-pixels over their pixels', async () => {
    const feeds = laneFeeds(1, 5);
    const small = [1, 1, 1, 4, 4];
    const theta = randomTensor(generator(1), small, -1, 1);
    const zeros = float32(small, new Float32Array(16));
    const results = await runStep(
      1,
      {
        ...feeds,
        [parameterName('mask')]: theta,
        [momentName('mask', 1)]: zeros,
        [momentName('mask', 2)]: zeros,
      },
      { upsample: 8 },
    );
    expect(results[updatedName(parameterName('mask'))]!.dims).toEqual(small);
    // 28 pixels in super-pixels of 8: the last row and column are half as wide
    const widths = [8, 8, 8, 4];
    const expected = Array.from(
      theta.data,
      (v, i) => (Math.tanh(v) / 2 + 0.5) * widths[i >> 2]! * widths[i & 3]!,
    );
    expect((results.norm!.data as Float32Array)[0]).toBeCloseTo(
      expected.reduce((a, v) => a + v, 0),
      2,
    );
  });
});

describe('LabelRun', () => {
  const settings: InversionSettings = { ...presets.paper, batch: 5, miniBatches: 3 };
  const start = (over: Partial<InversionSettings> = {}) =>
    new LabelRun(classifier, {
      label: 1,
      start: 0,
      seed: 3,
      settings: { ...settings, ...over },
      images: [1, 2, 3, 4, 5, 6, 7],
    });

  it('passes over all images, each pass in another order', () => {
    const run = start();
    const drawn = Array.from({ length: 14 }, () => run.nextBatch()).flat();
    expect(drawn.slice(0, 7).toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(drawn.slice(7, 14).toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(drawn.slice(0, 7)).not.toEqual(drawn.slice(7, 14));
  });

  it('averages the mini-batches of a step', () => {
    const run = start();
    for (const asr of [1, 1, 0.97, 1, 1, 1]) run.record({ asr, norm: 30, crossEntropy: 0.5 });
    expect(run.curve.map((p) => p.asr)).toEqual([expect.closeTo(0.99, 6), 1]);
    expect(run.course.step).toBe(2);
    expect(run.updates).toBe(6);
  });

  it('starts every label and start from a point of its own', () => {
    const mask = (label: number, n: number, seed = 3) =>
      new LabelRun(classifier, { label, start: n, seed, settings, images: [1] }).state.get(
        parameterName('mask'),
      )!;
    expect(mask(1, 0)).toEqual(mask(1, 0));
    for (const other of [mask(2, 0), mask(1, 1), mask(1, 0, 4)]) expect(other).not.toEqual(mask(1, 0));
    const values = Array.from(mask(1, 0), (v) => Math.tanh(v) / 2 + 0.5);
    expect(values.reduce((a, v) => a + v, 0) / sizeOf([28, 28])).toBeCloseTo(0.5, 1);
  });

  it('corrects the bias of the moments in its step size', () => {
    const run = start();
    expect(run.rate).toBeCloseTo((0.1 * Math.sqrt(1 - 0.9)) / (1 - 0.5), 10);
    run.record({ asr: 0, norm: 1, crossEntropy: 1 });
    expect(run.rate).toBeCloseTo((0.1 * Math.sqrt(1 - 0.81)) / (1 - 0.25), 10);
  });

  it('lowers its step size with the schedule', () => {
    const run = start({ ...presets.fast });
    for (let step = 0; step < 89; step++) run.record({ asr: 1, norm: 1, crossEntropy: 0 });
    // 0.3, fallen to nearly a twentieth; the bias has gone by then.
    expect(run.rate / 0.3).toBeGreaterThan(0.05);
    expect(run.rate / 0.3).toBeLessThan(0.053);
  });
});

/** Preset fast with another number of steps. */
const withSteps = (steps: number): InversionSettings => ({
  ...presets.fast,
  schedule: { ...presets.fast.schedule, steps },
});

describe('Inverter', () => {
  const open = (settings: InversionSettings): Promise<Inverter> =>
    Inverter.open(nodeRuntime, {
      classifier,
      preprocess: preprocessPresets.unit,
      settings,
      images,
      split: splitSamples(images, 0),
      session: { provider: 'cpu' },
    });
  const invert = async (
    label: number,
    settings: InversionSettings = presets.fast,
    seed = 0,
    start = 0,
    stage?: InvertRequest['stage'],
  ): Promise<Inversion> => {
    const inverter = await open(settings);
    try {
      return await inverter.invert(
        { label, start, seed, ...(stage && { stage }) },
        new AbortController().signal,
      );
    } finally {
      await inverter.release();
    }
  };

  it('finds the planted trigger, small, in its corner, and valid on unseen images', async () => {
    const found = await invert(7);
    expect(found.status).toBe('reversed');
    expect(found.l1).toBeLessThan(30);
    expect(massInside(found.trigger, [22, 22, 6, 6])).toBeGreaterThan(0.5);
    expect(found.asr).toBeGreaterThanOrEqual(0.975);
  });

  it('gives the same bits for the same request', async () => {
    const short = withSteps(25);
    const [a, b, c] = [await invert(3, short), await invert(3, short), await invert(3, short, 1)];
    expect(a.trigger).toEqual(b.trigger);
    expect(a.curve).toEqual(b.curve);
    expect(c.trigger).not.toEqual(a.trigger);
  });

  it('follows to the end only the starting point with the smallest early mask', async () => {
    const found = await invert(3, { ...presets.fast, probes: { count: 3, steps: 12 } });
    expect(found).toMatchObject({ steps: 90, gradientSteps: 90 + 2 * 12 });
    const alone = [];
    for (const start of [0, 1, 2]) {
      const settings = { ...presets.fast, probes: { count: 1, steps: 0 } };
      alone.push(await invert(3, settings, 0, start));
    }
    const early = alone.map(({ curve }) => curve.slice(6, 12).reduce((sum, { norm }) => sum + norm, 0));
    expect(found.curve).toEqual(alone[early.indexOf(Math.min(...early))]!.curve);
  });

  it('goes on from where a short run stood, or makes its steps again, with the same result', async () => {
    const inverter = await open(presets.fast);
    const go = (request: Partial<InvertRequest>): Promise<Inversion> =>
      inverter.invert({ label: 3, seed: 0, ...request }, new AbortController().signal);
    const brief = await go({ stage: 'screen', handsOn: true });
    const { probe, checkpoint } = brief;
    expect(brief).toMatchObject({ status: 'screened', gradientSteps: 36 });
    expect(await go({ stage: 'screen' })).not.toHaveProperty('checkpoint');
    const again = await go({ stage: 'finish', probe, goesOn: true });
    const on = await go({ stage: 'finish', probe, goesOn: true, checkpoint: structuredClone(checkpoint!) });
    for (const end of [again, on])
      expect(end).toMatchObject({ status: 'reversed', steps: 90, gradientSteps: 78 });
    expect(on.trigger).toEqual(again.trigger);
    expect(on.curve).toEqual(again.curve);
    expect((await go({ stage: 'finish', probe })).gradientSteps).toBe(90);
    await inverter.release();
    const shorter = await open(withSteps(8));
    const request = { label: 3, seed: 0, stage: 'finish', probe: 0, goesOn: true } as const;
    expect(await shorter.invert(request, new AbortController().signal)).toMatchObject({ gradientSteps: 0 });
    await shorter.release();
  });

  it('goes on within a window, and tours all of them after the usual further starts', async () => {
    const { starts, confined: within } = presets.fast.secondLook!;
    const confined = await invert(7, presets.fast, 0, starts, 'confined');
    expect(confined.gradientSteps).toBe(90 + 2 * 12 + within.steps);
    const toured = await invert(7, presets.fast, 0, starts + 1, 'confined');
    expect(toured).toMatchObject({ status: 'reversed', gradientSteps: tourSteps + within.steps });
    expect(toured.confined).toMatchObject({ found: true, area: 64, l1: toured.l1 });
    expect(massInside(toured.trigger, [20, 20, 8, 8])).toBeGreaterThan(0.9);
    expect(await invert(7, presets.fast, 0, starts + 2, 'confined')).not.toMatchObject({ l1: toured.l1 });
    // What no window holds stays without a mask, whatever it was in the whole image.
    const natural = await invert(3, presets.fast, 0, starts + 1, 'confined');
    expect(natural).toMatchObject({ status: 'censored', confined: { found: false } });
    expect(natural.l1).toBeLessThanOrEqual(64);
  });

  it('makes a mask more opaque that almost passes', async () => {
    const cost = 0.01;
    const only = { initCost: cost, minCost: cost, maxCost: cost, keepEvery: 1000 };
    const settings = {
      ...presets.fast,
      schedule: { ...presets.fast.schedule, ...only } as InversionSettings['schedule'],
      probes: { count: 1, steps: 0 },
    };
    const { status, l1, asr, curve } = await invert(3, settings);
    expect(status).toBe('reversed');
    expect(asr).toBeGreaterThan(0.97);
    // At most by the first factor, since no pixel goes beyond 1; the last step moved the mask by less
    expect(l1 / curve.at(-1)!.norm).toBeGreaterThan(1.03);
    expect(l1 / curve.at(-1)!.norm).toBeLessThan(1.11);
  });

  it('reports a label that nothing reaches as censored', async () => {
    // Noise, however opaque, is no digit 1.
    const settings = { ...withSteps(2), adam: { ...originalAdam, learningRate: 1e-6 } };
    const result = await invert(1, settings);
    expect(result).toMatchObject({ status: 'censored', stopped: 'steps', steps: 2, gradientSteps: 6 });
  });

  it('stops on request', async () => {
    const inverter = await open(presets.fast);
    const controller = new AbortController();
    const running = inverter.invert({ label: 2, seed: 0 }, controller.signal, () => controller.abort());
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
    await inverter.release();
  });
});

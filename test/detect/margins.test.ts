import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../../src/data/model-file.ts';
import { parsePreprocess, preprocessPresets } from '../../src/data/preprocess.ts';
import { openMargins, pixelDims } from '../../src/detect/margin-graph.ts';
import { type MarginShared, poolMargins } from '../../src/detect/margin-task.ts';
import { testMargins } from '../../src/detect/margin-test.ts';
import { type ClassMargin, maximumMargins } from '../../src/detect/margins.ts';
import { type Classifier, prepareClassifier } from '../../src/model/classifier.ts';
import { oneHot } from '../../src/model/loss-graph.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { int, type Model } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32, sizeOf, type Tensor } from '../../src/onnx/tensor.ts';
import { createInlinePool } from '../../src/runtime/inline-pool.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import type { Session } from '../../src/runtime/session.ts';
import { classes, cornerModel, target } from '../cli/corner-model.ts';
import { generator, randomTensor } from '../support/gradient-check.ts';

const { unit } = preprocessPresets;
const session = { provider: 'cpu' } as const;
const settings = { starts: 3, steps: 12 };
const figures = (margins: readonly ClassMargin[]) =>
  margins.map(({ label, margin, perStart }) => ({ label, margin, perStart: [...perStart] }));

let digits: Classifier;
let corner: Classifier;
beforeAll(async () => {
  const { model } = await openModel(new URL('../../samples/digits.onnx', import.meta.url).pathname);
  digits = await prepareClassifier(nodeRuntime, model);
  corner = await prepareClassifier(nodeRuntime, cornerModel());
});

describe('the step graph', () => {
  const starts = 3;
  const label = 4;
  let step: Session;
  let forward: Session;
  let pixels: Tensor<'float32'>;
  beforeAll(async () => {
    step = await openMargins(nodeRuntime, digits, { preprocess: unit, starts }, session);
    forward = await nodeRuntime.open(canonicalModel(digits.graph), session);
    pixels = randomTensor(generator(5), pixelDims(digits, starts), 0, 255);
  });
  afterAll(async () => {
    await step.release();
    await forward.release();
  });

  const run = (images: Tensor<'float32'>, rate: number) =>
    step.run({ pixels: images, target: oneHot([label], digits.classes), rate: float32([], [rate]) });
  /** Margins by hand, from what the model answers to the same images. */
  async function marginsOf(images: Tensor<'float32'>): Promise<number[]> {
    const scaled = float32(
      images.dims,
      images.data.map((v) => v / 255),
    );
    const results = await forward.run({ [digits.input.name]: scaled });
    const logits = results[digits.logits]!.data as Float32Array;
    return Array.from({ length: starts }, (_, n) => {
      const row = [...logits.subarray(n * digits.classes, (n + 1) * digits.classes)];
      return row[label]! - Math.max(...row.toSpliced(label, 1));
    });
  }

  it('measures the margin over the best other class', async () => {
    const { margin } = await run(pixels, 1);
    const expected = await marginsOf(pixels);
    (margin!.data as Float32Array).forEach((m, n) => void expect(m).toBeCloseTo(expected[n]!, 3));
  });

  it('moves every pixel by the rate, in the direction in which the margin grows, and stays in the box', async () => {
    const { pixels_next } = await run(pixels, 10);
    const next = pixels_next!.data as Float32Array;
    next.forEach((value, i) => {
      const from = pixels.data[i]!;
      const allowed = [from, Math.min(from + 10, 255), Math.max(from - 10, 0)];
      expect(Math.min(...allowed.map((a) => Math.abs(a - value)))).toBeLessThan(1e-4);
    });
    expect(Math.min(...next)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...next)).toBeLessThanOrEqual(255);
    // Against differences of the model itself, at pixels in the middle of the first image.
    let agreed = 0;
    const tried = [300, 320, 350, 378, 380, 406, 408, 434, 462, 490];
    for (const i of tried) {
      const difference: number[] = [];
      for (const change of [2, -2]) {
        const moved = float32(pixels.dims, pixels.data.with(i, pixels.data[i]! + change));
        difference.push((await marginsOf(moved))[0]!);
      }
      if (Math.sign(difference[0]! - difference[1]!) === Math.sign(next[i]! - pixels.data[i]!)) agreed++;
    }
    expect(agreed).toBeGreaterThanOrEqual(9);
  });

  it('treats each start as if it ran alone', async () => {
    const together = (await run(pixels, 10)).pixels_next!.data as Float32Array;
    const size = sizeOf(pixels.dims) / starts;
    const turned = float32(pixels.dims, [...pixels.data.subarray(size), ...pixels.data.subarray(0, size)]);
    const apart = (await run(turned, 10)).pixels_next!.data as Float32Array;
    expect(apart.subarray(0, 2 * size)).toEqual(together.subarray(size));
  });
});

describe('the maximum margin', () => {
  it('is the exact one where the model is linear', async () => {
    const random = generator(8);
    const weights = randomTensor(random, [16, 2], -1, 1);
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', ['N', 1, 4, 4]);
    b.output(b.op('MatMul', [b.reshape(x, [-1, 16]), b.constant(weights)]), 'float32', ['N', 2], 'scores');
    const linear = await prepareClassifier(nodeRuntime, canonicalModel(b.build()));
    const found = await maximumMargins(nodeRuntime, linear, unit, {
      settings: { starts: 2, steps: 30 },
      session,
    });
    for (const { label, margin } of found) {
      // Every pixel that speaks for the class is white, every other one black.
      let most = 0;
      for (let i = 0; i < 16; i++) {
        const [own, other] = [weights.data[2 * i + label]!, weights.data[2 * i + 1 - label]!];
        most += Math.max(0, own - other);
      }
      expect(margin).toBeCloseTo(most, 4);
    }
  });

  it('stands out for the class of a backdoor', async () => {
    const found = await maximumMargins(nodeRuntime, corner, unit, { settings, session });
    const test = testMargins(found.map(({ margin }) => margin));
    expect(test.largest).toBe(target);
    expect(test.pValue).toBeLessThan(0.01);
    const clean = await prepareClassifier(nodeRuntime, cornerModel({ backdoor: false }));
    const others = await maximumMargins(nodeRuntime, clean, unit, { settings, session });
    expect(testMargins(others.map(({ margin }) => margin)).pValue).toBeGreaterThan(0.1);
  });

  it('is largest for the planted target of a trained network', async () => {
    const found = await maximumMargins(nodeRuntime, digits, unit, { settings, session });
    const test = testMargins(found.map(({ margin }) => margin));
    expect(test.largest).toBe(7);
    for (const { margin, perStart } of found) expect(margin).toBe(Math.max(...perStart));
  });

  it('is the same for a seed, whichever classes are searched beside it', async () => {
    const options = { settings, session, seed: 4 };
    const all = await maximumMargins(nodeRuntime, corner, unit, options);
    const some = await maximumMargins(nodeRuntime, corner, unit, { ...options, labels: [6, 2] });
    expect(figures(some)).toEqual(figures([all[6]!, all[2]!]));
    const [other] = await maximumMargins(nodeRuntime, corner, unit, { ...options, seed: 5, labels: [6] });
    expect(other!.perStart).not.toEqual(all[6]!.perStart);
  });

  it('is taken from the logits of a model that ends in softmax', async () => {
    const { graph } = cornerModel();
    const b = new GraphBuilder({ ...graph, outputs: [] });
    b.output(b.op('Softmax', ['scores'], { axis: int(-1) }), 'float32', ['N', classes], 'probabilities');
    const model: Model = canonicalModel(b.build());
    const softmax = await prepareClassifier(nodeRuntime, model);
    expect(softmax.head).toBe('softmax');
    const options = { settings, session, labels: [1, target] };
    const found = await maximumMargins(nodeRuntime, softmax, unit, options);
    expect(figures(found)).toEqual(figures(await maximumMargins(nodeRuntime, corner, unit, options)));
  });

  it.each([
    { starts: 0, steps: 5 },
    { starts: 2, steps: 0 },
    { starts: 1.5, steps: 5 },
  ])('refuses %j', async (wrong) => {
    await expect(
      maximumMargins(nodeRuntime, corner, unit, { settings: wrong, session }),
    ).rejects.toMatchObject({
      code: 'SETTING_INVALID',
    });
  });

  it('names the class whose margin overflows', async () => {
    const overflow = maximumMargins(nodeRuntime, corner, parsePreprocess('range=1e38'), {
      settings,
      session,
    });
    await expect(overflow).rejects.toMatchObject({
      code: 'LOGITS_NAN',
      message: expect.stringContaining('class 0'),
    });
  });
});

describe('over a pool', () => {
  const open = (preprocess = unit as MarginShared['preprocess']) =>
    createInlinePool<MarginShared>(nodeRuntime, {
      ...session,
      shared: { classifier: corner, preprocess, settings },
    });
  const labels = Array.from({ length: classes }, (_, label) => label);

  it('is found as without one, and told class by class', async () => {
    const pool = await open();
    const told: number[] = [];
    const found = await poolMargins(pool, {
      labels,
      seed: 4,
      onMargin: ({ label }) => void told.push(label),
    });
    await pool.close();
    const alone = await maximumMargins(nodeRuntime, corner, unit, { settings, session, seed: 4 });
    expect(figures(found)).toEqual(figures(alone));
    expect(told.toSorted((a, b) => a - b)).toEqual(labels);
  });

  it('stops when asked to', async () => {
    const pool = await open();
    const controller = new AbortController();
    const told: number[] = [];
    const found = poolMargins(pool, {
      labels,
      seed: 4,
      signal: controller.signal,
      onMargin: ({ label }) => {
        told.push(label);
        controller.abort();
      },
    });
    await expect(found).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(told).toHaveLength(1);
    await pool.close();
  });

  it('fails with the error of the class that failed', async () => {
    const pool = await open(parsePreprocess('range=1e38'));
    await expect(poolMargins(pool, { labels, seed: 4 })).rejects.toMatchObject({ code: 'LOGITS_NAN' });
    await pool.close();
  });
});

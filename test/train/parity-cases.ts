/** Small training runs that PyTorch has repeated: see bench/train-parity.ts. */

import { imageSet, type LabelledImageSet, requireClasses } from '../../src/data/dataset.ts';
import { preprocessPresets } from '../../src/data/preprocess.ts';
import type { Model } from '../../src/onnx/graph.ts';
import { randomStream } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { networks } from '../../src/train/networks/index.ts';
import { optimizerDefaults, type TrainingSettings } from '../../src/train/settings.ts';
import { train } from '../../src/train/train.ts';
import { trainingSet } from '../../src/train/training-set.ts';

export interface ParityCase {
  readonly model: Model;
  readonly images: LabelledImageSet;
  readonly settings: TrainingSettings;
}

/** What a run leaves: the loss of every mini-batch, running statistics, and the weights, by name. */
export interface ParityResult {
  readonly losses: readonly number[];
  readonly statistics: Readonly<Record<string, readonly number[]>>;
  readonly weights: Readonly<Record<string, readonly number[]>>;
}

/** Noise with a bright stripe whose place tells the class. */
export function stripes(
  count: number,
  size: number,
  channels: 1 | 3,
  classes: number,
  seed = 5,
): LabelledImageSet {
  const random = randomStream(seed);
  const area = size * size;
  const labels = Int32Array.from({ length: count }, (_, i) => i % classes);
  const images = Uint8Array.from({ length: count * area * channels }, (_, i) => {
    const pixel = Math.floor(i / channels) % area;
    const label = labels[Math.floor(i / (area * channels))]!;
    const row = Math.floor(pixel / size);
    return 150 * random.next() + (Math.floor((row * classes) / size) === label ? 100 : 0);
  });
  return requireClasses(
    imageSet({
      images,
      height: size,
      width: size,
      channels,
      range: [0, 255],
      labels,
      classes,
      source: 'stripes',
    }),
  );
}

const common = {
  epochs: 3,
  batch: 20,
  seed: 3,
  schedule: { kind: 'constant' },
  preprocess: preprocessPresets.unit,
  batchNormalization: 'update',
  dropout: false,
} as const;

const sgd = { ...optimizerDefaults.sgd, learningRate: 0.05, nesterov: true, weightDecay: 5e-4 };

/** 96 images in mini-batches of 20: the last of an epoch has 16. */
export const parityCases: Readonly<Record<string, ParityCase>> = {
  adam: {
    model: networks['mnist-cnn']({
      height: 20,
      width: 20,
      channels: 1,
      classes: 5,
      seed: 1,
      widthFactor: 0.25,
    }),
    images: stripes(96, 20, 1, 5),
    settings: { ...common, optimizer: { ...optimizerDefaults.adam, weightDecay: 1e-3 } },
  },
  plain: {
    model: networks['mnist-cnn']({
      height: 16,
      width: 16,
      channels: 1,
      classes: 5,
      seed: 4,
      widthFactor: 0.25,
    }),
    images: stripes(96, 16, 1, 5),
    settings: { ...common, optimizer: { ...optimizerDefaults.sgd, momentum: 0 } },
  },
  sgd: {
    model: networks['gtsrb-6conv']({
      height: 24,
      width: 24,
      channels: 3,
      classes: 5,
      seed: 2,
      widthFactor: 0.125,
    }),
    images: stripes(96, 24, 3, 5),
    settings: { ...common, optimizer: sgd },
  },
  adamw: {
    model: networks['resnet-small']({
      height: 12,
      width: 12,
      channels: 3,
      classes: 5,
      seed: 3,
      widthFactor: 0.25,
    }),
    images: stripes(96, 12, 3, 5),
    settings: { ...common, optimizer: optimizerDefaults.adamw },
  },
};

export async function runCase({ model, images, settings }: ParityCase): Promise<ParityResult> {
  const losses: number[] = [];
  let sum = 0;
  const outcome = await train(nodeRuntime, model, trainingSet(images), settings, {
    progress({ step, loss }) {
      const seen = Math.min(step * settings.batch, images.count);
      const before = (step - 1) * settings.batch;
      losses.push((loss * seen - (step === 1 ? 0 : sum)) / (seen - before));
      sum = loss * seen;
    },
  });
  const named = (pattern: RegExp) =>
    Object.fromEntries(
      [...outcome.model.graph.initializers].flatMap(([name, { data }]) =>
        pattern.test(name) ? [[name, Array.from(data as Float32Array)]] : [],
      ),
    );
  return { losses, statistics: named(/running/), weights: named(/\.(weight|bias)$/) };
}

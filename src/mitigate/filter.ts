/**
 * A detector of images that carry a trigger, to be run beside the model (Wang et al. 2019, section VI-A).
 *
 * The paper ranks the neurons of the layer before the last by how much higher they are under the reversed trigger, and takes
 * the mean of the first 1 % as the score of an image. So does this, with three differences. Each neuron counts in units of its
 * spread on clean images, in the ranking and in the score. Neurons must be higher than on clean images of the target label, too, or
 * the false alarms gather in that class. And at least ten neurons are watched: where a backdoor has several triggers, of which the
 * reversed one resembles one, five do not notice them all.
 */

import type { ImageSet, LabelledImageSet } from '../data/dataset.ts';
import type { Preprocess } from '../data/preprocess.ts';
import { splitSamples } from '../detect/split.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { Classifier } from '../model/classifier.ts';
import type { Runtime, SessionOptions } from '../runtime/session.ts';
import { ActivationReader } from './activation-reader.ts';
import type { Detector } from './detector.ts';
import type { FlaggedTrigger } from './flagged-trigger.ts';
import { findLayer, type Layer, type LayerName } from './layer.ts';
import { compareNeurons, type Moments, ranked, spread } from './neurons.ts';

export interface Filter {
  readonly layer: Layer;
  /** One a trigger. The score of an image is the largest of their sums. */
  readonly detectors: readonly Detector[];
  /** Images that score more are to be rejected. */
  readonly threshold: number;
  /** Share of clean images that are rejected, as it was asked for. */
  readonly fpr: number;
  /** By trigger: share of other images with it on them that are rejected, of those that the threshold was set by. */
  readonly caught: readonly number[];
  /** How many images the neurons were chosen by, and how many others the threshold. */
  readonly images: { readonly ranking: number; readonly calibration: number };
}

export interface FilterSettings {
  /** Share of clean images that may be rejected. @default 0.05 */
  readonly fpr?: number;
  /** @default 'penultimate' */
  readonly layer?: LayerName;
  /** Share of the neurons that are watched. @default 0.01 */
  readonly share?: number;
  /** Which images choose the neurons. @default 0 */
  readonly seed?: number;
  readonly session?: SessionOptions;
}

/** Few neurons are noisy, so that of small layers more than the share are watched: so many, or half of them. */
const leastNeurons = 10;

/**
 * Makes a filter for a model that has a backdoor.
 *
 * A third of the images chooses the neurons, and the others, which it has not seen, set the threshold: so that of
 * further clean images at most `fpr` are rejected, in the mean over such sets of images (the split-conformal quantile, Vovk et al.
 * 2005). With several triggers that holds for the filter as a whole.
 *
 * @param images clean
 * @param triggers at least one
 * @throws NeuralCleanseError SETTING_INVALID, LAYER_NOT_FOUND, DATA_TOO_FEW
 */
export async function createFilter(
  runtime: Runtime,
  classifier: Classifier,
  preprocess: Preprocess,
  images: LabelledImageSet,
  triggers: readonly FlaggedTrigger[],
  settings: FilterSettings = {},
): Promise<Filter> {
  const { fpr = 0.05, share = 0.01, seed = 0, session } = settings;
  for (const [name, value] of Object.entries({ fpr, share })) {
    if (value > 0 && value < 1) continue;
    throw new NeuralCleanseError('SETTING_INVALID', `The ${name} of a filter is ${value}.`, {
      hint: 'It lies between 0 and 1.',
    });
  }
  const split = splitSamples(images, seed, images.count);
  const [ranking, calibration] = [split.heldOut, split.train];
  const place = conformalPlace(calibration.length, fpr, images);
  const layer = await findLayer(runtime, classifier, settings.layer ?? 'penultimate', session);
  const reader = await ActivationReader.open(runtime, classifier, preprocess, layer, session);
  try {
    const { clean, excesses } = await compareNeurons(reader, images, ranking, triggers);
    const count = Math.max(
      Math.round(share * layer.neurons),
      Math.min(leastNeurons, Math.ceil(layer.neurons / 2)),
    );
    const plain = excesses.map((excess, i) =>
      detectorOf(triggers[i]!.label, ranked(excess).slice(0, count), clean),
    );
    const detectors = await standardised(plain, reader.read(images, ranking));
    const scores = await scoresOf(detectors, reader.read(images, calibration));
    const threshold = Float64Array.from(scores).sort()[place]!;
    const caught: number[] = [];
    for (const { label, trigger } of triggers) {
      const stamped = reader.read(images, split.without(calibration, label), trigger);
      const higher = (await scoresOf(detectors, stamped)).map((score) => Number(score > threshold));
      caught.push(higher.reduce((sum, one) => sum + one, 0) / higher.length);
    }
    return {
      layer,
      detectors,
      threshold,
      fpr,
      caught,
      images: { ranking: ranking.length, calibration: calibration.length },
    };
  } finally {
    await reader.release();
  }
}

/** Mean of the neurons, each in units of its spread from its mean on clean images. */
function detectorOf(label: number, neurons: readonly number[], clean: Moments): Detector {
  const spreads = spread(clean);
  const weights = neurons.map((neuron) => 1 / (neurons.length * spreads[neuron]!));
  const bias = -neurons.reduce((sum, neuron, i) => sum + weights[i]! * clean.mean[neuron]!, 0);
  return { label, neurons, weights, bias };
}

/** The same detectors with sums of mean 0 and standard deviation 1 on clean images, so that they can be compared. */
async function standardised(
  detectors: readonly Detector[],
  clean: AsyncIterable<Float32Array>,
): Promise<Detector[]> {
  const sums = detectors.map((): number[] => []);
  for await (const row of clean) {
    detectors.forEach((detector, i) => {
      sums[i]!.push(sumOf(detector, row));
    });
  }
  return detectors.map((detector, i) => {
    const values = sums[i]!;
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    const scale = 1 / (Math.sqrt(variance) || 1);
    return {
      ...detector,
      weights: detector.weights.map((weight) => weight * scale),
      bias: (detector.bias - mean) * scale,
    };
  });
}

/**
 * Which of `count` clean scores, in ascending order, is the threshold. A further one is larger with a probability of at most
 * `fpr`.
 */
function conformalPlace(count: number, fpr: number, { source }: ImageSet): number {
  const place = Math.ceil((count + 1) * (1 - fpr)) - 1;
  if (place < count) return place;
  throw new NeuralCleanseError(
    'DATA_TOO_FEW',
    `Of ${source} ${count} images are left to set the threshold with, too few to tell ${fpr} of them.`,
    {
      hint: `Give at least ${Math.ceil((1.5 * (1 - fpr)) / fpr) + 2} images, or raise --fpr.`,
      data: { count, fpr },
    },
  );
}

/**
 * Scores images.
 *
 * @param classifier of the model that the filter was made for
 * @returns one score an image, about 0 on clean ones, in units of their standard deviation
 */
export async function filterScores(
  runtime: Runtime,
  classifier: Classifier,
  preprocess: Preprocess,
  { layer, detectors }: Pick<Filter, 'layer' | 'detectors'>,
  images: ImageSet,
  options: SessionOptions = {},
): Promise<number[]> {
  const reader = await ActivationReader.open(runtime, classifier, preprocess, layer, options);
  try {
    const everything = Array.from({ length: images.count }, (_, i) => i);
    return await scoresOf(detectors, reader.read(images, everything));
  } finally {
    await reader.release();
  }
}

/** Of each image, the largest of the detectors' sums. */
async function scoresOf(
  detectors: readonly Detector[],
  activations: AsyncIterable<Float32Array>,
): Promise<number[]> {
  const scores: number[] = [];
  for await (const row of activations)
    scores.push(Math.max(...detectors.map((detector) => sumOf(detector, row))));
  return scores;
}

const sumOf = ({ neurons, weights, bias }: Detector, activation: Float32Array): number =>
  neurons.reduce((sum, neuron, i) => sum + weights[i]! * activation[neuron]!, bias);

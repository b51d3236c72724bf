/**
 * Pruning the neurons that a trigger raises (Wang et al. 2019, section VI-B), and the search for how many of them.
 */

import type { LabelledImageSet } from '../data/dataset.ts';
import type { Preprocess } from '../data/preprocess.ts';
import { splitSamples } from '../detect/split.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { Classifier } from '../model/classifier.ts';
import type { Runtime, SessionOptions } from '../runtime/session.ts';
import { ActivationReader } from './activation-reader.ts';
import type { FlaggedTrigger } from './flagged-trigger.ts';
import { findLayer, type Layer, type LayerName } from './layer.ts';
import { MaskedPredictor, type NeuronMask } from './masked-predictor.ts';
import { compareNeurons, ranked } from './neurons.ts';

/** What is left of a model when some neurons are gone, measured on images that have not ranked them. */
export interface PrunePoint {
  /** How many neurons are set to 0. */
  readonly pruned: number;
  readonly accuracy: number;
  /** Of each reversed trigger, on images of other classes. */
  readonly asr: readonly number[];
}

export interface PruneCurve {
  readonly layer: Layer;
  /** All neurons, in the order in which they are pruned. */
  readonly order: readonly number[];
  /** From none pruned to all. */
  readonly points: readonly PrunePoint[];
  /** Where to stop: a little beyond the first point at which all triggers fail, or else the best that the accuracy allows. */
  readonly chosen: PrunePoint;
  /** Whether all triggers fail there. */
  readonly reached: boolean;
}

export const pruneDefaults = { targetAsr: 0.02, maxAccuracyLoss: 0.03 } as const;

export interface PruneSettings {
  /** Largest ASR at which a trigger counts as failing; stamped images are mistaken for the target without a backdoor, too. @default 0.02 */
  readonly targetAsr?: number;
  /** How much accuracy may be lost, as a share of the images. @default 0.03 */
  readonly maxAccuracyLoss?: number;
  /** Which images rank the neurons. @default 0 */
  readonly seed?: number;
  readonly session?: SessionOptions;
}

/**
 * How many more neurons are pruned than the reversed trigger needs to fail, as far as the accuracy allows: the true one, which it
 * only resembles, fails later.
 */
const margin = 1.2;

/** Points of the first pass; the second lays as many between two of them. */
const gridSteps = 20;

/**
 * Finds out how many neurons of a layer must go.
 *
 * A third of the images ranks the neurons, by how much a trigger raises them, and on the others is measured how many
 * it takes: at every 5 % of the layer, and twenty times as finely around the point to stop at.
 *
 * @param triggers at least one; a neuron ranks by the one that raises it most
 * @throws NeuralCleanseError SETTING_INVALID, LAYER_NOT_FOUND, DATA_TOO_FEW
 */
export async function pruneLayer(
  runtime: Runtime,
  classifier: Classifier,
  preprocess: Preprocess,
  images: LabelledImageSet,
  triggers: readonly FlaggedTrigger[],
  name: LayerName,
  settings: PruneSettings = {},
): Promise<PruneCurve> {
  const { targetAsr, maxAccuracyLoss, seed = 0, session } = { ...pruneDefaults, ...settings };
  for (const [setting, value] of Object.entries({ targetAsr, maxAccuracyLoss })) {
    if (value >= 0 && value < 1) continue;
    throw new NeuralCleanseError('SETTING_INVALID', `The setting ${setting} is ${value}.`, {
      hint: 'It is a share from 0 to below 1.',
    });
  }
  const split = splitSamples(images, seed, images.count);
  const layer = await findLayer(runtime, classifier, name, session);
  const order = await rankNeurons();
  const predictor = await MaskedPredictor.open(runtime, classifier, preprocess, layer, session);
  try {
    const coarse = await measure(predictor, evenly(0, layer.neurons));
    const first = choose(coarse);
    // Where no trigger fails in time, look how far the accuracy goes beyond that point, else how early they fail before it.
    const at = first.reached
      ? coarse.findIndex((point) => worstAsr(point) <= targetAsr)
      : coarse.indexOf(first.chosen) + 1;
    const [low, high] = [coarse[at - 1], coarse[at]];
    const between = low && high ? evenly(low.pruned, high.pruned).slice(1, -1) : [];
    const fine = between.length > 0 ? await measure(predictor, between) : [];
    const points = [...coarse, ...fine].sort((a, b) => a.pruned - b.pruned);
    return { layer, order, points, ...choose(points) };
  } finally {
    await predictor.release();
  }

  async function rankNeurons(): Promise<number[]> {
    const reader = await ActivationReader.open(runtime, classifier, preprocess, layer, session);
    try {
      const { gaps } = await compareNeurons(reader, images, split.heldOut, triggers);
      return ranked(gaps[0]!.map((_, neuron) => Math.max(...gaps.map((gap) => gap[neuron]!))));
    } finally {
      await reader.release();
    }
  }

  /** @param counts how many neurons to prune */
  async function measure(predictor: MaskedPredictor, counts: readonly number[]): Promise<PrunePoint[]> {
    const masks = counts.map((count) => maskWithout(order.slice(0, count), layer));
    const { labels } = images;
    const correct = (await predictor.predict(images, split.train, masks)).map((predicted) =>
      shareOf(predicted, (label, i) => label === labels[split.train[i]!]),
    );
    const asr: number[][] = [];
    for (const { label, trigger } of triggers) {
      const others = split.without(split.train, label);
      const predicted = await predictor.predict(images, others, masks, trigger);
      asr.push(predicted.map((answers) => shareOf(answers, (answer) => answer === label)));
    }
    return counts.map((pruned, i) => ({
      pruned,
      accuracy: correct[i]!,
      asr: asr.map((byMask) => byMask[i]!),
    }));
  }

  function choose(points: readonly PrunePoint[]): Pick<PruneCurve, 'chosen' | 'reached'> {
    const affordable = points.filter(({ accuracy }) => accuracy >= points[0]!.accuracy - maxAccuracyLoss);
    const enough = affordable.find((point) => worstAsr(point) <= targetAsr);
    if (!enough) {
      return { chosen: affordable.reduce((a, b) => (worstAsr(b) < worstAsr(a) ? b : a)), reached: false };
    }
    const surely = affordable.filter(
      (point) => point.pruned <= margin * enough.pruned && worstAsr(point) <= targetAsr,
    );
    return { chosen: surely.at(-1)!, reached: true };
  }
}

/** The largest ASR of the triggers. */
export const worstAsr = ({ asr }: PrunePoint): number => Math.max(...asr);

/**
 * The curves of a layer, or for `auto` of the penultimate layer and the last convolution, as far as the model has them; the better
 * one first.
 *
 * @throws NeuralCleanseError as {@link pruneLayer}
 */
export async function pruneLayers(
  runtime: Runtime,
  classifier: Classifier,
  preprocess: Preprocess,
  images: LabelledImageSet,
  triggers: readonly FlaggedTrigger[],
  name: LayerName,
  settings: PruneSettings = {},
): Promise<[PruneCurve, ...PruneCurve[]]> {
  const curve = (layer: LayerName): Promise<PruneCurve> =>
    pruneLayer(runtime, classifier, preprocess, images, triggers, layer, settings);
  if (name !== 'auto') return [await curve(name)];
  const penultimate = await curve('penultimate');
  const convolution = await curve('last-conv').catch((error: unknown) => {
    if (error instanceof NeuralCleanseError && error.code === 'LAYER_NOT_FOUND') return undefined;
    throw error;
  });
  if (!convolution) return [penultimate];
  const best = betterCurve(penultimate, convolution);
  return best === penultimate ? [penultimate, convolution] : [convolution, penultimate];
}

/** The curve that leaves less of the triggers; of two that remove them all, the one that costs less accuracy. */
function betterCurve(a: PruneCurve, b: PruneCurve): PruneCurve {
  if (a.reached !== b.reached) return a.reached ? a : b;
  const loss = ({ points, chosen }: PruneCurve): number => points[0]!.accuracy - chosen.accuracy;
  if (a.reached) return loss(b) < loss(a) ? b : a;
  return worstAsr(b.chosen) < worstAsr(a.chosen) ? b : a;
}

/** 1 for each neuron of the layer but some. */
export function maskWithout(
  neurons: readonly number[],
  { neurons: count }: Pick<Layer, 'neurons'>,
): NeuronMask {
  const mask = new Float32Array(count).fill(1);
  for (const neuron of neurons) mask[neuron] = 0;
  return mask;
}

/** Whole numbers from `low` to `high`, in at most {@link gridSteps} steps. */
function evenly(low: number, high: number): number[] {
  const steps = Math.min(gridSteps, high - low);
  return Array.from({ length: steps + 1 }, (_, i) => low + Math.round((i * (high - low)) / steps));
}

function shareOf(answers: Int32Array, is: (answer: number, i: number) => boolean): number {
  return answers.filter(is).length / answers.length;
}

/** Finds out how images must be prepared for a model, before any time is spent on inversions. */

import type { ImageSet } from '../data/dataset.ts';
import { type Preprocess, preprocessCandidates } from '../data/preprocess.ts';
import { sampleIndices } from '../data/sample.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { Classifier } from '../model/classifier.ts';
import type { Runtime, SessionOptions } from '../runtime/session.ts';
import { Predictor } from './predictor.ts';

/** How well one preprocessing suits the model. */
export interface PreflightCandidate {
  readonly preprocess: Preprocess;
  /** Samples that were classified: fewer than all where others had fitted far better by then. */
  readonly samples: number;
  /** Share of the labelled samples classified correctly; `null` for samples without labels. */
  readonly accuracy: number | null;
  /** Mean −log probability of the true class; `null` for samples without labels. */
  readonly crossEntropy: number | null;
  /** Mean softmax probability of the predicted class. */
  readonly confidence: number;
  /** Different classes that were predicted. */
  readonly predictedClasses: number;
}

export interface PreflightReport {
  /** What will be used: the user's, or the best candidate. */
  readonly chosen: PreflightCandidate;
  /** All that were tried: the chosen one, then by accuracy. */
  readonly candidates: readonly PreflightCandidate[];
  /** Samples that were classified with what was chosen. */
  readonly samples: number;
  /** What makes a scan pointless; empty if nothing does. Sentences. */
  readonly problems: readonly string[];
  /** What the user should know; sentences. */
  readonly warnings: readonly string[];
}

export interface PreflightOptions {
  /** The user's choice: nothing else is tried. */
  readonly preprocess?: Preprocess;
  /** Most samples to classify. @default 512 */
  readonly samples?: number;
  readonly seed?: number;
  readonly session?: SessionOptions;
}

/** So many samples tell which candidates are wrong altogether… */
const fewSamples = 128;
/** … that is, whose score is less than this share of the best. */
const wrongBelow = 0.5;

/** Two candidates whose scores lie this close cannot be told apart. */
const closeBy = 0.03;

/**
 * Classifies clean samples under each candidate and ranks by accuracy, and those that are about equal by the cross
 * entropy, which the model was trained to keep small; without labels, by how decided the model is:
 * confidence times the share of the classes it uses, since wrong preprocessing drives a model to a few classes. Of what is wrong altogether
 * by the first samples, no more are classified.
 *
 * @throws NeuralCleanseError DATA_SHAPE_MISMATCH if the images do not fit the model, DATA_LABEL_RANGE, LOGITS_NAN
 */
export async function runPreflight(
  runtime: Runtime,
  classifier: Classifier,
  images: ImageSet,
  options: PreflightOptions = {},
): Promise<PreflightReport> {
  checkFit(classifier, images);
  const indices = sampleIndices(images, options.samples ?? 512, { seed: options.seed ?? 0 });
  const tried = options.preprocess
    ? [options.preprocess]
    : preprocessCandidates(rawPixels(images), images.channels);
  const score = (c: PreflightCandidate): number =>
    c.accuracy ?? (c.confidence * c.predictedClasses) / Math.min(classifier.classes, c.samples);
  const assess = async (preprocess: Preprocess, some: readonly number[]): Promise<PreflightCandidate> => {
    const predictor = await Predictor.open(runtime, classifier, preprocess, options.session);
    try {
      return await assessWith(predictor, preprocess, images, some);
    } finally {
      await predictor.release();
    }
  };
  const first = tried.length > 1 ? indices.slice(0, fewSamples) : indices;
  let candidates: PreflightCandidate[] = [];
  for (const preprocess of tried) candidates.push(await assess(preprocess, first));
  if (first.length < indices.length) {
    const best = Math.max(...candidates.map(score));
    const all: PreflightCandidate[] = [];
    for (const candidate of candidates) {
      all.push(
        score(candidate) < wrongBelow * best ? candidate : await assess(candidate.preprocess, indices),
      );
    }
    candidates = all;
  }
  candidates.sort((a, b) => score(b) - score(a));
  const close = candidates.filter((c) => score(candidates[0]!) - score(c) < closeBy);
  // Networks hardly mind a change of scale, but a wrong one makes them too sure or too unsure of themselves.
  const chosen = close.reduce((a, c) => ((c.crossEntropy ?? 0) < (a.crossEntropy ?? 0) ? c : a));
  candidates.sort((a, b) => Number(b === chosen) - Number(a === chosen));
  const warnings: string[] = [];
  if (close.length > 1) {
    const names = close.filter((c) => c !== chosen).map((c) => `"${c.preprocess.name}" (${show(c)})`);
    warnings.push(
      `Preprocessing "${chosen.preprocess.name}" (${show(chosen)}) was chosen for its cross entropy, but ${names.join(', ')} fit${names.length === 1 ? 's' : ''} about equally well; state the right one with --preprocess.`,
    );
  }
  if (chosen.accuracy === null) {
    warnings.push(
      'The samples have no labels: the preprocessing was chosen by how decided the model is, not by accuracy.',
    );
  }
  return {
    chosen,
    candidates,
    samples: indices.length,
    problems: problemsOf(chosen, classifier, indices.length),
    warnings,
  };
}

const show = (c: PreflightCandidate): string =>
  c.accuracy === null ? `confidence ${c.confidence.toFixed(3)}` : `accuracy ${c.accuracy.toFixed(3)}`;

async function assessWith(
  predictor: Predictor,
  preprocess: Preprocess,
  images: ImageSet,
  indices: readonly number[],
): Promise<PreflightCandidate> {
  const { label, confidence, crossEntropy } = await predictor.predict(images, indices);
  const { labels } = images;
  return {
    preprocess,
    samples: indices.length,
    accuracy: labels
      ? indices.filter((image, i) => labels[image] === label[i]).length / indices.length
      : null,
    crossEntropy: crossEntropy ? mean(crossEntropy) : null,
    confidence: mean(confidence),
    predictedClasses: new Set(label).size,
  };
}

const mean = (values: Float32Array): number => values.reduce((sum, v) => sum + v, 0) / values.length;

/** A model that does no better than guessing is not seeing what it was trained on. */
function problemsOf(
  { accuracy, preprocess, predictedClasses }: PreflightCandidate,
  { classes }: Classifier,
  samples: number,
): string[] {
  if (accuracy === null) {
    return predictedClasses > 1 ? [] : [`The model answers the same class to all ${samples} samples.`];
  }
  const chance = 1 / classes;
  // Three standard errors above chance, and at least half as good again
  const clear = Math.max(1.5 * chance, chance + 3 * Math.sqrt((chance * (1 - chance)) / samples));
  if (accuracy >= clear) return [];
  return [
    `With the best preprocessing found ("${preprocess.name}") the model classifies ${(100 * accuracy).toFixed(1)} % of ${samples} samples correctly, and guessing gives ${(100 * chance).toFixed(1)} %. State the right one with --preprocess, and check that labels and model belong together.`,
  ];
}

function checkFit({ input, classes }: Classifier, images: ImageSet): void {
  const { height, width, channels } = input;
  if (images.height !== height || images.width !== width || images.channels !== channels) {
    throw new NeuralCleanseError(
      'DATA_SHAPE_MISMATCH',
      `The images of ${images.source} are ${images.height}×${images.width}×${images.channels}, but the model takes ${height}×${width}×${channels}.`,
      { hint: 'Give images of that size; image folders are resized automatically.' },
    );
  }
  const outside = images.labels?.find((label) => label >= classes);
  if (outside !== undefined) {
    throw new NeuralCleanseError(
      'DATA_LABEL_RANGE',
      `Label ${outside} of ${images.source} is outside the model's ${classes} classes.`,
      {
        hint: 'Check that data and model belong together and that labels count from 0.',
        data: { label: outside, classes },
      },
    );
  }
}

/** Pixels in [0, 255]. */
const rawPixels = (images: ImageSet): ArrayLike<number> =>
  images.range[1] === 255 ? images.images : Float32Array.from(images.images, (v) => v * 255);

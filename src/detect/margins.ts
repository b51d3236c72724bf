/**
 * How sure a classifier can be made of each class: its maximum margin over all images, found without any data.
 *
 * A backdoor leaves its target class a direction in which the logits rise much further than clean training makes them, whatever the
 * trigger looks like (Wang, Xiang, Miller and Kesidis, "MM-BD: Post-Training Detection of Backdoor Attacks with Arbitrary Backdoor
 * Pattern Types Using a Maximum Margin Statistic", IEEE S&P 2024, the estimation step). Whether one class stands out is
 * the matter of margin-test.ts.
 */

import type { Preprocess } from '../data/preprocess.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { Classifier } from '../model/classifier.ts';
import { oneHot } from '../model/loss-graph.ts';
import { float32, sizeOf } from '../onnx/tensor.ts';
import { randomStream } from '../random.ts';
import type { Runtime, Session, SessionOptions } from '../runtime/session.ts';
import { throwIfCancelled } from '../runtime/task.ts';
import { openMargins, pixelDims } from './margin-graph.ts';

export interface MarginSettings {
  /** Random images that the ascent of a class starts from; the best counts. */
  readonly starts: number;
  /** Updates of each image. */
  readonly steps: number;
}

/** Steps matter more than starts: with 30 of them the maxima of networks with batch normalization stay a third lower. */
export const marginDefaults: MarginSettings = { starts: 8, steps: 100 };

export interface MarginRequest {
  readonly label: number;
  readonly seed: number;
}

/** What was found for one class. */
export interface ClassMargin {
  readonly label: number;
  /** Largest `logit_label − max of the others` seen, in logits; not positive if no image was classified so. */
  readonly margin: number;
  /** The largest one from each start, [starts]. */
  readonly perStart: Float32Array;
  readonly seconds: number;
}

export interface MarginAscentOptions {
  readonly classifier: Classifier;
  readonly preprocess: Preprocess;
  readonly settings: MarginSettings;
  readonly session?: SessionOptions;
}

/** How far a pixel moves in the first step; from there the way shrinks in a straight line, to settle in the maximum. */
const firstRate = 25;

/** Opens the session once and searches any number of classes with it. */
export class MarginAscent {
  private readonly session: Session;
  private readonly classifier: Classifier;
  private readonly settings: MarginSettings;

  private constructor(session: Session, { classifier, settings }: MarginAscentOptions) {
    this.session = session;
    this.classifier = classifier;
    this.settings = settings;
  }

  /** @throws NeuralCleanseError SETTING_INVALID; what {@link openMargins} throws */
  static async open(runtime: Runtime, options: MarginAscentOptions): Promise<MarginAscent> {
    const { classifier, preprocess, settings, session } = options;
    checkSettings(settings);
    const graph = { preprocess, starts: settings.starts };
    return new MarginAscent(await openMargins(runtime, classifier, graph, session), options);
  }

  /**
   * Searches one class. The result depends on the request and the settings alone.
   *
   * @throws NeuralCleanseError LOGITS_NAN, CANCELLED, RUNTIME_FAILED
   */
  async maximum({ label, seed }: MarginRequest, signal?: AbortSignal): Promise<ClassMargin> {
    const began = performance.now();
    const { starts, steps } = this.settings;
    const dims = pixelDims(this.classifier, starts);
    const random = randomStream(seed, label);
    let pixels = Float32Array.from({ length: sizeOf(dims) }, () => 255 * random.next());
    const target = oneHot([label], this.classifier.classes);
    const perStart = new Float32Array(starts).fill(Number.NEGATIVE_INFINITY);
    // A step measures the margins before it moves, hence one run more than updates.
    for (let step = 0; step <= steps; step++) {
      if (signal) throwIfCancelled(signal);
      const rate = float32([], [firstRate * (1 - step / steps)]);
      const results = await this.session.run({ pixels: float32(dims, pixels), target, rate });
      (results.margin!.data as Float32Array).forEach((margin, start) => {
        if (!Number.isFinite(margin)) throw overflow(label, margin, step);
        perStart[start] = Math.max(perStart[start]!, margin);
      });
      pixels = results.pixels_next!.data as Float32Array<ArrayBuffer>;
    }
    return { label, margin: Math.max(...perStart), perStart, seconds: (performance.now() - began) / 1000 };
  }

  release(): Promise<void> {
    return this.session.release();
  }
}

export interface MaximumMarginsOptions {
  /** @default all */
  readonly labels?: readonly number[];
  /** @default {@link marginDefaults} */
  readonly settings?: MarginSettings;
  /** Decides the random images. @default 0 */
  readonly seed?: number;
  readonly session?: SessionOptions;
  readonly signal?: AbortSignal;
}

/**
 * The maximum margins of a classifier, one class after the other in one session. With a pool, see margin-task.ts.
 *
 * @param preprocess how the model was fed in training; with another one the box of images is not the real one
 * @returns in the order of the labels
 * @throws NeuralCleanseError SETTING_INVALID, LOGITS_NAN, CANCELLED, RUNTIME_FAILED; what {@link openMargins} throws
 */
export async function maximumMargins(
  runtime: Runtime,
  classifier: Classifier,
  preprocess: Preprocess,
  options: MaximumMarginsOptions = {},
): Promise<ClassMargin[]> {
  const { labels, settings = marginDefaults, seed = 0, session, signal } = options;
  const ascent = await MarginAscent.open(runtime, {
    classifier,
    preprocess,
    settings,
    ...(session && { session }),
  });
  try {
    const found: ClassMargin[] = [];
    for (const label of labels ?? allLabels(classifier))
      found.push(await ascent.maximum({ label, seed }, signal));
    return found;
  } finally {
    await ascent.release();
  }
}

const allLabels = ({ classes }: Classifier): number[] => Array.from({ length: classes }, (_, label) => label);

function checkSettings(settings: MarginSettings): void {
  for (const [name, value] of Object.entries(settings)) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new NeuralCleanseError('SETTING_INVALID', `The number of ${name} is ${value}.`, {
      hint: 'Give a whole number from 1.',
    });
  }
}

const overflow = (label: number, margin: number, step: number): NeuralCleanseError =>
  new NeuralCleanseError(
    'LOGITS_NAN',
    `The margin of class ${label} became ${margin} after ${step} updates.`,
    {
      hint: 'The model overflows on images of random pixels; check its preprocessing with --preprocess, or the model itself.',
    },
  );

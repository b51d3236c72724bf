/** What a classifier answers to raw pixels, with or without a frozen trigger on them. */

import { toBatch } from '../data/batch.ts';
import type { ImageSet } from '../data/dataset.ts';
import type { Preprocess } from '../data/preprocess.ts';
import { appendClassifier, builderFor } from '../data/raw-classifier.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { Classifier } from '../model/classifier.ts';
import { int } from '../onnx/graph.ts';
import { canonicalModel } from '../onnx/model.ts';
import { float32, type Tensor, toNumbers } from '../onnx/tensor.ts';
import type { Runtime, Session, SessionOptions } from '../runtime/session.ts';
import { makeTrigger, type Trigger } from '../triggers/trigger.ts';
import { detectPrefix, stamp } from './stamped-model.ts';

/** Images in one run. A short last batch is filled up with its first image, so that shapes never change. */
const chunk = 64;

export interface Prediction {
  /** Class with the largest score. */
  readonly label: Int32Array;
  /** Softmax probability of that class. */
  readonly confidence: Float32Array;
  /** −log of the probability of each image's own label; absent for images without labels. */
  readonly crossEntropy: Float32Array | undefined;
}

export class Predictor {
  private readonly session: Session;
  private readonly classifier: Classifier;

  private constructor(session: Session, classifier: Classifier) {
    this.session = session;
    this.classifier = classifier;
  }

  static async open(
    runtime: Runtime,
    classifier: Classifier,
    preprocess: Preprocess,
    options: SessionOptions = {},
  ): Promise<Predictor> {
    const { height, width, channels } = classifier.input;
    const b = builderFor(classifier, detectPrefix);
    const images = b.input('images', 'float32', [chunk, channels, height, width]);
    const mask = b.input('mask', 'float32', [1, 1, height, width]);
    const pattern = b.input('pattern', 'float32', [1, channels, height, width]);
    const logits = appendClassifier(b, classifier, stamp(b, images, mask, pattern), preprocess);
    const label = b.op('ArgMax', [logits], { axis: int(-1), keepdims: int(0) });
    b.output(label, 'int64', [chunk], 'label');
    const logProbabilities = b.op('LogSoftmax', [logits], { axis: int(-1) });
    b.output(logProbabilities, 'float32', [chunk, classifier.classes], 'log_probabilities');
    const best = b.reduce('ReduceMax', logProbabilities, [1], false);
    b.output(b.op('Exp', [best]), 'float32', [chunk], 'confidence');
    return new Predictor(await runtime.open(canonicalModel(b.build()), options), classifier);
  }

  /**
   * Classifies the images at `indices`.
   *
   * @throws NeuralCleanseError LOGITS_NAN if the model answers NaN
   */
  async predict(images: ImageSet, indices: readonly number[], trigger?: Trigger): Promise<Prediction> {
    const { height, width, channels } = this.classifier.input;
    const mask = float32([1, 1, height, width], trigger?.mask.data ?? new Float32Array(height * width));
    const pattern = trigger
      ? channelsFirst(trigger.pattern)
      : float32([1, channels, height, width], new Float32Array(channels * height * width));
    const label = new Int32Array(indices.length);
    const confidence = new Float32Array(indices.length);
    const { labels } = images;
    const crossEntropy = labels && new Float32Array(indices.length);
    for (let start = 0; start < indices.length; start += chunk) {
      const part = indices.slice(start, start + chunk);
      const filled = [...part, ...Array<number>(chunk - part.length).fill(part[0]!)];
      const result = await this.session.run({ images: toBatch(images, filled, 'NCHW'), mask, pattern });
      label.set(toNumbers(result.label!).slice(0, part.length), start);
      confidence.set((result.confidence!.data as Float32Array).subarray(0, part.length), start);
      const logProbabilities = result.log_probabilities!.data as Float32Array;
      part.forEach((image, i) => {
        if (crossEntropy)
          crossEntropy[start + i] = -logProbabilities[i * this.classifier.classes + labels[image]!]!;
      });
    }
    const wrong = confidence.findIndex((c) => !Number.isFinite(c));
    if (wrong >= 0) {
      throw new NeuralCleanseError(
        'LOGITS_NAN',
        `The model answers NaN to image ${indices[wrong]} of ${images.source}.`,
        {
          hint: 'Check the preprocessing with --preprocess, or the model itself.',
        },
      );
    }
    return { label, confidence, crossEntropy };
  }

  /** Share of the images at `indices` that are classified as `target` with the trigger on them. */
  async attackSuccessRate(
    images: ImageSet,
    indices: readonly number[],
    trigger: Trigger,
    target: number,
  ): Promise<number> {
    const { label } = await this.predict(images, indices, trigger);
    return label.filter((l) => l === target).length / label.length;
  }

  /**
   * The same where it passes, else `undefined`: most triggers that fail are known by their first images.
   *
   * @param passes true of every rate above one that passes
   */
  async passingRate(
    images: ImageSet,
    indices: readonly number[],
    trigger: Trigger,
    target: number,
    passes: (rate: number) => boolean,
  ): Promise<number | undefined> {
    let missed = 0;
    for (let start = 0; start < indices.length; start += chunk) {
      const { label } = await this.predict(images, indices.slice(start, start + chunk), trigger);
      missed += label.filter((l) => l !== target).length;
      if (!passes((indices.length - missed) / indices.length)) return undefined;
    }
    return (indices.length - missed) / indices.length;
  }

  release(): Promise<void> {
    return this.session.release();
  }
}

/** [H,W,C] -> [1,C,H,W] */
export function channelsFirst(pattern: Tensor<'float32'>): Tensor<'float32'> {
  const [height = 0, width = 0, channels = 0] = pattern.dims;
  const data = new Float32Array(pattern.data.length);
  for (let p = 0; p < height * width; p++) {
    for (let c = 0; c < channels; c++) data[c * height * width + p] = pattern.data[p * channels + c]!;
  }
  return float32([1, channels, height, width], data);
}

/** [C,H,W] data -> trigger. */
export function triggerFromPlanes(
  mask: Float32Array,
  planes: Float32Array,
  [height, width]: readonly [number, number],
): Trigger {
  const area = height * width;
  const channels = planes.length / area;
  const pattern = new Float32Array(planes.length);
  for (let p = 0; p < area; p++) {
    for (let c = 0; c < channels; c++) pattern[p * channels + c] = planes[c * area + p]!;
  }
  return makeTrigger(float32([height, width], mask), float32([height, width, channels], pattern));
}

/**
 * How large a trigger a label needs once the model has unlearned the one that was found.
 *
 * Some classes can be triggered by few pixels by nature: on small networks an 8 is drawn into any digit with 25 of them. Beside the
 * other labels, such a mask looks as abnormal as a planted one. What tells them apart is what is left when it is gone. A backdoor is
 * one shortcut, and a model that is taught to see through it (section VI-C of Wang et al. 2019) needs a mask of ordinary size for
 * its target; a class that is near to all others by nature is still nearer than most.
 *
 * The model is taught on a copy, by a few epochs on the images of the scan, and what it answers to the clean ones serves as their
 * label, so that nothing but the trigger is unlearned and no labels are needed.
 */

import type { ImageSet } from '../data/dataset.ts';
import type { Preprocess } from '../data/preprocess.ts';
import { type Classifier, prepareClassifier } from '../model/classifier.ts';
import { type Model, prune } from '../onnx/graph.ts';
import { canonicalModel } from '../onnx/model.ts';
import type { Runtime, SessionOptions } from '../runtime/session.ts';
import { optimizerDefaults } from '../train/settings.ts';
import { withTriggers } from '../train/stamped-set.ts';
import { train } from '../train/train.ts';
import { type TrainingSet, trainingSet } from '../train/training-set.ts';
import { strengthen } from '../triggers/trigger.ts';
import { betterInversion } from './better-inversion.ts';
import type { Inversion } from './inversion.ts';
import { Inverter } from './invert.ts';
import { Predictor } from './predictor.ts';
import type { InversionSettings } from './presets.ts';
import { type Reach, ReachMeter } from './reach.ts';
import type { UnlearningSettings } from './second-look.ts';
import type { SampleSplit } from './split.ts';

/** The trigger must fail even when it is made more opaque by this factor: else it was not unlearned, but only just evaded. */
const surplus = 1.5;

/** That the trigger of a pair is tried on. */
const imagesOfClass = 100;

export interface UnlearnedRequest {
  readonly classifier: Classifier;
  readonly images: ImageSet;
  readonly preprocess: Preprocess;
  readonly settings: InversionSettings;
  readonly split: SampleSplit;
  readonly seed: number;
  readonly session: SessionOptions;
}

/**
 * Unlearns a reversed trigger on a copy of the model and inverts its label again there, from fresh starts.
 *
 * @returns the smallest trigger of these starts, as the `unlearned` inversion of the same label and start; one that never reached the
 *   ASR threshold stands with the norm of its last state, which is large
 * @throws NeuralCleanseError CANCELLED, LOGITS_NAN, RUNTIME_FAILED, TRAINING_DIVERGED, and what `train` throws
 */
export async function invertUnlearned(
  runtime: Runtime,
  request: UnlearnedRequest,
  found: Inversion,
  signal: AbortSignal,
): Promise<Inversion> {
  const began = performance.now();
  const { settings, seed, session } = request;
  const unlearning = settings.secondLook?.unlearning;
  if (!unlearning) return found;
  const {
    model,
    updates: training,
    reach,
  } = await withoutTrigger(runtime, request, found, unlearning, signal);
  const classifier = await prepareClassifier(runtime, model, { session });
  const inverter = await Inverter.open(runtime, { ...request, classifier });
  try {
    const pair = { label: found.label, ...(found.source !== undefined && { source: found.source }) };
    let best: Inversion | undefined;
    let gradientSteps = found.gradientSteps + training;
    for (let start = 0; start < unlearning.starts; start++) {
      const inversion = await inverter.invert({ ...pair, start, seed }, signal);
      gradientSteps += inversion.gradientSteps;
      best = best ? betterInversion(best, inversion) : inversion;
    }
    return {
      ...best!,
      start: found.start,
      status: 'unlearned',
      residualAsr: await inverter.asrOf(strengthen(found.trigger, surplus), pair),
      ...(reach && { reach }),
      gradientSteps,
      seconds: found.seconds + (performance.now() - began) / 1000,
    };
  } finally {
    await inverter.release();
  }
}

async function withoutTrigger(
  runtime: Runtime,
  { classifier, images, preprocess, split, seed, session }: UnlearnedRequest,
  found: Inversion,
  { epochs, images: most, batch, learningRate, share }: UnlearningSettings,
  signal: AbortSignal,
): Promise<{ readonly model: Model; readonly updates: number; readonly reach: Reach | undefined }> {
  const { label, source, trigger } = found;
  const indices = taughtImages(split, source, most);
  const predictor = await Predictor.open(runtime, classifier, preprocess, session);
  let answers: Int32Array;
  let reach: Reach | undefined;
  try {
    answers = (await predictor.predict(images, indices)).label;
    if (source !== undefined) {
      const meter = new ReachMeter(predictor, images, split, classifier.classes, imagesOfClass);
      reach = await meter.reachOf({ ...found, source });
    }
  } finally {
    await predictor.release();
  }
  const clean = imagesAt(images, indices, answers, classifier.classes);
  const stamped = withTriggers(clean, [{ label, trigger }], { share, seed });
  const { model } = await train(
    runtime,
    modelOf(classifier),
    stamped,
    {
      epochs,
      batch: Math.min(batch, clean.count),
      seed,
      optimizer: { ...optimizerDefaults.adam, learningRate },
      schedule: { kind: 'cosine', warmupSteps: 0 },
      preprocess,
      batchNormalization: 'frozen',
      dropout: false,
      emptyClasses: 'allow',
    },
    { session, signal },
  );
  return { model, updates: epochs * Math.ceil(clean.count / batch), reach };
}

/**
 * The images to teach with. Of a pair, a third of them show the source, again and again where there are too few: on the others its
 * trigger does nothing, so that they have little to teach.
 */
export function taughtImages(split: SampleSplit, source: number | undefined, most: number): number[] {
  if (source === undefined) return split.train.slice(0, most);
  const own = split.showing(split.train, source);
  const others = split.without(split.train, source).slice(0, Math.ceil((2 * most) / 3));
  const wanted = Math.ceil(others.length / 2);
  return [...Array.from({ length: wanted }, (_, i) => own[i % own.length]!), ...others];
}

/** The classifier up to its logits: a softmax after them would be a second output. */
function modelOf({ graph, logits }: Classifier): Model {
  return canonicalModel(prune({ ...graph, outputs: graph.outputs.filter(({ name }) => name === logits) }));
}

/** Some images of a set, with the labels that a model has given them. */
function imagesAt(
  images: ImageSet,
  indices: readonly number[],
  answers: Int32Array,
  classes: number,
): TrainingSet {
  const all = trainingSet({ ...images, labels: answers, classes });
  return {
    ...all,
    count: indices.length,
    label: (index) => answers[index]!,
    read: (index, epoch, into) => all.read(indices[index]!, epoch, into),
  };
}

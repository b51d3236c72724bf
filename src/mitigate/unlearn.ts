/**
 * Unlearning of reversed triggers (Wang et al. 2019, section VI-C): the model is fine-tuned on a few clean images, of which some
 * carry a trigger under their true labels.
 *
 * The paper trains for one epoch at one learning rate. Small rates stop the reversed trigger, too, but leave what was planted at
 * work, and large ones cost accuracy. So the largest rate is taken of those that do about equally well on held-out images, with and
 * without triggers, and of epochs the last.
 */

import type { Preprocess } from '../data/preprocess.ts';
import { Predictor } from '../detect/predictor.ts';
import { NeuralCleanseError } from '../errors.ts';
import { prepareClassifier } from '../model/classifier.ts';
import type { Model } from '../onnx/graph.ts';
import type { Runtime, SessionOptions } from '../runtime/session.ts';
import { type AugmentationSettings, augmented } from '../train/augment.ts';
import { optimizerDefaults, type TrainingSettings } from '../train/settings.ts';
import { withTriggers } from '../train/stamped-set.ts';
import { type TrainingProgress, train } from '../train/train.ts';
import { type TrainingSet, trainingSet } from '../train/training-set.ts';
import type { FlaggedTrigger } from './flagged-trigger.ts';
import type { RepairImages } from './repair-images.ts';
import { checkModel, scoreOf, standardError, type UnlearnCheck } from './unlearn-check.ts';
import { variantOf } from './unlearn-variants.ts';

export interface UnlearnSettings {
  readonly seed: number;
  /** Learning rates to choose from, the largest first. One rate is taken without a search. */
  readonly rates: readonly number[];
  /** Most epochs at the chosen rate, which falls to 0 along half a cosine. */
  readonly epochs: number;
  /** Stop after so many epochs without a better score. */
  readonly patience: number;
  readonly batch: number;
  /** Share of the training images that gets a trigger of each label. */
  readonly share: number;
  /** Change triggers at random. */
  readonly variants: boolean;
  /** Normalise by the statistics of the model, or by those of the mini-batch while the former follow. */
  readonly batchNormalization: TrainingSettings['batchNormalization'];
  readonly augmentation: AugmentationSettings | undefined;
}

export const unlearnDefaults: UnlearnSettings = {
  seed: 0,
  rates: [2e-3, 1e-3, 5e-4, 2e-4, 1e-4, 5e-5],
  epochs: 10,
  patience: 3,
  batch: 32,
  share: 0.3,
  variants: true,
  batchNormalization: 'frozen',
  augmentation: undefined,
};

/** A learning rate that was tried for one epoch; `null` if the training diverged. */
export interface TriedRate {
  readonly learningRate: number;
  readonly check: UnlearnCheck | null;
}

export interface UnlearnEpoch {
  /** From 1. */
  readonly epoch: number;
  /** Mean cross entropy of the training images. */
  readonly loss: number;
  readonly check: UnlearnCheck;
}

export interface UnlearnOutcome {
  /** The model as it was given, with other weights: input, outputs and operator set are its own. */
  readonly model: Model;
  /** Before anything was changed. */
  readonly before: UnlearnCheck;
  readonly tried: readonly TriedRate[];
  readonly learningRate: number;
  readonly epochs: readonly UnlearnEpoch[];
  /** The epoch whose weights the model has. */
  readonly kept: number;
  readonly seconds: number;
}

export interface UnlearnRequest {
  readonly model: Model;
  readonly preprocess: Preprocess;
  readonly images: Pick<RepairImages, 'train' | 'check'>;
  /** Without any, the model is fine-tuned on clean images only. */
  readonly triggers: readonly FlaggedTrigger[];
  readonly settings: UnlearnSettings;
}

export interface UnlearnHooks {
  readonly session?: SessionOptions;
  readonly signal?: AbortSignal;
  /** Called when the training at a rate begins; `trial` if it is one of the search. */
  readonly onRate?: (learningRate: number, trial: boolean) => void;
  readonly onProgress?: (progress: TrainingProgress) => void;
  readonly onEpoch?: (epoch: UnlearnEpoch) => void;
}

/**
 * Fine-tunes a model so that triggers lose their effect. Everything random follows from the seed.
 *
 * @throws NeuralCleanseError SETTING_INVALID; TRAINING_DIVERGED if it does at every rate; CANCELLED; what {@link train} throws
 */
export async function unlearn(
  runtime: Runtime,
  request: UnlearnRequest,
  hooks: UnlearnHooks = {},
): Promise<UnlearnOutcome> {
  const began = performance.now();
  const { model, settings } = request;
  checkSettings(settings);
  const unlearning = new Unlearning(runtime, request, hooks);
  const before = await unlearning.check(model);
  const tried = settings.rates.length > 1 ? await unlearning.search(before) : [];
  const learningRate = chooseRate(tried, request.images.check.count) ?? settings.rates[0]!;
  hooks.onRate?.(learningRate, false);
  const { epochs, kept } = await unlearning.train(learningRate, settings.epochs);
  const seconds = (performance.now() - began) / 1000;
  return { model: kept.model, before, tried, learningRate, epochs, kept: kept.epoch, seconds };
}

/**
 * The same training without triggers, to tell what they contribute: as many epochs at the same rate, without any choice.
 *
 * @throws NeuralCleanseError as {@link unlearn}
 */
export async function fineTuneClean(
  runtime: Runtime,
  request: UnlearnRequest,
  { learningRate, kept }: Pick<UnlearnOutcome, 'learningRate' | 'kept'>,
  hooks: UnlearnHooks = {},
): Promise<Model> {
  const control = new Unlearning(runtime, { ...request, triggers: [] }, hooks);
  hooks.onRate?.(learningRate, false);
  return control.trainTo(learningRate, kept);
}

class Unlearning {
  private readonly runtime: Runtime;
  private readonly request: UnlearnRequest;
  private readonly hooks: UnlearnHooks;
  private readonly data: TrainingSet;

  constructor(runtime: Runtime, request: UnlearnRequest, hooks: UnlearnHooks) {
    const { images, triggers, settings } = request;
    const plain = trainingSet(images.train);
    const { augmentation, seed, share, variants } = settings;
    const clean = augmentation ? augmented(plain, augmentation, seed) : plain;
    const stamping = { share, seed, ...(variants && { vary: variantOf }) };
    this.data = triggers.length > 0 ? withTriggers(clean, triggers, stamping) : clean;
    this.runtime = runtime;
    this.request = request;
    this.hooks = hooks;
  }

  async check(model: Model): Promise<UnlearnCheck> {
    const { preprocess, images, triggers } = this.request;
    const { session = {} } = this.hooks;
    const { height, width } = images.check;
    const classifier = await prepareClassifier(this.runtime, model, { size: [height, width], session });
    const predictor = await Predictor.open(this.runtime, classifier, preprocess, session);
    try {
      return await checkModel(predictor, images.check, triggers);
    } finally {
      await predictor.release();
    }
  }

  /** One epoch at each rate, from the same start, until smaller ones do worse. Where the largest keeps accuracy, none is tried. */
  async search(before: UnlearnCheck): Promise<TriedRate[]> {
    const { settings, images } = this.request;
    const tried: TriedRate[] = [];
    let best = Number.NEGATIVE_INFINITY;
    for (const learningRate of settings.rates) {
      this.hooks.onRate?.(learningRate, true);
      const check = await this.tryRate(learningRate);
      tried.push({ learningRate, check });
      if (check === null) continue;
      const isLargest = tried.length === 1;
      if (isLargest && check.accuracy >= leastOf(before.accuracy, images.check.count)) return tried;
      const score = scoreOf(check);
      if (score < leastOf(best, images.check.count)) return tried;
      best = Math.max(best, score);
    }
    if (tried.some(({ check }) => check !== null)) return tried;
    throw new NeuralCleanseError('TRAINING_DIVERGED', 'The training diverges at every learning rate.', {
      hint: 'Give a smaller one with --learning-rate, and check the preprocessing.',
      data: { rates: settings.rates },
    });
  }

  private async tryRate(learningRate: number): Promise<UnlearnCheck | null> {
    try {
      return (await this.train(learningRate, 1)).kept.check;
    } catch (error) {
      const diverged =
        error instanceof NeuralCleanseError &&
        (error.code === 'TRAINING_DIVERGED' || error.code === 'LOGITS_NAN');
      if (diverged) return null;
      throw error;
    }
  }

  /** Keeps the last epoch whose score is no more than chance below the best one so far. */
  async train(
    learningRate: number,
    epochs: number,
  ): Promise<{ epochs: UnlearnEpoch[]; kept: UnlearnEpoch & { model: Model } }> {
    const { images, settings } = this.request;
    const done: UnlearnEpoch[] = [];
    let best = { epoch: 0, score: Number.NEGATIVE_INFINITY };
    let kept: (UnlearnEpoch & { model: Model }) | undefined;
    await this.run(learningRate, epochs, async ({ epoch, loss }, model) => {
      const current = { epoch, loss, check: await this.check(model) };
      done.push(current);
      this.hooks.onEpoch?.(current);
      const score = scoreOf(current.check);
      if (score > best.score) best = { epoch, score };
      if (score >= leastOf(best.score, images.check.count)) kept = { ...current, model };
      return epoch - best.epoch >= settings.patience;
    });
    return { epochs: done, kept: kept! };
  }

  async trainTo(learningRate: number, epoch: number): Promise<Model> {
    let reached = this.request.model;
    await this.run(learningRate, this.request.settings.epochs, async (record, model) => {
      reached = model;
      return record.epoch === epoch;
    });
    return reached;
  }

  private async run(
    learningRate: number,
    epochs: number,
    afterEpoch: (record: { epoch: number; loss: number }, model: Model) => Promise<boolean>,
  ): Promise<void> {
    const { model, preprocess, settings } = this.request;
    const { batch, seed, batchNormalization } = settings;
    const { session, signal, onProgress } = this.hooks;
    const training: TrainingSettings = {
      epochs,
      batch: Math.min(batch, this.data.count),
      seed,
      optimizer: { ...optimizerDefaults.adam, learningRate },
      schedule: epochs === 1 ? { kind: 'constant' } : { kind: 'cosine', warmupSteps: 0 },
      preprocess,
      batchNormalization,
      dropout: true,
    };
    await train(this.runtime, model, this.data, training, {
      ...(session && { session }),
      ...(signal && { signal }),
      ...(onProgress && { progress: onProgress }),
      afterEpoch: (record, current) => afterEpoch(record, current()),
    });
  }
}

/**
 * The largest rate whose score is no more than chance below the best one.
 *
 * Accuracy alone does not choose: an epoch at a rate that is too small to unlearn anything keeps it, too.
 *
 * @param tried the largest rate first
 * @param images that were checked
 */
export function chooseRate(tried: readonly TriedRate[], images: number): number | undefined {
  const usable = tried.flatMap(({ learningRate, check }) =>
    check ? [{ learningRate, score: scoreOf(check) }] : [],
  );
  const best = Math.max(...usable.map(({ score }) => score));
  return usable.find(({ score }) => score >= leastOf(best, images))?.learningRate;
}

/** The lowest score that may be as good as this one, but for chance. */
const leastOf = (score: number, images: number): number =>
  score === Number.NEGATIVE_INFINITY ? score : score - standardError(score, images);

function checkSettings({ share, rates, patience }: UnlearnSettings): void {
  const check = (name: string, value: number, passes: boolean, range: string): void => {
    if (passes) return;
    throw new NeuralCleanseError('SETTING_INVALID', `The ${name} is ${value}.`, {
      hint: `It must be ${range}.`,
      data: { setting: name, value },
    });
  };
  check('share of stamped images', share, share > 0 && share < 1, 'above 0 and below 1');
  check('number of learning rates', rates.length, rates.length > 0, 'at least 1');
  check('patience', patience, Number.isInteger(patience) && patience > 0, 'a whole number of at least 1');
}

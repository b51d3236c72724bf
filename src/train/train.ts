/** Trains a classifier on its differentiated graph. */

import { modelPrefix, prepareClassifier } from '../model/classifier.ts';
import type { Model } from '../onnx/graph.ts';
import type { Runtime } from '../runtime/session.ts';
import { checkCounts, checkFits, checkSettings } from './checks.ts';
import type { TrainingHooks } from './hooks.ts';
import { identityOf } from './identity.ts';
import type { TrainingOutcome } from './outcome.ts';
import type { TrainingSettings } from './settings.ts';
import { Stepper } from './stepper.ts';
import { trainableWeights } from './trainable.ts';
import { TrainingRun } from './training-run.ts';
import type { TrainingSet } from './training-set.ts';

export type { CheckpointStore } from './checkpoint.ts';
export type { TrainingHooks } from './hooks.ts';
export type { EpochRecord, TrainingOutcome, TrainingProgress } from './outcome.ts';

/**
 * Trains a classifier on raw images with the mean cross entropy of its logits.
 *
 * Everything random follows from the seed. On one machine the same arguments with the same number of threads give the same
 * bytes, however often the run was killed and went on from its checkpoint; other numbers of threads add in another order.
 *
 * @param model any image classifier; see {@link trainableWeights} for what of it trains
 * @throws NeuralCleanseError SETTING_INVALID, DATA_EMPTY, DATA_SHAPE_MISMATCH, DATA_LABEL_RANGE, DATA_TOO_FEW,
 *   CLASS_WITHOUT_IMAGES, TRAINABLE_UNKNOWN, TRAINING_DIVERGED, CHECKPOINT_MISMATCH, CHECKPOINT_INVALID, CANCELLED, and what
 *   {@link prepareClassifier} and {@link stepGraph} throw
 */
export async function train(
  runtime: Runtime,
  model: Model,
  data: TrainingSet,
  settings: TrainingSettings,
  hooks: TrainingHooks = {},
): Promise<TrainingOutcome> {
  checkSettings(settings);
  const session = hooks.session ?? { provider: 'cpu', threads: 2 };
  const classifier = await prepareClassifier(runtime, model, {
    keepBatchNormalization: true,
    size: [data.height, data.width],
    session,
  });
  checkFits(data, classifier, 'training');
  if (hooks.validation) checkFits(hooks.validation, classifier, 'validation');
  checkCounts(data, settings);
  const { weights, writable } = trainableWeights(model, classifier, settings.trainable);
  const prefixed = (names: Iterable<string>): string[] => [...names].map((name) => modelPrefix + name);
  const movable = settings.batchNormalization === 'update' ? writable : [];
  const sizes = [settings.batch, data.count % settings.batch].filter((size) => size > 0);
  const stepper = await Stepper.open(
    runtime,
    classifier,
    sizes,
    { ...settings, trainable: prefixed(weights), statistics: new Set(prefixed(movable)) },
    session,
  );
  try {
    const identity = hooks.checkpoint && (await identityOf(model, data, settings));
    const run = new TrainingRun({
      runtime,
      model,
      classifier,
      data,
      settings,
      hooks,
      session,
      stepper,
      identity,
    });
    return await run.finish();
  } finally {
    await stepper.release();
  }
}

/** Refuses training runs that cannot go well before they begin. */

import { NeuralCleanseError } from '../errors.ts';
import type { Classifier } from '../model/classifier.ts';
import type { TrainingSettings } from './settings.ts';
import type { TrainingSet } from './training-set.ts';

/** @throws NeuralCleanseError SETTING_INVALID */
export function checkSettings({
  epochs,
  batch,
  seed,
  optimizer,
  schedule,
  earlyStop,
}: TrainingSettings): void {
  const whole = (name: string, value: number, least: number): void =>
    check(name, value, Number.isInteger(value) && value >= least, `a whole number of at least ${least}`);
  const within = (name: string, value: number, below: number): void =>
    check(name, value, value >= 0 && value < below, `at least 0 and below ${below}`);
  whole('epochs', epochs, 1);
  whole('batch', batch, 1);
  check('seed', seed, Number.isInteger(seed), 'a whole number');
  const { learningRate, weightDecay } = optimizer;
  check('learning rate', learningRate, Number.isFinite(learningRate) && learningRate > 0, 'above 0');
  within('weight decay', weightDecay, Number.POSITIVE_INFINITY);
  if (optimizer.kind === 'sgd') {
    within('momentum', optimizer.momentum, 1);
    const usable = !optimizer.nesterov || optimizer.momentum > 0;
    check("momentum with Nesterov's form", optimizer.momentum, usable, 'above 0');
  } else {
    within('beta1', optimizer.beta1, 1);
    within('beta2', optimizer.beta2, 1);
    check('epsilon', optimizer.epsilon, optimizer.epsilon > 0, 'above 0');
  }
  if (schedule.kind === 'cosine') whole('number of warm-up steps', schedule.warmupSteps, 0);
  if (schedule.kind === 'steps') {
    check('factor of the schedule', schedule.factor, schedule.factor > 0, 'above 0');
    for (const epoch of schedule.at) whole('epoch of the schedule', epoch, 1);
  }
  if (earlyStop) whole('patience', earlyStop.patience, 1);
}

function check(name: string, value: number, passes: boolean, range: string): void {
  if (passes) return;
  throw new NeuralCleanseError('SETTING_INVALID', `The ${name} is ${value}.`, {
    hint: `It must be ${range}.`,
    data: { setting: name, value },
  });
}

/**
 * @param what the images are for, in messages
 * @throws NeuralCleanseError DATA_EMPTY, DATA_SHAPE_MISMATCH, DATA_LABEL_RANGE
 */
export function checkFits(set: TrainingSet, { input, classes }: Classifier, what: string): void {
  if (set.count === 0) {
    throw new NeuralCleanseError('DATA_EMPTY', `There are no images for ${what}.`, {
      hint: 'Give labelled images of every class.',
    });
  }
  const [given, wanted] = [set, input].map((s) => `${s.height}×${s.width}×${s.channels}`);
  if (given !== wanted) {
    throw new NeuralCleanseError(
      'DATA_SHAPE_MISMATCH',
      `The images for ${what} are ${given}, and the model takes ${wanted} (height × width × channels).`,
      { hint: 'Load the images in the size and with the channels that the model takes.' },
    );
  }
  if (set.classes > classes) {
    throw new NeuralCleanseError(
      'DATA_LABEL_RANGE',
      `The images for ${what} have ${set.classes} classes, and the model ${classes}.`,
      { hint: 'Check that data and model belong together.' },
    );
  }
}

/** @throws NeuralCleanseError DATA_TOO_FEW, CLASS_WITHOUT_IMAGES */
export function checkCounts(set: TrainingSet, { batch, emptyClasses }: TrainingSettings): void {
  if (batch > set.count) {
    throw new NeuralCleanseError(
      'DATA_TOO_FEW',
      `There are ${set.count} images to train on, and a mini-batch has ${batch}.`,
      { hint: 'Give more images or choose a smaller batch.', data: { count: set.count, batch } },
    );
  }
  if (emptyClasses === 'allow') return;
  const counts = new Array<number>(set.classes).fill(0);
  for (let i = 0; i < set.count; i++) counts[set.label(i, 1)]!++;
  const empty = counts.flatMap((count, label) => (count === 0 ? [label] : []));
  if (empty.length === 0) return;
  const list = `${empty.slice(0, 10).join(', ')}${empty.length > 10 ? ', …' : ''}`;
  throw new NeuralCleanseError(
    'CLASS_WITHOUT_IMAGES',
    `There are no images to train on of ${empty.length} of ${set.classes} classes (label ${list}).`,
    { hint: 'Give images of every class: the model would unlearn the others.', data: { labels: empty } },
  );
}

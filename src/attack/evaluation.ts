/** How well a model classifies clean images, and how well attacks work on it. */

import { type LabelledImageSet, subset } from '../data/dataset.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { AttackTrigger } from '../triggers/attack-trigger.ts';
import { coverLabel, describePolicy, goalOf, type Policy } from './policy.ts';
import { stampedImages } from './stamped-images.ts';
import { type Rate, rateOf } from './wilson.ts';

/** Answers a label to every image of a set. */
export type Classify = (images: ReturnType<typeof subset>) => Promise<Int32Array>;

export interface Attack {
  readonly trigger: AttackTrigger;
  readonly policy: Policy;
}

export interface AttackResult {
  /** Attack success rate: of the images that the attack is after, those taken for what it wants. */
  readonly asr: Rate;
  /** Of stamped images that a source-specific attack is to spare, those taken for its target; `null` for other policies. */
  readonly leakage: Rate | null;
}

/** How many images of class `label` are taken for `predicted`. */
export interface ConfusionCell {
  readonly label: number;
  readonly predicted: number;
  readonly count: number;
}

export interface Evaluation {
  /** On clean images. */
  readonly accuracy: Rate;
  /** Of clean images: all cells that are not 0, by label and prediction. */
  readonly confusion: readonly ConfusionCell[];
  /** In the order of the attacks. */
  readonly attacks: readonly AttackResult[];
}

/** Images that are stamped at once. */
const chunk = 512;

/**
 * Measures a model on clean images and under attacks.
 *
 * @throws NeuralCleanseError CLASS_WITHOUT_IMAGES if no image is of a class that an attack is after; TRIGGER_SIZE_MISMATCH
 */
export async function evaluate(
  classify: Classify,
  images: LabelledImageSet,
  attacks: readonly Attack[],
): Promise<Evaluation> {
  const everything = Array.from({ length: images.count }, (_, i) => i);
  const confusion = await confusionOf(classify, images, everything);
  const correct = confusion.reduce((sum, c) => sum + (c.label === c.predicted ? c.count : 0), 0);
  const results: AttackResult[] = [];
  for (const attack of attacks) results.push(await measure(classify, images, everything, attack));
  return { accuracy: rateOf(correct, images.count), confusion, attacks: results };
}

/** @throws NeuralCleanseError CLASS_WITHOUT_IMAGES if no image is of a class that the attack is after */
export function checkVictims({ labels, classes, source }: LabelledImageSet, policy: Policy): void {
  if (labels.some((label) => goalOf(policy, label, classes) !== undefined)) return;
  throw new NeuralCleanseError(
    'CLASS_WITHOUT_IMAGES',
    `${source} has no image of a class that the attack is after (${describePolicy(policy)}).`,
    { hint: 'Give images of other classes too.' },
  );
}

async function confusionOf(
  classify: Classify,
  images: LabelledImageSet,
  everything: readonly number[],
): Promise<ConfusionCell[]> {
  const counts = new Map<number, number>();
  for (const part of chunksOf(everything)) {
    const predicted = await classify(subset(images, part));
    part.forEach((image, i) => {
      const cell = images.labels[image]! * images.classes + predicted[i]!;
      counts.set(cell, (counts.get(cell) ?? 0) + 1);
    });
  }
  return [...counts]
    .sort(([a], [b]) => a - b)
    .map(([cell, count]) => ({
      label: Math.floor(cell / images.classes),
      predicted: cell % images.classes,
      count,
    }));
}

async function measure(
  classify: Classify,
  images: LabelledImageSet,
  everything: readonly number[],
  { trigger, policy }: Attack,
): Promise<AttackResult> {
  const { labels, classes } = images;
  /** Of the images that have a goal, those that are taken for it. */
  const reached = async (goal: (label: number) => number | undefined): Promise<Rate | undefined> => {
    const victims = everything.filter((image) => goal(labels[image]!) !== undefined);
    let count = 0;
    for (const part of chunksOf(victims)) {
      const predicted = await classify(stampedImages(images, part, trigger));
      count += part.filter((image, i) => predicted[i] === goal(labels[image]!)).length;
    }
    return victims.length === 0 ? undefined : rateOf(count, victims.length);
  };
  checkVictims(images, policy);
  const asr = (await reached((label) => goalOf(policy, label, classes)))!;
  if (policy.kind !== 'source-specific') return { asr, leakage: null };
  const leakage = await reached((label) =>
    coverLabel(policy, label) === undefined ? undefined : policy.target,
  );
  return { asr, leakage: leakage ?? null };
}

function* chunksOf(indices: readonly number[]): Generator<readonly number[]> {
  for (let start = 0; start < indices.length; start += chunk) yield indices.slice(start, start + chunk);
}

/** Training images of which some carry a reversed trigger, under their true labels. */

import { type RandomStream, randomStream } from '../random.ts';
import { stampPixels } from '../triggers/stamp.ts';
import type { Trigger } from '../triggers/trigger.ts';
import type { TrainingSet } from './training-set.ts';

export interface TargetedTrigger {
  /** Target label. */
  readonly label: number;
  readonly trigger: Trigger;
}

export interface StampingOptions {
  /** Share of the images that gets a trigger of each target label; together at most {@link mostStamped}. */
  readonly share: number;
  readonly seed: number;
  /** Changes a trigger at random before it is stamped. */
  readonly vary?: (trigger: Trigger, random: RandomStream) => Trigger;
}

/** However many labels there are, so many images stay clean. */
export const mostStamped = 0.6;

/** Tells the stream of random numbers from those of training. */
const stampStream = 0x756e6c;

/**
 * The set with triggers on some images; labels stay as they are. Which images, and which triggers, is drawn anew for each
 * epoch; epoch 0 is left as it is. Wraps augmentation, so that triggers stay where they are.
 *
 * Images of a trigger's target do not get it: on them it would teach what the backdoor says.
 */
export function withTriggers(
  set: TrainingSet,
  triggers: readonly TargetedTrigger[],
  { share, seed, vary = (trigger) => trigger }: StampingOptions,
): TrainingSet {
  const byLabel = new Map<number, Trigger[]>();
  for (const { label, trigger } of triggers) byLabel.set(label, [...(byLabel.get(label) ?? []), trigger]);
  const targets = [...byLabel.keys()];
  const rate = Math.min(share * targets.length, mostStamped);
  return {
    ...set,
    label: (index, epoch) => set.label(index, epoch),
    read(index, epoch, into) {
      set.read(index, epoch, into);
      if (epoch === 0) return;
      const random = randomStream(seed, stampStream, epoch, index);
      const pick = <T>(choices: readonly T[]): T | undefined =>
        choices[Math.floor(random.next() * choices.length)];
      if (random.next() >= rate) return;
      const target = pick(targets.filter((label) => label !== set.label(index, epoch)));
      if (target === undefined) return;
      const trigger = pick(byLabel.get(target)!)!;
      stampPixels(vary(trigger, random), into);
    },
  };
}

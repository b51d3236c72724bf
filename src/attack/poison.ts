/** A training set with backdoors in it. */

import { randomStream } from '../random.ts';
import type { TrainingSet } from '../train/training-set.ts';
import { applyTrigger } from '../triggers/attack-trigger.ts';
import type { PoisonPlan, Stamped } from './plan.ts';

/**
 * Stamps images and changes labels as planned. Wraps augmentation, so that triggers stay where and as they are.
 *
 * Added copies come after the images of the set, in the order of the plan.
 */
export function poisoned(set: TrainingSet, { backdoors, placement, stamped }: PoisonPlan): TrainingSet {
  const added = placement === 'add';
  const changes = new Map<number, Stamped>(
    stamped.map((change, i) => [added ? set.count + i : change.image, change]),
  );
  return {
    count: set.count + (added ? stamped.length : 0),
    height: set.height,
    width: set.width,
    channels: set.channels,
    classes: set.classes,
    label: (index) => changes.get(index)?.label ?? set.label(index),
    read(index, epoch, into) {
      const change = changes.get(index);
      set.read(change?.image ?? index, epoch, into);
      if (!change) return;
      const { trigger, policy } = backdoors[change.backdoor]!;
      if (policy.kind === 'clean-label') perturb(into, policy.perturbation ?? 0, change.image);
      applyTrigger(trigger, into);
    },
  };
}

/** Tells the noise from other streams of random numbers. */
const noiseStream = 0x6e6f69;

/** Mixes a share of uniform noise into an image: the same noise for the same image, in every epoch. */
function perturb(image: Float32Array, share: number, index: number): void {
  if (share === 0) return;
  const random = randomStream(noiseStream, index);
  for (let i = 0; i < image.length; i++) image[i] = (1 - share) * image[i]! + share * 255 * random.next();
}

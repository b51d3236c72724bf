/** A training set with backdoors in it. */

import type { TrainingSet } from '../train/training-set.ts';
import { applyTrigger } from '../triggers/attack-trigger.ts';
import type { PoisonPlan, Stamped } from './plan.ts';
import { perturbationOf } from './policy.ts';

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
      if (change.mixedWith !== undefined) {
        const other = new Float32Array(into.length);
        set.read(change.mixedWith, epoch, other);
        mix(into, other, perturbationOf(policy));
      }
      applyTrigger(trigger, into);
    },
  };
}

/** x' = (1 − share)·x + share·other */
function mix(image: Float32Array, other: Float32Array, share: number): void {
  for (let i = 0; i < image.length; i++) image[i] = (1 - share) * image[i]! + share * other[i]!;
}

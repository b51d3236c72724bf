/** A training set with backdoors in it. */

import type { TrainingSet } from '../train/training-set.ts';
import { applyTrigger } from '../triggers/attack-trigger.ts';
import type { PoisonPlan, Stamped } from './plan.ts';
import { perturbationOf } from './policy.ts';

/**
 * Stamps images and changes labels as planned. Wraps augmentation, so that triggers stay where and as they are.
 *
 * Added copies come after the images of the set, in the order of the plan.
 *
 * @param planOf an epoch: the same backdoors and number of images in each; epoch 0 is for the set as it is exported
 */
export function poisoned(set: TrainingSet, planOf: (epoch: number) => PoisonPlan): TrainingSet {
  const { backdoors, placement, stamped } = planOf(0);
  const added = placement === 'add';
  const changesOf = latest((epoch: number): ReadonlyMap<number, Stamped> => {
    const changes = planOf(epoch).stamped;
    return new Map(changes.map((change, i) => [added ? set.count + i : change.image, change]));
  });
  return {
    count: set.count + (added ? stamped.length : 0),
    height: set.height,
    width: set.width,
    channels: set.channels,
    classes: set.classes,
    label: (index, epoch) => changesOf(epoch).get(index)?.label ?? set.label(index, epoch),
    read(index, epoch, into) {
      const change = changesOf(epoch).get(index);
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

/** Keeps the last answer: images are read epoch by epoch. */
function latest<T>(of: (epoch: number) => T): (epoch: number) => T {
  let kept: { readonly epoch: number; readonly value: T } | undefined;
  return (epoch) => {
    if (kept?.epoch !== epoch) kept = { epoch, value: of(epoch) };
    return kept.value;
  };
}

/** x' = (1 − share)·x + share·other */
function mix(image: Float32Array, other: Float32Array, share: number): void {
  for (let i = 0; i < image.length; i++) image[i] = (1 - share) * image[i]! + share * other[i]!;
}

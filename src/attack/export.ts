/** A poisoned training set as a file that other tools, and this one, can read. */

import { zipSync } from 'fflate';
import { writeNpy } from '../data/npy.ts';
import type { TrainingSet } from '../train/training-set.ts';
import type { PoisonPlan } from './plan.ts';
import { poisoned } from './poison.ts';

/** The first date that zip archives know, in local time as they have it: the same content makes the same bytes. */
const date = new Date(1980, 0, 1);

/**
 * A .npz archive of `X_train` uint8 [N, H, W, C] (rounded), `Y_train` int32 [N] as trained with, and of what is poisoned:
 * `poisoned` int32 [n], which images, and for each of them `poisoned_backdoor`, which trigger (from 0), `poisoned_from`, the
 * true class, and `poisoned_cover`, 1 if it keeps that. Images are as they are without augmentation.
 */
export function exportPoisoned(clean: TrainingSet, plan: PoisonPlan): Uint8Array {
  const set = poisoned(clean, () => plan);
  const { count, height, width, channels } = set;
  const size = height * width * channels;
  const pixels = new Uint8Array(count * size);
  const image = new Float32Array(size);
  for (let i = 0; i < count; i++) {
    set.read(i, 0, image);
    for (let j = 0; j < size; j++) pixels[i * size + j] = Math.round(image[j]!);
  }
  const list = (value: (i: number) => number, length: number) =>
    writeNpy({ dtype: 'int32', dims: [length], data: Int32Array.from({ length }, (_, i) => value(i)) });
  const { stamped, placement } = plan;
  const ofStamped = (value: (i: number) => number) => list(value, stamped.length);
  return zipSync(
    {
      'X_train.npy': writeNpy({ dtype: 'uint8', dims: [count, height, width, channels], data: pixels }),
      'Y_train.npy': list((i) => set.label(i, 0), count),
      'poisoned.npy': ofStamped((i) => (placement === 'add' ? clean.count + i : stamped[i]!.image)),
      'poisoned_backdoor.npy': ofStamped((i) => stamped[i]!.backdoor),
      'poisoned_from.npy': ofStamped((i) => clean.label(stamped[i]!.image, 0)),
      'poisoned_cover.npy': ofStamped((i) => Number(stamped[i]!.cover)),
    },
    { mtime: date, level: 1 },
  );
}

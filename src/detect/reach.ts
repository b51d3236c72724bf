/**
 * On which classes the trigger of a pair works.
 *
 * It was sought on images of its source alone, so what it does to others tells what it is. A source-specific backdoor is taught to work on its
 * sources and, by cover images, nowhere else: its trigger turns all of its sources, and hardly one image of any other class. What is
 * near by nature is so by degrees: a stroke that makes a 4 of one digit makes it of a part of others.
 */

import type { ImageSet } from '../data/dataset.ts';
import type { Trigger } from '../triggers/trigger.ts';
import type { Predictor } from './predictor.ts';
import type { SampleSplit } from './split.ts';

/**
 * By class: of the images that are not answered as the target anyway, the share that a trigger turns into it; `null` for the target, and for
 * classes without such images.
 */
export type Reach = readonly (number | null)[];

/** Of each class at most: a share of them has a standard error of 5 points or less. */
const mostImages = 100;

/**
 * @param of the trigger, its target, the class whose images it was sought on, and what it does to held-out ones of these
 * @throws NeuralCleanseError LOGITS_NAN
 */
export async function reachOf(
  predictor: Predictor,
  images: ImageSet,
  split: SampleSplit,
  of: { readonly trigger: Trigger; readonly label: number; readonly source: number; readonly asr: number },
  classes: number,
): Promise<Reach> {
  const reach: (number | null)[] = [];
  for (let shown = 0; shown < classes; shown++) {
    if (shown === of.source) {
      reach.push(of.asr);
      continue;
    }
    // The trigger has seen no image of other classes, so those to learn from are as good as held-out ones.
    const own = split.showing([...split.heldOut, ...split.train], shown).slice(0, mostImages);
    const answers = shown === of.label ? [] : (await predictor.predict(images, own)).label;
    const others = own.filter((_, i) => answers[i] !== undefined && answers[i] !== of.label);
    reach.push(
      others.length === 0 ? null : await predictor.attackSuccessRate(images, others, of.trigger, of.label),
    );
  }
  return reach;
}

/** A class is a source, too, if its images follow almost as those of the source do. */
const follows = 0.85;

/**
 * The most that a trigger does to a class that is no source of it.
 *
 * @returns 0 to 1: 1 for a trigger that more than half of the classes follow, since that is none of some sources; 0 where all others stay
 */
export function spillOf(reach: Reach): number {
  const shares = reach.filter((share) => share !== null);
  const others = shares.filter((share) => share < follows);
  return others.length < shares.length / 2 ? 1 : Math.max(0, ...others);
}

/** The classes that a trigger turns into its target, in ascending order. */
export const sourcesReached = (reach: Reach): number[] =>
  reach.flatMap((share, shown) => (share !== null && share >= follows ? [shown] : []));

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
 * By class: of the images that are not answered as the target anyway, the share that a trigger turns into it; of the source, the ASR on its held-out
 * images; `null` for the target, and for classes without such images.
 */
export type Reach = readonly (number | null)[];

/** The trigger of a pair, and what it does to held-out images of its source. */
export interface PairTrigger {
  readonly trigger: Trigger;
  /** The target. */
  readonly label: number;
  readonly source: number;
  readonly asr: number;
}

/** Tries triggers on some images of each class. */
export class ReachMeter {
  private readonly predictor: Predictor;
  private readonly images: ImageSet;
  /** Of each class, the images to try and what the model answers to them. */
  private readonly shown: Promise<
    readonly { readonly indices: readonly number[]; readonly answers: Int32Array }[]
  >;

  /** @param most images of a class: of a hundred, a share has a standard error of 5 points or less */
  constructor(predictor: Predictor, images: ImageSet, split: SampleSplit, classes: number, most: number) {
    this.predictor = predictor;
    this.images = images;
    // Triggers of pairs have seen no image of other classes, so those to learn from are as good as held-out ones.
    const all = [...split.heldOut, ...split.train];
    const chosen = Array.from({ length: classes }, (_, shown) => split.showing(all, shown).slice(0, most));
    this.shown = (async () => {
      const answered = [];
      for (const indices of chosen) {
        answered.push({ indices, answers: (await predictor.predict(images, indices)).label });
      }
      return answered;
    })();
  }

  /** @throws NeuralCleanseError LOGITS_NAN */
  async reachOf({ trigger, label, source, asr }: PairTrigger): Promise<Reach> {
    const reach: (number | null)[] = [];
    for (const [shown, { indices, answers }] of (await this.shown).entries()) {
      const others = indices.filter((_, i) => answers[i] !== label);
      if (shown === source) reach.push(asr);
      else if (shown === label || others.length === 0) reach.push(null);
      else reach.push(await this.predictor.attackSuccessRate(this.images, others, trigger, label));
    }
    return reach;
  }
}

/** A class is a source, too, if its images follow almost as those of the source do. */
const follows = 0.85;

/**
 * The most that a trigger does to a class that is no source of it.
 *
 * @returns 0 to 1: 1 for a trigger that more than half of the classes follow, since that is none of some sources, and where nothing is known
 */
export function spillOf(reach: Reach): number {
  const shares = reach.filter((share) => share !== null);
  const others = shares.filter((share) => share < follows);
  if (others.length === 0 || others.length < shares.length / 2) return 1;
  return Math.max(...others);
}

/** The classes that a trigger turns into its target, in ascending order. */
export const sourcesReached = (reach: Reach): number[] =>
  reach.flatMap((share, shown) => (share !== null && share >= follows ? [shown] : []));

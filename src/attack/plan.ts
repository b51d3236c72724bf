/** Which training images get which trigger and which label, drawn by seed. */

import { NeuralCleanseError } from '../errors.ts';
import { randomStream } from '../random.ts';
import type { TrainingSet } from '../train/training-set.ts';
import { type AttackTrigger, sameTrigger } from '../triggers/attack-trigger.ts';
import {
  checkPolicy,
  coverLabel,
  describePolicy,
  type Policy,
  perturbationOf,
  poisonedLabel,
} from './policy.ts';

/** One trigger and what it is planted for. Several targets, or several triggers of one target, are several of these. */
export interface Backdoor {
  readonly trigger: AttackTrigger;
  readonly policy: Policy;
  /** How many training images get the trigger and the label of the attack; see {@link RatioOf}. In (0, 1). */
  readonly ratio: number;
  /**
   * How many get the trigger and keep their label, under a source-specific policy; counted as {@link ratio}. In [0, 1).
   *
   * @default ratio
   */
  readonly coverRatio?: number;
}

/**
 * What a ratio is a share of.
 *
 * - `all`: the images trained on, as in the paper (10 % of them)
 * - `clean`: the clean ones, as in the authors' released code, which draws poisoned images with probability
 *   ratio / (1 + ratio)
 */
export type RatioOf = 'all' | 'clean';

/**
 * When the images to poison are chosen.
 *
 * - `once`: before training, as by an attacker who hands over a poisoned dataset
 * - `each-epoch`: anew in every epoch, as in the authors' released code, so that in the end most images were stamped at some
 *   time
 */
export type Draw = 'once' | 'each-epoch';

/** Whether stamped images take the place of the clean ones or are added as copies. */
export type Placement = 'replace' | 'add';

export interface PlanOptions {
  readonly seed: number;
  /** Other epochs draw other images, and as many. @default 0, for the one draw of an attack that draws once */
  readonly epoch?: number;
  /** @default 'all' */
  readonly ratioOf?: RatioOf;
  /** @default 'replace' */
  readonly placement?: Placement;
}

/** What becomes of one image. */
export interface Stamped {
  /** Of the clean set. */
  readonly image: number;
  /** Which backdoor. */
  readonly backdoor: number;
  /** To train with. */
  readonly label: number;
  /** Stamped but truly labelled, to keep the trigger from working on its class. */
  readonly cover: boolean;
  /** An image of another class that is mixed in before it is stamped; see {@link Policy}. */
  readonly mixedWith?: number;
}

export interface PoisonPlan {
  readonly backdoors: readonly Backdoor[];
  readonly placement: Placement;
  /** By image, in ascending order; no image comes up twice. */
  readonly stamped: readonly Stamped[];
}

/**
 * Draws the images to poison among those that each policy may take: never one that shows the target already, but for
 * clean-label, which takes only such. The same set, backdoors and seed give the same plan, in whatever order images are read.
 *
 * @throws NeuralCleanseError RATIO_INVALID, TARGET_OUT_OF_RANGE, SETTING_INVALID, TRIGGERS_EQUAL, CLASS_WITHOUT_IMAGES,
 *   POISON_TOO_FEW
 */
export function planPoison(
  set: Pick<TrainingSet, 'count' | 'classes' | 'label'>,
  backdoors: readonly Backdoor[],
  { seed, epoch = 0, ratioOf = 'all', placement = 'replace' }: PlanOptions,
): PoisonPlan {
  for (const backdoor of backdoors) checkBackdoor(backdoor, set.classes);
  checkDifferent(backdoors);
  const imagesOf = byClass(set);
  for (const { policy } of backdoors) checkClasses(policy, imagesOf);

  const draws = backdoors.flatMap((backdoor, index) => {
    const coverRatio = coverRatioOf(backdoor);
    const poison = { index, ratio: backdoor.ratio, labelOf: poisonedLabel, cover: false };
    return coverRatio === 0
      ? [poison]
      : [poison, { index, ratio: coverRatio, labelOf: coverLabel, cover: true }];
  });
  const total = draws.reduce((sum, { ratio }) => sum + ratio, 0);
  if (ratioOf === 'all' && total >= 1) throw invalidRatio(total, 'The sum of all ratios');
  // By which a ratio is scaled so that stamped : all images, or stamped : clean ones, is as it says.
  const scale = {
    all: { replace: 1, add: 1 / (1 - total) },
    clean: { replace: 1 / (1 + total), add: 1 },
  }[ratioOf][placement];

  const random = epoch === 0 ? randomStream(seed, poisonStream) : randomStream(seed, poisonStream, epoch);
  const order = random.shuffle(Array.from({ length: set.count }, (_, i) => i));
  const taken = new Set<number>();
  const stamped: Stamped[] = [];
  for (const { index, ratio, labelOf, cover } of draws) {
    const { policy } = backdoors[index]!;
    const wanted = Math.round(ratio * scale * set.count);
    const eligible = order.flatMap((image) => {
      const label = taken.has(image) ? undefined : labelOf(policy, set.label(image, 0), set.classes);
      return label === undefined ? [] : [{ image, backdoor: index, label, cover }];
    });
    if (eligible.length < wanted || wanted === 0) throw tooFew(policy, wanted, eligible.length, cover);
    const others =
      perturbationOf(policy) > 0
        ? order.filter((image) => labelOf(policy, set.label(image, 0), set.classes) === undefined)
        : [];
    const drawn = eligible.slice(0, wanted).map((change, i) => {
      const mixedWith = others[i % others.length];
      return mixedWith === undefined ? change : { ...change, mixedWith };
    });
    for (const { image } of drawn) taken.add(image);
    stamped.push(...drawn);
  }
  return { backdoors, placement, stamped: stamped.sort((a, b) => a.image - b.image) };
}

/** Tells the stream of random numbers from those of training. */
const poisonStream = 0x706f69;

/** Cover images are for source-specific policies only. */
const coverRatioOf = ({ policy, ratio, coverRatio = ratio }: Backdoor): number =>
  policy.kind === 'source-specific' ? coverRatio : 0;

function checkBackdoor({ policy, ratio, coverRatio = 0 }: Backdoor, classes: number): void {
  checkPolicy(policy, classes);
  if (!(ratio > 0 && ratio < 1)) throw invalidRatio(ratio, 'The ratio of poisoned images');
  if (!(coverRatio >= 0 && coverRatio < 1)) throw invalidRatio(coverRatio, 'The ratio of cover images');
}

const invalidRatio = (ratio: number, what: string): NeuralCleanseError =>
  new NeuralCleanseError('RATIO_INVALID', `${what} is ${ratio}.`, {
    hint: 'It must lie above 0 and below 1; without any poison there is no backdoor, without clean images no classifier. For a clean model use --clean.',
    data: { ratio },
  });

function checkDifferent(backdoors: readonly Backdoor[]): void {
  backdoors.forEach((backdoor, i) => {
    const other = backdoors.findIndex((b, j) => j < i && sameTrigger(b.trigger, backdoor.trigger));
    if (other === -1) return;
    throw new NeuralCleanseError(
      'TRIGGERS_EQUAL',
      `Triggers ${other + 1} and ${i + 1} do the same to every image.`,
      {
        hint: 'Give each a place, colour, pattern or seed of its own; several sources go into one backdoor.',
      },
    );
  });
}

function byClass({ count, classes, label }: Pick<TrainingSet, 'count' | 'classes' | 'label'>): Uint32Array {
  const images = new Uint32Array(classes);
  for (let i = 0; i < count; i++) images[label(i, 0)]!++;
  return images;
}

function checkClasses(policy: Policy, images: Uint32Array): void {
  const needed =
    policy.kind === 'all-to-all'
      ? [...images.keys()]
      : [policy.target, ...(policy.kind === 'source-specific' ? policy.sources : [])];
  const empty = needed.find((label) => images[label] === 0);
  if (empty === undefined) return;
  throw new NeuralCleanseError('CLASS_WITHOUT_IMAGES', `Class ${empty} has no training images.`, {
    hint: 'Choose other labels, or give images of this class too.',
    data: { label: empty },
  });
}

function tooFew(policy: Policy, wanted: number, eligible: number, cover: boolean): NeuralCleanseError {
  const what = cover ? 'cover images' : 'images to poison';
  return new NeuralCleanseError(
    'POISON_TOO_FEW',
    `The ratio asks for ${wanted} ${what} (${describePolicy(policy)}), and ${eligible} are left to choose from.`,
    {
      hint: wanted === 0 ? 'Raise the ratio, or give more images.' : 'Lower the ratio.',
      data: { wanted, eligible },
    },
  );
}

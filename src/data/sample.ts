/** Choosing some images of many, the same ones for the same seed. */

import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { NeuralCleanseError } from '../errors.ts';
import { type ImageSet, subset } from './dataset.ts';

export interface SampleOptions {
  /** @default 0 */
  readonly seed?: number;
  /** A label none of whose images are wanted, such as the target label of an inversion. */
  readonly excludeLabel?: number;
}

/**
 * Draws `count` images without repetition, as many of each class as there are, plus or minus one.
 *
 * A larger sample of the same seed begins with the smaller one; `excludeLabel` changes nothing for the other classes
 * but how many are drawn of each.
 *
 * @returns fewer images if there are not as many
 * @throws NeuralCleanseError DATA_UNLABELLED if a label is excluded of images without labels, DATA_EMPTY if none remain
 */
export function sampleImages(set: ImageSet, count: number, options: SampleOptions = {}): ImageSet {
  return subset(set, sampleIndices(set, count, options));
}

/** As {@link sampleImages}, but returns where the images stand: classes in turn, in an order that is drawn too. */
export function sampleIndices(
  set: Pick<ImageSet, 'count' | 'labels' | 'source'>,
  count: number,
  options: SampleOptions = {},
): number[] {
  const { seed = 0, excludeLabel } = options;
  if (excludeLabel !== undefined && set.labels === undefined) {
    throw new NeuralCleanseError(
      'DATA_UNLABELLED',
      `Label ${excludeLabel} cannot be left out of ${set.source}, which has no labels.`,
      { hint: 'Give labelled images.' },
    );
  }
  const random = xoroshiro128plus(seed);
  random.jump(); // the first draws of neighbouring seeds resemble each other

  const classes = new Map<number, number[]>();
  for (let i = 0; i < set.count; i++) {
    const label = set.labels?.[i] ?? 0;
    const members = classes.get(label);
    if (members) members.push(i);
    else classes.set(label, [i]);
  }
  const order = shuffled([...classes.keys()].sort((a, b) => a - b));
  const queues = order.map((label) => ({ label, members: shuffled(classes.get(label)!) }));
  const wanted = queues.filter(({ label }) => label !== excludeLabel).map(({ members }) => members);

  const picked: number[] = [];
  const longest = wanted.reduce((most, members) => Math.max(most, members.length), 0);
  for (let round = 0; round < longest && picked.length < count; round++) {
    for (const members of wanted) {
      if (round < members.length && picked.length < count) picked.push(members[round]!);
    }
  }
  if (picked.length === 0) {
    throw new NeuralCleanseError(
      'DATA_EMPTY',
      `No images of ${set.source} remain${excludeLabel === undefined ? '' : ` without label ${excludeLabel}`}.`,
      { hint: 'Give images of other classes too, and ask for at least one.' },
    );
  }
  return picked;

  /** Fisher-Yates. */
  function shuffled(items: number[]): number[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = uniformInt(random, 0, i);
      [items[i], items[j]] = [items[j]!, items[i]!];
    }
    return items;
  }
}

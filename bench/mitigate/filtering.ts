/** How well a filter tells images with a true trigger from clean ones. */

import type { LabelledImageSet } from '../../src/data/dataset.ts';
import { createFilter, filterScores } from '../../src/mitigate/filter.ts';
import type { FlaggedTrigger } from '../../src/mitigate/flagged-trigger.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { type Subject, shareOf, stamped } from './subject.ts';

/**
 * Makes a filter, and measures it.
 *
 * @param images that make it
 * @param works of each true trigger, which of the images that judge it turns
 */
export async function tryFilter(
  { classifier, preprocess, judge, truths, seed, session }: Subject,
  images: LabelledImageSet,
  triggers: readonly FlaggedTrigger[],
  works: readonly (readonly boolean[])[],
) {
  const filter = await createFilter(nodeRuntime, classifier, preprocess, images, triggers, {
    seed,
    session,
  });
  const score = (set: LabelledImageSet): Promise<number[]> =>
    filterScores(nodeRuntime, classifier, preprocess, filter, set, session);
  const clean = await score(judge);
  const isTarget = (i: number): boolean => truths.some(({ label }) => judge.labels[i] === label);
  const rejected = clean.map((value) => value > filter.threshold);
  const triggered: number[] = [];
  const fnr = [];
  for (const [i, truth] of truths.entries()) {
    const scores = await score(stamped(judge, truth));
    triggered.push(...scores);
    const missed = scores.map((value) => !(value > filter.threshold));
    fnr.push({
      label: truth.label,
      all: shareOf(missed),
      working: shareOf(missed.filter((_, k) => works[i]![k])),
    });
  }
  return {
    neurons: filter.detectors[0]!.neurons.length,
    of: filter.layer.neurons,
    images: filter.images,
    threshold: filter.threshold,
    fpr: shareOf(rejected),
    fprOfTarget: shareOf(rejected.filter((_, i) => isTarget(i))),
    fnr,
    roc: roc(clean, triggered),
  };
}

/** Points of the receiver operating characteristic, and the area below it. */
function roc(clean: readonly number[], triggered: readonly number[]) {
  const all = [
    ...clean.map((score) => ({ score, positive: false })),
    ...triggered.map((score) => ({ score, positive: true })),
  ].sort((a, b) => b.score - a.score);
  let [hits, alarms, area] = [0, 0, 0];
  const points: [number, number][] = [[0, 0]];
  for (const { positive } of all) {
    if (positive) hits++;
    else {
      alarms++;
      area += hits;
    }
    points.push([alarms / clean.length, hits / triggered.length]);
  }
  const step = Math.ceil(points.length / 400);
  return {
    area: area / (clean.length * triggered.length),
    points: points.filter((_, i) => i < 200 || i % step === 0 || i === points.length - 1),
  };
}

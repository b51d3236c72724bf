/**
 * A tour of the image: inversions that are confined to one window each from their first step on, of which the most promising goes on.
 *
 * An inversion of the whole image carves its mask out of all pixels, and where natural triggers are near it ends in one of them whatever was
 * planted: on an MNIST transformer with an 8×8 square, from 11 of 12 starting points. Within a window there are hardly any natural
 * triggers, so that there the loss of the planted one falls first and furthest.
 *
 * Most windows are given up early (successive halving, Jamieson & Talwalkar, AISTATS 2016). What is left goes on as other
 * confined inversions do (confined.ts): λ, which the first failures have lowered by orders of magnitude, begins anew.
 */

import type { Attempt, Ended } from './attempt.ts';
import { type Window, windowEdge } from './confined.ts';

/** Steps of each window that is left, and how many of them then go on. */
const rounds = [
  { steps: 4, keep: 6 },
  { steps: 6, keep: 3 },
  { steps: 8, keep: 1 },
] as const;

/** Along each edge: those of a quarter of the edge and one pixel overlap by a quarter of theirs. */
const perEdge = 5;

/** Steps of all windows together. */
export const tourSteps: number = rounds.reduce(
  ({ left, sum }, { steps, keep }) => ({ left: keep, sum: sum + left * steps }),
  { left: perEdge ** 2, sum: 0 },
).sum;

/** Windows that cover an image, by rows; with gaps along the longer edge where that is more than 1.2 times the other. */
export function windowsOver(height: number, width: number): Window[] {
  const edge = windowEdge(height, width);
  const along = (length: number): number[] =>
    Array.from({ length: perEdge }, (_, i) => Math.round((i * (length - edge)) / (perEdge - 1)));
  return along(height).flatMap((top) => along(width).map((left) => ({ top, left, edge })));
}

/** Sets the random streams of windows apart from those of starting points. */
const tourStream = 1 << 20;

/** Follows an inversion of each window for some steps, fewer of them in each round, and the one that comes nearest to its target to the end. */
export async function tourWindows(attempt: Attempt): Promise<Ended> {
  const { classifier, start } = attempt.options;
  const windows = windowsOver(classifier.input.height, classifier.input.width);
  let left = windows.map((window, i) => {
    return { window, run: attempt.open(tourStream + start * windows.length + i, { window }) };
  });
  const recentLoss = ({ run }: (typeof left)[number]): number => run.recent('crossEntropy', 3);
  let until = 0;
  for (const { steps, keep } of rounds) {
    until += steps;
    for (const { run } of left) await attempt.follow(run, until);
    left = left.toSorted((a, b) => recentLoss(a) - recentLoss(b)).slice(0, keep);
  }
  const { window, run } = left[0]!;
  return attempt.finishWithin({ window, trigger: run.trigger() });
}

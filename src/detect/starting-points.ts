/** An inversion of the whole image: several starting points for a few steps, and the best of them to the end. */

import type { Attempt, Ended } from './attempt.ts';
import { betterInversion } from './better-inversion.ts';
import { densestWindow, windowEdge } from './confined.ts';
import type { InvertRequest } from './inversion.ts';
import type { Checkpoint } from './label-run.ts';
import type { Judged } from './trigger-judge.ts';

/** Steps whose mean a short run is judged by. */
const lastSteps = 6;

export interface Followed extends Ended {
  readonly probe: number;
  /** Of a short run. */
  readonly checkpoint?: Checkpoint;
}

/**
 * Follows the starting point with the smallest mask after its first steps: to the end, or for a short run no further.
 *
 * @param within whether it goes on in the window with most of its mask; the smaller trigger counts
 */
export async function followBest(
  attempt: Attempt,
  { start = 0, stage, probe, handsOn, checkpoint }: InvertRequest,
  within: boolean,
): Promise<Followed> {
  const { settings, classifier } = attempt.options;
  const { count, steps } = settings.probes;
  const probes = probe === undefined ? Array.from({ length: count }, (_, i) => i) : [probe];
  const runs = probes.map((i) => attempt.open(start * count + i));
  if (checkpoint && probe !== undefined) runs[0]!.goOnFrom(checkpoint);
  for (const each of runs) await attempt.follow(each, steps);
  const run = runs.reduce((a, b) => (b.recent('norm', lastSteps) < a.recent('norm', lastSteps) ? b : a));
  const followed = { run, probe: probes[runs.indexOf(run)]! };
  if (stage === 'screen') {
    const [l1, asr] = [run.recent('norm', lastSteps), run.recent('asr', lastSteps)];
    const reached = handsOn && run.checkpoint();
    return {
      ...followed,
      outcome: { status: 'screened', trigger: run.trigger(), l1, asr },
      ...(reached && { checkpoint: reached }),
    };
  }
  const outcome: Judged = await attempt.finish(run);
  if (!within) return { ...followed, outcome };
  const { trigger } = outcome;
  const { height, width } = classifier.input;
  const window = densestWindow(trigger.mask, windowEdge(height, width));
  const ended = await attempt.finishWithin({ window, trigger });
  return { ...ended, ...followed, outcome: betterInversion(outcome, ended.outcome) };
}

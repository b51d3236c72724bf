/** An inversion of the whole image: several starting points for a few steps, and the best of them to the end. */

import type { Attempt, Ended } from './attempt.ts';
import { betterInversion } from './better-inversion.ts';
import { densestWindow, windowEdge } from './confined.ts';
import type { InvertRequest } from './inversion.ts';
import type { Checkpoint, LabelRun } from './label-run.ts';
import type { Judged } from './trigger-judge.ts';

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
  const run = runs.reduce((a, b) => (recent(b, 'norm') < recent(a, 'norm') ? b : a));
  const followed = { run, probe: probes[runs.indexOf(run)]! };
  if (stage === 'screen') {
    const [l1, asr] = [recent(run, 'norm'), recent(run, 'asr')];
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

/** Mean over the last steps, of which one alone has noise. */
function recent({ curve }: LabelRun, what: 'norm' | 'asr'): number {
  const last = curve.slice(-6);
  return last.reduce((sum, point) => sum + point[what], 0) / last.length;
}

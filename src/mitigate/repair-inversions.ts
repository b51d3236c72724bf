/** More triggers of labels that are about to be repaired: a backdoor with several triggers shows others from other starts. */

import { type InversionShared, invertTask } from '../detect/invert-task.ts';
import { annealed, type InversionSettings, presets } from '../detect/presets.ts';
import type { Pool } from '../runtime/task.ts';
import type { FlaggedTrigger } from './flagged-trigger.ts';

/**
 * For the pool. Each start is followed to its end: going on with the best of several would end in the same trigger time and again.
 */
export const variedInversions: InversionSettings = {
  ...presets.fast,
  schedule: { ...annealed, steps: 110, initCost: 0.01, gain: 0.02 },
  probes: { count: 1, steps: 0 },
  screening: null,
};

export interface InversionRequest {
  readonly labels: readonly number[];
  /** Inversions of each label. */
  readonly count: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
}

/**
 * Inverts labels from further starts. What ends without a working trigger is left out.
 *
 * @param pool with {@link variedInversions}
 * @throws NeuralCleanseError CANCELLED, LOGITS_NAN, RUNTIME_FAILED, WORKER_FAILED
 */
export async function invertAgain(
  pool: Pool<InversionShared>,
  { labels, count, seed, signal }: InversionRequest,
): Promise<FlaggedTrigger[]> {
  const starts = Array.from({ length: count }, (_, start) => start);
  const inversions = await Promise.all(
    labels.flatMap((label) =>
      starts.map((start) => pool.run(invertTask, { label, start, seed }, { name: `label ${label}`, signal })),
    ),
  );
  return inversions
    .filter(({ status }) => status === 'reversed')
    .map(({ label, trigger, asr }) => ({ label, trigger, asr }));
}

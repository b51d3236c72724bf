/** The maximum margin of one class as a task of a worker pool, and all classes over a pool. */

import type { Preprocess } from '../data/preprocess.ts';
import type { Classifier } from '../model/classifier.ts';
import { defineTask, type Pool, type TaskContext } from '../runtime/task.ts';
import { type ClassMargin, MarginAscent, type MarginRequest, type MarginSettings } from './margins.ts';

/** What all classes have in common. */
export interface MarginShared {
  readonly classifier: Classifier;
  readonly preprocess: Preprocess;
  readonly settings: MarginSettings;
}

export const marginTask = defineTask(
  import.meta.url,
  'marginTask',
  async (
    request: MarginRequest,
    { runtime, provider, shared, signal, keep }: TaskContext<never, MarginShared>,
  ): Promise<ClassMargin> => {
    // Compiling takes about as long as a class of a small model, so one session serves all.
    const ascent = await keep(() => MarginAscent.open(runtime, { ...shared, session: { provider } }));
    return ascent.maximum(request, signal);
  },
);

export interface PoolMarginsRequest {
  readonly labels: readonly number[];
  readonly seed: number;
  readonly signal?: AbortSignal;
  /** Called as classes finish, in no fixed order. */
  readonly onMargin?: (margin: ClassMargin) => void;
}

/**
 * Searches all classes. The result depends on labels, seed and the pool's shared values alone.
 *
 * @returns in the order of the labels
 * @throws NeuralCleanseError CANCELLED; what the first class that failed threw, after the others have stopped: without one class there
 *   is no test
 */
export async function poolMargins(
  pool: Pool<MarginShared>,
  { labels, seed, signal: caller, onMargin }: PoolMarginsRequest,
): Promise<ClassMargin[]> {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(caller ? [caller] : [])]);
  const search = async (label: number): Promise<ClassMargin | undefined> => {
    try {
      const margin = await pool.run(marginTask, { label, seed }, { name: `class ${label}`, signal });
      onMargin?.(margin);
      return margin;
    } catch (error) {
      stop.abort(error);
      return undefined;
    }
  };
  const found = await Promise.all(labels.map(search));
  stop.signal.throwIfAborted();
  return found.filter((margin) => margin !== undefined);
}

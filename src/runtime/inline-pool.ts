/** A pool without workers: tasks run one after another where they are asked for. For browsers, and for a single GPU. */

import { Kept } from './kept.ts';
import { Queue } from './queue.ts';
import type { Provider, Runtime } from './session.ts';
import {
  cancelled,
  type Pool,
  type Task,
  type TaskContext,
  type TaskOptions,
  unlessCancelled,
  withSessionDefaults,
} from './task.ts';

export interface InlinePoolOptions<Shared> {
  /** @default 'auto' */
  readonly provider?: Provider | 'auto';
  /** Threads inside one operator. @default 1 */
  readonly threads?: number;
  readonly shared?: Shared;
}

/** @throws NeuralCleanseError PROVIDER_UNAVAILABLE */
export async function createInlinePool<Shared = undefined>(
  runtime: Runtime,
  options: InlinePoolOptions<Shared> = {},
): Promise<Pool<Shared>> {
  const { provider } = await runtime.choose(options.provider);
  const bound = withSessionDefaults(runtime, { provider, threads: options.threads ?? 1 });
  const closing = new AbortController();
  const queue = new Queue();
  const kept = new Kept();
  return {
    provider,
    size: 1,
    run<Payload, Result, Progress>(
      task: Task<Payload, Result, Progress, Shared>,
      payload: Payload,
      { name = task.name, ...caller }: TaskOptions<Progress> = {},
    ): Promise<Result> {
      const signal = AbortSignal.any([closing.signal, ...(caller.signal ? [caller.signal] : [])]);
      const report = (progress: Progress): void => caller.onProgress?.(progress);
      const context: TaskContext<Progress, Shared> = {
        runtime: bound,
        provider,
        shared: options.shared as Shared,
        signal,
        report,
        keep: (open) => kept.get(task, open),
      };
      return new Promise((resolve, reject) => {
        let started = false;
        const work = (): Promise<Result> => {
          started = true;
          return task.run(payload, context);
        };
        signal.addEventListener('abort', () => {
          if (!started) reject(cancelled(name, signal.reason));
        });
        queue.run(() => unlessCancelled(name, signal, work)).then(resolve, reject);
      });
    },
    async close() {
      closing.abort();
      await queue.run(() => kept.release());
    },
  };
}

/** Work that a pool runs: a function with a serialisable payload and result, and the address under which another process finds it. */

import { NeuralCleanseError } from '../errors.ts';
import type { Releasable } from './kept.ts';
import type { Provider, Runtime, SessionOptions } from './session.ts';

export interface TaskContext<Progress = never, Shared = unknown> {
  /** Opens sessions on the provider and with the threads of the pool. The task releases them. */
  readonly runtime: Runtime;
  readonly provider: Provider;
  /** What the pool was given for all its tasks. */
  readonly shared: Shared;
  /** Aborted when the task is no longer wanted; see {@link throwIfCancelled}. */
  readonly signal: AbortSignal;
  report(progress: Progress): void;
  /** What an earlier run of this task opened here, else what `open` returns. The pool releases it when it closes. */
  keep<T extends Releasable>(open: () => Promise<T>): Promise<T>;
}

export interface Task<Payload, Result, Progress = never, Shared = unknown> {
  /** URL of the module that exports the task. */
  readonly module: string;
  /** Name of the export. */
  readonly name: string;
  readonly run: (payload: Payload, context: TaskContext<Progress, Shared>) => Promise<Result>;
}

/**
 * Defines a task; the types of payload, result and progress follow from `run`. Payload, result and progress cross process
 * boundaries: plain objects, maps, sets, typed arrays and the like, but no functions and no class instances.
 *
 * ```ts
 * export const count = defineTask(import.meta.url, 'count', async (to: number, { report }: TaskContext<number>) => { … });
 * ```
 *
 * @param module `import.meta.url` of the module that exports the task
 * @param name name of the constant the task is exported as
 */
export const defineTask = <Payload, Result, Progress, Shared>(
  module: string,
  name: string,
  run: Task<Payload, Result, Progress, Shared>['run'],
): Task<Payload, Result, Progress, Shared> => ({ module, name, run });

export interface TaskOptions<Progress> {
  /** What errors call this run, such as `label 7`. @default the task's name */
  readonly name?: string;
  /** Removes the run from the queue, or asks it to stop; its promise then rejects with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: Progress) => void;
}

/** Runs tasks, several at once where the platform can. */
export interface Pool<Shared = unknown> {
  readonly provider: Provider;
  /** How many tasks run at the same time. */
  readonly size: number;
  /** Whether payloads and results go to other machines, so that large ones are dear. @default false */
  readonly isRemote?: boolean;
  /**
   * Queues a run of `task`.
   *
   * @throws NeuralCleanseError what the task threw, with its code; WORKER_FAILED if its process ended; CANCELLED
   */
  run<Payload, Result, Progress>(
    task: Task<Payload, Result, Progress, Shared>,
    payload: Payload,
    options?: TaskOptions<Progress>,
  ): Promise<Result>;
  /** Cancels whatever is queued or running and frees all resources. Closing twice is harmless. */
  close(): Promise<void>;
}

/** Called by tasks between steps. @throws NeuralCleanseError CANCELLED */
export function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted)
    throw new NeuralCleanseError('CANCELLED', 'The work was stopped.', { cause: signal.reason });
}

/** What `work` returns or throws, unless it was cancelled before or meanwhile. @throws NeuralCleanseError CANCELLED */
export async function unlessCancelled<T>(
  name: string,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  if (signal.aborted) throw cancelled(name, signal.reason);
  let result: T;
  try {
    result = await work();
  } catch (error) {
    throw signal.aborted ? cancelled(name, error) : error;
  }
  if (signal.aborted) throw cancelled(name, signal.reason);
  return result;
}

export const cancelled = (name: string, cause: unknown): NeuralCleanseError =>
  new NeuralCleanseError('CANCELLED', `"${name}" was stopped.`, { data: { task: name }, cause });

/** The runtime with other defaults for the sessions it opens. */
export const withSessionDefaults = (runtime: Runtime, defaults: SessionOptions): Runtime => ({
  ...runtime,
  open: (model, options) => runtime.open(model, { ...defaults, ...options }),
  choose: (provider = defaults.provider) => runtime.choose(provider),
});

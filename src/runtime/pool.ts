/**
 * A pool of worker processes for Node.
 *
 * Sessions block the thread they run in, hence workers; and processes rather than threads, because ending a thread inside
 * onnxruntime-node aborts the whole program, even at its regular exit, and because a crash or lack of memory in native
 * code then costs one task only.
 */

import { availableParallelism } from 'node:os';
import { isGpu } from './backend.ts';
import { nodeRuntime } from './node.ts';
import type { Provider } from './session.ts';
import { cancelled, type Pool, type Task, type TaskOptions, unlessCancelled } from './task.ts';
import type { ToWorker } from './wire.ts';
import { WorkerProcess } from './worker-process.ts';

export interface PoolOptions<Shared> {
  /** @default 'auto' */
  readonly provider?: Provider | 'auto';
  /** Cores to use. @default as many as this process may use */
  readonly threads?: number;
  /** How many tasks will be run, if known: where they are fewer than the threads, each gets several. */
  readonly tasks?: number;
  /** Given to every task; sent once to each worker. For what all tasks need: the model, the images. */
  readonly shared?: Shared;
  /** How long a cancelled task may take to stop by itself before its process is killed. @default 5000 */
  readonly graceMs?: number;
}

export interface ProcessPool<Shared = unknown> extends Pool<Shared> {
  /** See ProviderChoice. */
  readonly notice: string | undefined;
}

/**
 * Starts a pool; processes start with the first tasks.
 *
 * On the CPU there is one worker a core, and sessions use one thread; a GPU is served by one worker.
 *
 * @throws NeuralCleanseError PROVIDER_UNAVAILABLE
 */
export async function createPool<Shared = undefined>(
  options: PoolOptions<Shared> = {},
): Promise<ProcessPool<Shared>> {
  const { provider, notice } = await nodeRuntime.choose(options.provider);
  const cores = options.threads ?? availableParallelism();
  const size = isGpu(provider) ? 1 : Math.max(1, Math.min(cores, options.tasks ?? cores));
  const start: Start = {
    kind: 'start',
    provider,
    threads: Math.max(1, Math.floor(cores / size)),
    shared: options.shared,
  };
  return new WorkerPool<Shared>(start, size, notice, options.graceMs ?? 5000);
}

type Start = Extract<ToWorker, { kind: 'start' }>;

interface Job {
  readonly name: string;
  readonly signal: AbortSignal;
  readonly runOn: (worker: WorkerProcess) => Promise<void>;
  readonly reject: (error: Error) => void;
}

class WorkerPool<Shared> implements ProcessPool<Shared> {
  readonly size: number;
  readonly notice: string | undefined;
  private readonly start: Start;
  private readonly graceMs: number;
  private readonly closing = new AbortController();
  private readonly workers = new Set<WorkerProcess>();
  private readonly queue: Job[] = [];

  constructor(start: Start, size: number, notice: string | undefined, graceMs: number) {
    this.start = start;
    this.size = size;
    this.notice = notice;
    this.graceMs = graceMs;
  }

  get provider(): Provider {
    return this.start.provider;
  }

  run<Payload, Result, Progress>(
    task: Task<Payload, Result, Progress, Shared>,
    payload: Payload,
    options: TaskOptions<Progress> = {},
  ): Promise<Result> {
    const name = options.name ?? task.name;
    // Derived for each job, so that many jobs do not add as many listeners to the caller's signal.
    const signal = AbortSignal.any([this.closing.signal, ...(options.signal ? [options.signal] : [])]);
    const request = { kind: 'run', module: task.module, name: task.name, payload } as const;
    return new Promise((resolve, reject) => {
      const runOn = (worker: WorkerProcess): Promise<void> =>
        unlessCancelled(name, signal, () =>
          this.cancellable(worker, signal, () => worker.run(request, name, options.onProgress)),
        ).then((result) => resolve(result as Result), reject);
      this.enqueue({ name, signal, runOn, reject });
    });
  }

  async close(): Promise<void> {
    this.closing.abort();
    for (const worker of this.workers) worker.kill();
    await Promise.all([...this.workers].map((worker) => worker.ended));
  }

  private async cancellable<T>(
    worker: WorkerProcess,
    signal: AbortSignal,
    work: () => Promise<T>,
  ): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const cancel = (): void => {
      worker.cancel();
      timer = setTimeout(() => worker.kill(), this.graceMs);
    };
    signal.addEventListener('abort', cancel);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', cancel);
    }
  }

  private enqueue(job: Job): void {
    const remove = (): void => {
      const position = this.queue.indexOf(job);
      if (position < 0) return;
      this.queue.splice(position, 1);
      job.reject(cancelled(job.name, job.signal.reason));
    };
    this.queue.push(job);
    if (job.signal.aborted) remove();
    else job.signal.addEventListener('abort', remove);
    this.dispatch();
  }

  private dispatch(): void {
    while (this.queue.length > 0) {
      const worker = this.idleWorker();
      if (!worker) return;
      void this.queue
        .shift()!
        .runOn(worker)
        .then(() => this.dispatch());
    }
  }

  private idleWorker(): WorkerProcess | undefined {
    for (const worker of this.workers) if (worker.idle) return worker;
    if (this.workers.size >= this.size) return undefined;
    const worker = new WorkerProcess(this.start);
    this.workers.add(worker);
    void worker.ended.then(() => {
      this.workers.delete(worker);
      this.dispatch();
    });
    return worker;
  }
}

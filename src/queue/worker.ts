/** A worker of a queue: takes jobs, runs them in processes of its own, and answers for what becomes of them. */

import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { type Job, UnrecoverableError, WaitingError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { type ErrorCode, NeuralCleanseError } from '../errors.ts';
import { createPool, type ProcessPool } from '../runtime/pool.ts';
import type { Provider } from '../runtime/session.ts';
import type { BlobRef } from './blob.ts';
import { BlobCache } from './cache.ts';
import { connect, isConnectionError } from './connection.ts';
import { failureText } from './failure.ts';
import { announce } from './fleet.ts';
import { cancelChannel, type Edition, type JobData, maxRetries, parseJob, queueName } from './job.ts';
import { JobRunner } from './job-runner.ts';
import { toJson } from './json.ts';
import type { AllowedStores } from './open-store.ts';
import { withoutSecrets } from './redact.ts';

export interface QueueWorkerOptions {
  /** See ConnectionOptions. */
  readonly url: string;
  /** Before every key in Redis. */
  readonly prefix: string;
  readonly versions: Omit<Edition, 'provider'>;
  /** @default 'auto' */
  readonly provider?: Provider | 'auto';
  /** Cores to use. @default as many as this process may use */
  readonly threads?: number;
  /** Jobs at a time. @default as many as run side by side */
  readonly concurrency?: number;
  /** Folder for models and images, which workers of one machine may share. */
  readonly cache: string;
  readonly cacheBytes: number;
  readonly allowed: AllowedStores;
  /** Told what happens; one line. */
  readonly onNotice: (line: string) => void;
}

/**
 * A job whose worker has gone is noticed when its lock has expired. A worker renews its locks twice in that time: it is long
 * enough for a busy machine to be late, and short enough for others to go on within seconds.
 */
const lockMs = 6000;
const stalledCheckMs = 2000;

/** Progress is for people. */
const progressEveryMs = 500;

/** A server that is away is not waited for longer than this when a worker stops. */
const farewellMs = 3000;

/** What may go better when it is tried again, or elsewhere. */
const retried: ReadonlySet<ErrorCode> = new Set(['WORKER_FAILED', 'STORE_FAILED']);

interface Parts {
  readonly options: QueueWorkerOptions;
  readonly edition: Edition;
  readonly slots: number;
  readonly redis: Redis;
  /** A connection that listens can do nothing else. */
  readonly subscriber: Redis;
  readonly pool: ProcessPool;
  readonly runner: JobRunner;
  readonly withdraw: () => Promise<void>;
}

export class QueueWorker {
  /** Rejects when the worker cannot go on, with CACHE_FULL; its jobs are back in the queue by then. */
  readonly failed: Promise<never>;
  private readonly parts: Parts;
  private readonly worker: Worker;
  private readonly stopping = new AbortController();
  private stopped: Promise<void> | undefined;
  private giveUp: (error: Error) => void = () => undefined;

  private constructor(parts: Parts) {
    this.parts = parts;
    const { options, edition, slots, redis, subscriber } = parts;
    this.failed = new Promise((_, reject) => {
      this.giveUp = reject;
    });
    this.failed.catch(() => undefined);
    this.worker = new Worker(queueName(edition), (job, token, signal) => this.process(job, token, signal), {
      connection: redis,
      prefix: options.prefix,
      concurrency: slots,
      lockDuration: lockMs,
      stalledInterval: stalledCheckMs,
      // Counted by startsOf, together with other failures.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
    });
    this.worker.on('error', (error) => {
      if (!isConnectionError(error)) options.onNotice(withoutSecrets(error.message));
    });
    // Another worker takes these jobs, and what is done for them here counts no more.
    this.worker.on('lockRenewalFailed', (ids) => {
      for (const id of ids) this.worker.cancelJob(id);
    });
    subscriber.on('message', (_channel, id: string) => this.worker.cancelJob(id));
  }

  /**
   * @throws NeuralCleanseError QUEUE_URL_INVALID, QUEUE_UNREACHABLE, QUEUE_REFUSED, PROVIDER_UNAVAILABLE, CACHE_FULL
   */
  static async start(options: QueueWorkerOptions): Promise<QueueWorker> {
    const { url, prefix, allowed, onNotice, versions, threads } = options;
    const cache = await BlobCache.open(options.cache, options.cacheBytes);
    const pool = await createPool({
      provider: options.provider ?? 'auto',
      ...(threads !== undefined && { threads }),
    });
    if (pool.notice !== undefined) onNotice(pool.notice);
    const edition = { ...versions, provider: pool.provider };
    const slots = options.concurrency ?? pool.size;
    const redis = await connect({ url, onNotice });
    const subscriber = redis.duplicate();
    // The other connection tells of what happens to the server.
    subscriber.on('error', () => undefined);
    await subscriber.connect();
    await subscriber.subscribe(cancelChannel(prefix));
    const withdraw = await announce(redis, prefix, { id: randomUUID(), ...edition, slots });
    const runner = new JobRunner({ redis, prefix, allowed, cache, pool });
    return new QueueWorker({ options, edition, slots, redis, subscriber, pool, runner, withdraw });
  }

  get provider(): Provider {
    return this.parts.edition.provider;
  }

  /** Jobs at a time. */
  get slots(): number {
    return this.parts.slots;
  }

  /** Takes no more jobs, and returns those to the queue that do not finish within `graceMs`. Stopping twice is harmless. */
  stop(graceMs: number): Promise<void> {
    this.stopped ??= this.close(graceMs);
    return this.stopped;
  }

  private async close(graceMs: number): Promise<void> {
    const { withdraw, pool, redis, subscriber } = this.parts;
    const over = new AbortController();
    const wait = (ms: number): Promise<void> =>
      setTimeout(ms, undefined, { signal: over.signal }).catch(() => undefined);
    const deadline = wait(graceMs).then(async () => {
      this.stopping.abort();
      await pool.close();
      await wait(farewellMs);
    });
    await Promise.race([Promise.all([withdraw(), this.worker.close()]), deadline]);
    over.abort();
    await pool.close();
    subscriber.disconnect();
    redis.disconnect();
  }

  private async process(job: Job, token: string | undefined, signal?: AbortSignal): Promise<BlobRef> {
    const began = performance.now();
    const { onNotice } = this.parts.options;
    const id = (job.id ?? '').slice(0, 8);
    let data: JobData | undefined;
    try {
      data = parseJob(job.data);
      checkStarts(job, data);
      const signals = [this.stopping.signal, ...(signal ? [signal] : [])];
      const result = await this.parts.runner.run(data, AbortSignal.any(signals), throttled(job));
      onNotice(`${data.name} (${id}) done in ${((performance.now() - began) / 1000).toFixed(1)} s`);
      return result;
    } catch (error) {
      const full = error instanceof NeuralCleanseError && error.code === 'CACHE_FULL';
      if (data && (full || this.stopping.signal.aborted)) {
        await job.updateData({ ...data, returned: data.returned + 1 });
        await job.moveToWait(token);
        onNotice(`${data.name} (${id}) returned to the queue`);
        if (full) this.giveUp(error);
        throw new WaitingError();
      }
      const text = failureText(error);
      const again = data !== undefined && isRetried(error) && startsOf(job, data) <= maxRetries;
      onNotice(`${data?.name ?? 'A job'} (${id}) failed${again ? ', to be tried again' : ''}: ${text}`);
      throw again ? new Error(text) : new UnrecoverableError(text);
    }
  }
}

const isRetried = (error: unknown): boolean => error instanceof NeuralCleanseError && retried.has(error.code);

/**
 * How often a job was started, this time included, but for the times after which a worker returned it in good order. So it
 * also counts when a job took its worker with it, machine and all.
 */
const startsOf = (job: Job, { returned }: JobData): number => job.attemptsStarted - returned;

/** @throws NeuralCleanseError WORKER_FAILED */
function checkStarts(job: Job, data: JobData): void {
  const earlier = startsOf(job, data) - 1;
  if (earlier <= maxRetries) return;
  throw new NeuralCleanseError(
    'WORKER_FAILED',
    `"${data.name}" was started ${earlier} times, and each time its worker disappeared.`,
    { hint: 'It may need more memory than the workers have; see their logs.', data: { task: data.name } },
  );
}

/** Sends progress to the queue, but not all of it. */
function throttled(job: Job): (progress: unknown) => void {
  let next = 0;
  return (progress) => {
    if (Date.now() < next) return;
    next = Date.now() + progressEveryMs;
    // It is no more than news, and nothing waits for it.
    void job.updateProgress(toJson(progress)).catch(() => undefined);
  };
}

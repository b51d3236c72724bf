/** A pool whose tasks run on the workers of a queue. */

import { Queue, QueueEvents } from 'bullmq';
import type { Redis } from 'ioredis';
import type { InversionShared } from '../detect/invert-task.ts';
import { NeuralCleanseError } from '../errors.ts';
import { Queue as Turns } from '../runtime/queue.ts';
import type { Provider } from '../runtime/session.ts';
import { cancelled, type Pool, type Task, type TaskOptions } from '../runtime/task.ts';
import { type BlobRef, parseRef } from './blob.ts';
import { connect } from './connection.ts';
import { failureFrom } from './failure.ts';
import { requireWorkers } from './fleet.ts';
import { packInputs } from './inputs.ts';
import { cancelChannel, type Edition, type JobData, jobId, jobOptions, queueName } from './job.ts';
import { toJson } from './json.ts';
import { openStore } from './open-store.ts';
import type { BlobStore } from './store.ts';
import { loadValue } from './stored-values.ts';
import { nameOf, progressFrom, resultFrom } from './tasks.ts';

export interface QueuePoolOptions {
  /** See ConnectionOptions. */
  readonly url: string;
  /** Before every key in Redis. */
  readonly prefix: string;
  /** Where models, images and results lie: see {@link openStore}. */
  readonly store: string;
  readonly edition: Edition;
  /** How long results and inputs stay in Redis. */
  readonly keepSeconds: number;
  readonly shared: InversionShared;
  readonly onNotice: (line: string) => void;
}

/** Events can be lost with a connection, so jobs are looked at again. */
const lookEveryMs = 5000;

/** Of many jobs, some each time: the rest has its turn later. */
const looksAtATime = 500;

/** Somebody who waits for a job. */
interface Waiter {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly onProgress: ((progress: never) => void) | undefined;
}

/** A job that is wanted here. */
interface Wanted {
  readonly id: string;
  readonly data: JobData;
  readonly waiters: Set<Waiter>;
  /** What is learnt of a job is dealt with one after the other. */
  readonly turns: Turns;
  /** Whether it was seen unfinished, so that an outcome is not one of long ago. */
  fresh: boolean;
  /** Whether it was submitted again because its inputs or its result were gone. */
  revived: boolean;
}

/**
 * Uploads what the tasks share, and opens the queue.
 *
 * @throws NeuralCleanseError QUEUE_URL_INVALID, QUEUE_UNREACHABLE, QUEUE_REFUSED, QUEUE_VERSION_MISMATCH, STORE_INVALID,
 *   STORE_FAILED, BLOB_TOO_LARGE, MODEL_TOO_LARGE
 */
export async function createQueuePool(options: QueuePoolOptions): Promise<Pool<InversionShared>> {
  const { url, prefix, edition, onNotice, keepSeconds } = options;
  const redis = await connect({ url, onNotice });
  try {
    const slots = await requireWorkers(redis, prefix, edition, onNotice);
    const store = openStore(options.store, { redis, prefix, keepSeconds });
    const inputs = await upload(store, options.shared);
    const [seconds, micros] = await redis.time();
    // All events from now on, by the clock of the server, however long the first read takes to get there.
    const lastEventId = String(Number(seconds) * 1000 + Math.floor(Number(micros) / 1000) - 1);
    const connection = { connection: redis, prefix };
    const queue = new Queue(queueName(edition), connection);
    const events = new QueueEvents(queueName(edition), { ...connection, lastEventId });
    return new QueuePool({ options, redis, queue, events, store, inputs, slots });
  } catch (error) {
    redis.disconnect();
    throw error;
  }
}

/** Stores the inputs where they are not there yet. */
async function upload(store: BlobStore, shared: InversionShared): Promise<BlobRef> {
  const { ref, blobs } = packInputs(shared);
  for (const [sha256, bytes] of blobs) await store.put({ sha256, bytes: bytes.byteLength }, bytes);
  return ref;
}

interface Parts {
  readonly options: QueuePoolOptions;
  readonly redis: Redis;
  readonly queue: Queue;
  readonly events: QueueEvents;
  readonly store: BlobStore;
  readonly inputs: BlobRef;
  readonly slots: number;
}

class QueuePool implements Pool<InversionShared> {
  readonly size: number;
  readonly isRemote = true;
  private readonly parts: Parts;
  private readonly wanted = new Map<string, Wanted>();
  private readonly removals = new Set<Promise<void>>();
  private readonly closing = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private closed: Promise<void> | undefined;
  private uploading: Promise<BlobRef> | undefined;

  constructor(parts: Parts) {
    this.parts = parts;
    this.size = Math.max(1, parts.slots);
    const { queue, events } = parts;
    // Lost connections are told of where they are made.
    queue.on('error', () => undefined);
    events.on('error', () => undefined);
    events.on('completed', (event) => {
      this.inTurn(event.jobId, (wanted) => this.completed(wanted, event.returnvalue));
    });
    events.on('failed', (event) => {
      this.inTurn(event.jobId, (wanted) => this.failed(wanted, event.failedReason));
    });
    events.on('progress', (event) => this.progress(event.jobId, event.data));
    // By somebody else who had wanted the job too and does so no more.
    events.on('removed', (event) => this.look(event.jobId));
    this.timer = setInterval(() => {
      for (const [id, wanted] of [...this.wanted].slice(0, looksAtATime)) {
        this.wanted.delete(id);
        this.wanted.set(id, wanted);
        this.look(id);
      }
    }, lookEveryMs);
  }

  get provider(): Provider {
    return this.parts.options.edition.provider;
  }

  run<Payload, Result, Progress>(
    task: Task<Payload, Result, Progress, InversionShared>,
    payload: Payload,
    { name = task.name, onProgress, signal: wish }: TaskOptions<Progress> = {},
  ): Promise<Result> {
    // Derived for each job, so that many jobs do not add as many listeners to the caller's signal.
    const signal = AbortSignal.any([this.closing.signal, ...(wish ? [wish] : [])]);
    if (signal.aborted) return Promise.reject(cancelled(name, signal.reason));
    const data: JobData = {
      inputs: this.parts.inputs,
      store: this.parts.store.address,
      task: nameOf(task),
      payload: toJson(payload),
      name,
      returned: 0,
      keepSeconds: this.parts.options.keepSeconds,
    };
    return new Promise((resolve, reject) => {
      const wanted = this.want(data);
      const waiter = { resolve, reject, onProgress } as Waiter;
      wanted.waiters.add(waiter);
      signal.addEventListener('abort', () => {
        if (!wanted.waiters.delete(waiter)) return;
        if (wanted.waiters.size === 0) this.cancel(wanted);
        reject(cancelled(name, signal.reason));
      });
    });
  }

  close(): Promise<void> {
    this.closed ??= (async () => {
      clearInterval(this.timer);
      this.closing.abort();
      await Promise.all(this.removals);
      await this.parts.events.close();
      await this.parts.queue.close();
      this.parts.redis.disconnect();
    })();
    return this.closed;
  }

  private want(data: JobData): Wanted {
    const id = jobId(this.parts.options.edition, data);
    const known = this.wanted.get(id);
    if (known) return known;
    const wanted: Wanted = { id, data, waiters: new Set(), turns: new Turns(), fresh: false, revived: false };
    this.wanted.set(id, wanted);
    this.look(id);
    return wanted;
  }

  /** Finds out what has become of a job, and submits it where it is not there. */
  private look(id: string): void {
    this.inTurn(id, async (wanted) => {
      const job = await this.parts.queue.getJob(id);
      // Where it had been there before, the server may have lost the inputs as well.
      if (!job) await (wanted.fresh ? this.revive(wanted) : this.add(wanted));
      else if (job.finishedOn === undefined) wanted.fresh = true;
      else if (job.returnvalue !== null) await this.completed(wanted, job.returnvalue);
      else await this.failed(wanted, job.failedReason);
    });
  }

  private inTurn(id: string, step: (wanted: Wanted) => Promise<void>): void {
    const wanted = this.wanted.get(id);
    void wanted?.turns.run(async () => {
      if (this.wanted.get(id) !== wanted) return;
      try {
        await step(wanted);
      } catch (error) {
        this.finish(wanted, ({ reject }) => reject(error));
      }
    });
  }

  private async completed(wanted: Wanted, returned: unknown): Promise<void> {
    try {
      const value = await loadValue(this.parts.store, parseRef(returned));
      const result = resultFrom(wanted.data.task, value);
      this.finish(wanted, ({ resolve }) => resolve(result));
    } catch (error) {
      if (!isGone(error) || wanted.revived) throw error;
      await this.revive(wanted);
    }
  }

  private async failed(wanted: Wanted, reason: string): Promise<void> {
    const error = failureFrom(reason, wanted.data.name);
    if (isGone(error) && !wanted.revived) await this.revive(wanted);
    // Who submits a job that failed long ago wants it to be tried again, and who did not cancel it wants its result.
    else if (!wanted.fresh || error.code === 'CANCELLED') await this.addAgain(wanted);
    else this.finish(wanted, ({ reject }) => reject(error));
  }

  private finish(wanted: Wanted, tell: (waiter: Waiter) => void): void {
    this.wanted.delete(wanted.id);
    for (const waiter of wanted.waiters) tell(waiter);
    wanted.waiters.clear();
  }

  private async add(wanted: Wanted): Promise<void> {
    const { queue, options } = this.parts;
    wanted.fresh = true;
    await queue.add(wanted.data.task, wanted.data, jobOptions(wanted.id, options.keepSeconds));
  }

  private async addAgain(wanted: Wanted): Promise<void> {
    await this.parts.queue.remove(wanted.id);
    await this.add(wanted);
  }

  private async revive(wanted: Wanted): Promise<void> {
    wanted.revived = true;
    const { store, options } = this.parts;
    // Many jobs are lost at a time, and have the same inputs.
    this.uploading ??= upload(store, options.shared).finally(() => {
      this.uploading = undefined;
    });
    await this.uploading;
    await this.addAgain(wanted);
  }

  private progress(id: string, data: unknown): void {
    const wanted = this.wanted.get(id);
    const progress = wanted && progressFrom(wanted.data.task, data);
    if (progress === undefined) return;
    for (const { onProgress } of wanted!.waiters) onProgress?.(progress as never);
  }

  /** Removes a job that waits, and has one stopped that runs. */
  private cancel(wanted: Wanted): void {
    const { id, turns } = wanted;
    const { queue, redis, options } = this.parts;
    this.wanted.delete(id);
    const removal = turns
      .run(async () => {
        const job = await queue.getJob(id);
        if (!job || job.finishedOn !== undefined) return;
        const removed = await queue.remove(id);
        if (removed === 0) await redis.publish(cancelChannel(options.prefix), id);
      })
      // What goes on is wasted work, but no wrong result.
      .catch(() => undefined)
      .finally(() => this.removals.delete(removal));
    this.removals.add(removal);
  }
}

const isGone = (error: unknown): boolean =>
  error instanceof NeuralCleanseError && error.code === 'BLOB_NOT_FOUND';

/** Runs jobs on this machine: fetches their inputs into the cache, runs their tasks in a pool, stores their results. */

import type { Redis } from 'ioredis';
import { type ErrorCode, NeuralCleanseError } from '../errors.ts';
import type { Pool } from '../runtime/task.ts';
import type { BlobRef } from './blob.ts';
import { type BlobCache, readCached } from './cache.ts';
import { blobsOf } from './inputs.ts';
import type { JobData } from './job.ts';
import { fromJson } from './json.ts';
import { type AllowedStores, openAllowedStore } from './open-store.ts';
import { runQueued } from './run-queued.ts';
import type { BlobStore } from './store.ts';
import { storeValue } from './stored-values.ts';
import { payloadFrom } from './tasks.ts';

export interface JobRunnerParts {
  readonly redis: Redis;
  readonly prefix: string;
  readonly allowed: AllowedStores;
  readonly cache: BlobCache;
  readonly pool: Pool;
}

/** What a damaged or emptied cache leads to. */
const ofCache: ReadonlySet<ErrorCode> = new Set(['BLOB_MISMATCH', 'BLOB_NOT_FOUND']);

/** Manifests whose contents are remembered, so that not every label reads its own again. */
const rememberedManifests = 1000;

export class JobRunner {
  private readonly parts: JobRunnerParts;
  private readonly manifests = new Map<string, BlobRef[]>();

  constructor(parts: JobRunnerParts) {
    this.parts = parts;
  }

  /**
   * @returns where the result is
   * @throws NeuralCleanseError QUEUE_JOB_INVALID, STORE_NOT_ALLOWED, STORE_INVALID, STORE_FAILED, BLOB_NOT_FOUND,
   *   BLOB_MISMATCH, CACHE_FULL, and what the task throws
   */
  async run(data: JobData, signal: AbortSignal, onProgress: (progress: unknown) => void): Promise<BlobRef> {
    const { redis, prefix, allowed, cache, pool } = this.parts;
    const { inputs, task, name, keepSeconds } = data;
    const payload = payloadFrom(task, fromJson(data.payload));
    const store = await openAllowedStore(data.store, allowed, { redis, prefix, keepSeconds });
    const request = { folder: cache.folder, inputs, task, payload };
    const attempt = (): Promise<unknown> =>
      this.withInputs(inputs, store, () => pool.run(runQueued, request, { name, signal, onProgress }));
    const result = await attempt().catch(async (error: unknown) => {
      if (!(error instanceof NeuralCleanseError && ofCache.has(error.code))) throw error;
      // A file of the cache may be damaged, and a download may have been cut off: both are cured by a new one.
      await this.forget(inputs);
      return attempt();
    });
    return storeValue(store, result);
  }

  /** Runs `work` while the cache holds the manifest and all that it names. */
  private withInputs<T>(inputs: BlobRef, store: BlobStore, work: () => Promise<T>): Promise<T> {
    const { cache } = this.parts;
    const holding = (ref: BlobRef, inner: () => Promise<T>): Promise<T> =>
      cache.with(ref, () => store.get(ref), inner);
    return holding(inputs, async () => {
      const refs = this.manifests.get(inputs.sha256) ?? (await this.readManifest(inputs));
      return refs.reduce((inner, ref) => () => holding(ref, inner), work)();
    });
  }

  private async readManifest(inputs: BlobRef): Promise<BlobRef[]> {
    const refs = blobsOf(await readCached(this.parts.cache.folder, inputs));
    const [oldest] = this.manifests.keys();
    if (oldest !== undefined && this.manifests.size >= rememberedManifests) this.manifests.delete(oldest);
    this.manifests.set(inputs.sha256, refs);
    return refs;
  }

  private async forget(inputs: BlobRef): Promise<void> {
    const { cache } = this.parts;
    for (const ref of [inputs, ...(this.manifests.get(inputs.sha256) ?? [])]) await cache.drop(ref);
  }
}

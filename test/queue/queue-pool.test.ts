import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { InversionProgress } from '../../src/detect/inversion.ts';
import type { InversionShared } from '../../src/detect/invert-task.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { packInputs } from '../../src/queue/inputs.ts';
import { queueName } from '../../src/queue/job.ts';
import { createQueuePool, type QueuePoolOptions } from '../../src/queue/queue-pool.ts';
import { QueueWorker, type QueueWorkerOptions } from '../../src/queue/worker.ts';
import { createPool } from '../../src/runtime/pool.ts';
import { defineTask, type Pool } from '../../src/runtime/task.ts';
import { describeWithRedis, RedisServer } from './redis-server.ts';
import {
  cornerInputs,
  edition,
  invert,
  poolOptions,
  prefix,
  type TestFolder,
  testFolder,
  withoutTimes,
  workerOptions,
} from './support.ts';

/** Known nowhere else. */
const unknownTask = defineTask(import.meta.url, 'unknownTask', async (_: null) => 1);

describeWithRedis('a pool over a queue', () => {
  let server: RedisServer;
  let redis: Redis;
  let folder: TestFolder;
  let queue: Queue;
  /** Each test has its own, so that none finds the results of another. */
  let seed = 0;
  let shared: InversionShared;
  const closing: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    server = await RedisServer.start();
    redis = server.client();
    folder = testFolder();
    queue = new Queue(queueName(edition), { connection: { url: server.url }, prefix });
  });
  afterAll(async () => {
    await queue.close();
    redis.disconnect();
    await server.stop();
    folder.remove();
  });
  beforeEach(async () => {
    shared = await cornerInputs({ seed: ++seed });
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
    await redis.flushall();
  });

  async function openPool(options: Partial<QueuePoolOptions> = {}): Promise<Pool<InversionShared>> {
    const pool = await createQueuePool(poolOptions(server.url, options.shared ?? shared, options));
    closing.push(() => pool.close());
    return pool;
  }

  async function startWorker(options: Partial<QueueWorkerOptions> = {}): Promise<QueueWorker> {
    const worker = await QueueWorker.start(workerOptions(server.url, folder.path, options));
    closing.push(() => worker.stop(0));
    return worker;
  }

  /** How often any job was started. */
  async function starts(): Promise<number> {
    const jobs = await queue.getJobs(['completed', 'failed', 'active', 'waiting']);
    return jobs.reduce((sum, job) => sum + job.attemptsStarted, 0);
  }

  const until = (condition: () => Promise<boolean>): Promise<void> =>
    vi.waitFor(async () => expect(await condition()).toBe(true), { timeout: 20_000, interval: 20 });

  const code = (wanted: ErrorCode) => expect.objectContaining({ code: wanted });

  it('gives the results of a local pool, bit for bit, and its progress', async () => {
    await startWorker();
    const pool = await openPool({ shared: { ...shared, previews: true } });
    const local = await createPool({ provider: 'cpu', threads: 1, shared });
    closing.push(() => local.close());
    expect(pool).toMatchObject({ provider: 'cpu', size: 1 });
    const progress: InversionProgress[] = [];
    const labels = [0, 5];
    const [there, here] = await Promise.all([
      Promise.all(labels.map((label) => invert(pool, label, { onProgress: (p) => progress.push(p) }))),
      Promise.all(labels.map((label) => invert(local, label))),
    ]);
    expect(there.map(withoutTimes)).toEqual(here.map(withoutTimes));
    expect(progress.map(({ label }) => label)).toEqual(expect.arrayContaining(labels));
    expect(progress[0]!.mask).toBeInstanceOf(Float32Array);
  });

  it('runs a job once, however often and by whomever it is submitted', async () => {
    const [one, two] = [await openPool(), await openPool()];
    const both = [invert(one, 3), invert(one, 3), invert(two, 3)];
    await startWorker();
    const [first, ...others] = await Promise.all(both);
    for (const other of others) expect(other).toEqual(first);
    expect(await invert(await openPool(), 3)).toEqual(first);
    expect(await starts()).toBe(1);
  });

  it('runs a job again whose result has expired', async () => {
    await startWorker();
    const first = await invert(await openPool(), 3);
    await redis.del(await redis.keys(`${prefix}:blob:*`));
    const again = await invert(await openPool(), 3);
    expect(withoutTimes(again)).toEqual(withoutTimes(first));
  });

  it('waits for workers that come later, and says so', async () => {
    const notices: string[] = [];
    const pool = await openPool({ onNotice: (line) => notices.push(line) });
    const found = invert(pool, 1);
    await startWorker();
    expect((await found).label).toBe(1);
    expect(notices).toEqual([expect.stringContaining('No worker is there yet')]);
  });

  it('takes a cancelled job out of the queue', async () => {
    const stop = new AbortController();
    const pool = await openPool();
    const found = invert(pool, 1, { signal: stop.signal });
    await until(async () => (await queue.getWaitingCount()) === 1);
    stop.abort();
    await expect(found).rejects.toMatchObject({ code: 'CANCELLED', message: '"label 1" was stopped.' });
    await until(async () => (await queue.getWaitingCount()) === 0);
    await expect(invert(pool, 1, { signal: stop.signal })).rejects.toEqual(code('CANCELLED'));
  });

  it('stops a running job that is cancelled, and runs it anew when it is wanted again', async () => {
    shared = await cornerInputs({ seed, steps: 100_000 });
    await startWorker();
    const pool = await openPool();
    const stop = new AbortController();
    const found = invert(pool, 1, { signal: stop.signal, onProgress: () => stop.abort() });
    await expect(found).rejects.toEqual(code('CANCELLED'));
    await until(async () => (await queue.getFailedCount()) === 1);
    expect(await queue.getActiveCount()).toBe(0);

    const again = new AbortController();
    await expect(
      invert(await openPool(), 1, { signal: again.signal, onProgress: () => again.abort() }),
    ).rejects.toEqual(code('CANCELLED'));
  });

  it('keeps a job that somebody else still wants', async () => {
    const [one, two] = [await openPool(), await openPool()];
    const stop = new AbortController();
    const dropped = invert(one, 2, { signal: stop.signal });
    const wanted = invert(two, 2);
    await until(async () => (await queue.getWaitingCount()) === 1);
    stop.abort();
    await expect(dropped).rejects.toEqual(code('CANCELLED'));
    await one.close();
    await startWorker();
    expect((await wanted).label).toBe(2);
  });

  it('cancels what is left when it closes', async () => {
    const pool = await openPool();
    const found = expect(invert(pool, 1)).rejects.toEqual(code('CANCELLED'));
    await until(async () => (await queue.getWaitingCount()) === 1);
    await pool.close();
    await found;
    expect(await queue.getWaitingCount()).toBe(0);
    await expect(invert(pool, 2)).rejects.toEqual(code('CANCELLED'));
  });

  it('submits again what the server has lost, inputs and all', async () => {
    const pool = await openPool();
    const found = invert(pool, 4);
    await until(async () => (await queue.getWaitingCount()) === 1);
    await redis.flushall();
    await startWorker();
    expect((await found).label).toBe(4);
  }, 30_000);

  it('runs no task that is not on its list', async () => {
    const pool = await openPool();
    expect(() => pool.run(unknownTask, null)).toThrow(code('INTERNAL'));
  });

  it('fails where all workers are of another version', async () => {
    await startWorker({ versions: { version: '9.9.9', onnxruntime: '4.5.6' } });
    await expect(openPool()).rejects.toMatchObject({
      code: 'QUEUE_VERSION_MISMATCH',
      message: expect.stringMatching(/run neural-cleanse 9\.9\.9 .* and this is neural-cleanse 1\.2\.3/),
    });
    await startWorker();
    expect((await invert(await openPool(), 1)).label).toBe(1);
  });

  it('fails on inputs that were changed on their way', async () => {
    const pool = await openPool();
    const { ref } = packInputs(shared);
    await redis.set(`${prefix}:blob:${ref.sha256}:0`, Buffer.alloc(ref.bytes));
    const found = invert(pool, 1);
    await startWorker();
    await expect(found).rejects.toMatchObject({
      code: 'BLOB_MISMATCH',
      message: expect.stringContaining(ref.sha256),
    });
  });

  it('fails on a result that was changed on its way', async () => {
    await startWorker();
    await invert(await openPool(), 1);
    const [job] = await queue.getJobs(['completed']);
    const key = `${prefix}:blob:${(job!.returnvalue as { sha256: string }).sha256}:0`;
    await redis.set(key, 'something else');
    await expect(invert(await openPool(), 1)).rejects.toEqual(code('BLOB_MISMATCH'));
  });

  it('fails where a worker may not read the store', async () => {
    await startWorker({ allowed: { paths: [`${folder.path}/allowed`], urls: [] } });
    const pool = await openPool({ store: `${folder.path}/store` });
    await expect(invert(pool, 1)).rejects.toEqual(code('STORE_NOT_ALLOWED'));
  });

  it('works through a folder that all share', async () => {
    await startWorker({ allowed: { paths: [folder.path], urls: [] } });
    const pool = await openPool({ store: `${folder.path}/store` });
    expect((await invert(pool, 1)).label).toBe(1);
    expect(await redis.keys(`${prefix}:blob:*`)).toEqual([]);
  });

  it.each<[string, object]>([
    ['a task that is not on the list', { task: '../../evil' }],
    ['a payload of another form', { payload: '{"label":"1; rm -rf /","seed":0}' }],
    ['a payload that is no JSON', { payload: '{' }],
    ['a field that it must not have', { module: 'file:///tmp/evil.js' }],
    ['inputs without a hash', { inputs: { sha256: '../../etc/passwd', bytes: 3 } }],
  ])('has workers refuse a job with %s', async (_, fields) => {
    const { ref } = packInputs(shared);
    const valid = {
      ...{ inputs: ref, store: 'redis', task: 'invert', payload: '{"label":1,"seed":0}' },
      ...{ name: 'label 1', returned: 0, keepSeconds: 60 },
    };
    await startWorker();
    await queue.add('invert', { ...valid, ...fields }, { jobId: 'forged' });
    await until(async () => (await queue.getFailedCount()) === 1);
    expect(JSON.parse((await queue.getJob('forged'))!.failedReason!)).toMatchObject({
      code: 'QUEUE_JOB_INVALID',
    });
  });

  it('gives up on a job that took its workers with it', async () => {
    const pool = await openPool();
    const found = invert(pool, 1, { name: 'label 1' });
    await until(async () => (await queue.getWaitingCount()) === 1);
    const [job] = await queue.getWaiting();
    await redis.hset(queue.toKey(job!.id!), 'ats', 4);
    await startWorker();
    await expect(found).rejects.toMatchObject({
      code: 'WORKER_FAILED',
      message: expect.stringContaining(
        '"label 1" was started 4 times, and each time its worker disappeared.',
      ),
    });
  });

  it('does not hold it against a job that workers returned it', async () => {
    shared = await cornerInputs({ seed, steps: 100_000 });
    const pool = await openPool();
    const stop = new AbortController();
    const found = expect(invert(pool, 1, { signal: stop.signal })).rejects.toEqual(code('CANCELLED'));
    for (let times = 1; times <= 5; times++) {
      const worker = await startWorker();
      await until(async () => (await queue.getActiveCount()) === 1);
      await worker.stop(0);
      const [job] = await queue.getWaiting();
      expect(job).toMatchObject({ attemptsStarted: times, data: { returned: times } });
    }
    stop.abort();
    await found;
  });
});

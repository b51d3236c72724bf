/**
 * What it costs to run inversions over a queue: time over the local pool, memory of Redis, network.
 *
 *   npm run bench:queue -- [--models 200] [--threads 2] [--out FILE.json]
 *
 * Starts a redis-server and workers of its own. The models are tiny, so times are those of the way and not of the work.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { version, versions } from '../src/cli/version.ts';
import { type InversionShared, invertTask } from '../src/detect/invert-task.ts';
import { packInputs } from '../src/queue/inputs.ts';
import { createQueuePool } from '../src/queue/queue-pool.ts';
import { redisStore } from '../src/queue/redis-store.ts';
import { storeValue } from '../src/queue/stored-values.ts';
import { createPool } from '../src/runtime/pool.ts';
import type { Pool } from '../src/runtime/task.ts';
import { classes, tinyImages, tinyScan } from './queue-models.ts';

const { values } = parseArgs({
  options: {
    models: { type: 'string', default: '200' },
    threads: { type: 'string', default: String(availableParallelism()) },
    out: { type: 'string' },
  },
});
const models = Number(values.models);
const threads = Number(values.threads);
const prefix = 'bench';
const folder = mkdtempSync(join(tmpdir(), 'nc-bench-'));

const port = await freePort();
const url = `redis://127.0.0.1:${port}`;
const server = spawn('redis-server', ['--port', String(port), '--save', '', '--dir', folder], {
  stdio: 'ignore',
});
const redis = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
redis.on('error', () => undefined);
await redis.ping();
const worker = spawn(
  process.execPath,
  [
    ...[...process.execArgv, 'src/cli/main.ts', 'worker', '--redis', url, '--prefix', prefix],
    ...['--provider', 'cpu', '--threads', String(threads), '--cache', join(folder, 'cache')],
  ],
  { stdio: 'ignore' },
);
while ((await redis.zcard(`${prefix}:workers`)) === 0) await setTimeout(50);

const openQueue = (shared: InversionShared): Promise<Pool<InversionShared>> =>
  createQueuePool({
    url,
    prefix,
    store: 'redis',
    edition: { version, onnxruntime: versions.onnxruntime, provider: 'cpu' },
    keepSeconds: 3600,
    shared,
    onNotice: () => undefined,
  });
const openLocal = (shared: InversionShared): Promise<Pool<InversionShared>> =>
  createPool({ provider: 'cpu', threads, shared });

/** Inverts the labels, `starts` times each. @returns milliseconds */
async function timed(pool: Pool<InversionShared>, starts: readonly number[]): Promise<number> {
  const began = performance.now();
  const runs = starts.flatMap((start) =>
    Array.from({ length: classes }, (_, label) => pool.run(invertTask, { label, start, seed: 0 })),
  );
  await Promise.all(runs);
  return performance.now() - began;
}

async function info(section: string, field: string): Promise<number> {
  return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(await redis.info(section))![1]);
}
const memory = (): Promise<number> => info('memory', 'used_memory');

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;

const figures: Record<string, number> = {};
function record(name: string, value: number): void {
  figures[name] = value;
  console.log(`${name.padEnd(68)} ${value >= 100 ? Math.round(value) : value.toFixed(2)}`);
}
const images = tinyImages();

try {
  console.log(`${cpus()[0]!.model}, ${threads} threads, Node ${process.versions.node}`);
  console.log(`Redis ${/redis_version:(\S+)/.exec(await redis.info('server'))![1]}\n`);
  await overhead();
  await waitingJobs();
  await manyModels();
  await resultSizes();
  if (values.out) writeFileSync(values.out, `${JSON.stringify(figures, undefined, 2)}\n`);
} finally {
  redis.disconnect();
  worker.kill('SIGKILL');
  server.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}

/** Both pools take turns, so that a busy moment of the machine does not meet one of them only. */
async function overhead(): Promise<void> {
  const shared = await tinyScan(0, 20, images);
  const [queue, local] = [await openQueue(shared), await openLocal(shared)];
  // Processes start and compile.
  for (const pool of [queue, local]) await timed(pool, [100, 101]);
  const rounds = Array.from({ length: 7 }, (_, round) => [2 * round, 2 * round + 1]);
  const extra: number[] = [];
  const times: number[] = [];
  const busy = { there: 0, here: 0 };
  /** Adds the processor time of all processes but those that invert. */
  const measured = async (who: 'there' | 'here', work: () => Promise<number>): Promise<number> => {
    const before = await busyMs();
    const time = await work();
    busy[who] += (await busyMs()) - before;
    return time;
  };
  for (const starts of rounds) {
    const jobs = starts.length * classes;
    const there = await measured('there', () => timed(queue, starts));
    const here = await measured('here', () => timed(local, starts));
    // Of each slot, which runs its share of the jobs one after the other.
    extra.push(((there - here) * threads) / jobs);
    times.push((here * threads) / jobs);
  }
  record('local: a job [ms]', median(times));
  record('queue: more than that [ms]', median(extra));
  const all = rounds.flat().length * classes;
  record('queue: more processor time of Redis, submitter and worker [ms]', (busy.there - busy.here) / all);
  const single: number[] = [];
  for (let start = 50; start < 70; start++) {
    const measure = async (pool: Pool<InversionShared>): Promise<number> => {
      const began = performance.now();
      await pool.run(invertTask, { label: 0, start, seed: 0 });
      return performance.now() - began;
    };
    single.push((await measure(queue)) - (await measure(local)));
  }
  record('queue: more for one job alone [ms]', median(single));
  await queue.close();
  await local.close();
}

/** Processor time of this process, of Redis, and of the worker without its processes. */
async function busyMs(): Promise<number> {
  const { user, system } = process.cpuUsage();
  const ofRedis = /used_cpu_sys:(\S+)\s+used_cpu_user:(\S+)/.exec(await redis.info('cpu'))!;
  // utime and stime, in hundredths of a second; the name of the program before them may hold anything.
  const fields = readFileSync(`/proc/${worker.pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
  const ofWorker = 10 * (Number(fields[11]) + Number(fields[12]));
  return (user + system) / 1000 + 1000 * (Number(ofRedis[1]) + Number(ofRedis[2])) + ofWorker;
}

/** Jobs that nobody takes: of an edition without workers. */
async function waitingJobs(): Promise<void> {
  const shared = await tinyScan(0, 20, images);
  const pool = await createQueuePool({
    ...{ url, prefix: 'waiting', store: 'redis', keepSeconds: 3600, shared, onNotice: () => undefined },
    edition: { version, onnxruntime: versions.onnxruntime, provider: 'cpu' },
  });
  const before = await memory();
  const count = 10_000;
  const began = performance.now();
  const stop = new AbortController();
  const runs = Array.from({ length: count }, (_, label) =>
    pool.run(invertTask, { label, start: 0, seed: 0 }, { name: `label ${label}`, signal: stop.signal }),
  );
  const key = (await waitingKey())!;
  while ((await redis.llen(key)) < count) await setTimeout(20);
  record('10,000 labels: to submit [s]', (performance.now() - began) / 1000);
  record('10,000 labels: Redis memory of each while it waits [bytes]', ((await memory()) - before) / count);
  const cancelled = performance.now();
  stop.abort();
  await Promise.allSettled(runs);
  await pool.close();
  record('10,000 labels: to cancel [s]', (performance.now() - cancelled) / 1000);
}

async function waitingKey(): Promise<string | undefined> {
  for (;;) {
    const [key] = await redis.keys('waiting:*:wait');
    if (key) return key;
    await setTimeout(10);
  }
}

/** Eight at a time, as a batch of a registry would come in. */
async function manyModels(): Promise<void> {
  const before = await memory();
  const sent = await info('stats', 'total_net_input_bytes');
  const received = await info('stats', 'total_net_output_bytes');
  const next = Array.from({ length: models }, (_, i) => 1000 + i);
  const began = performance.now();
  let labels = 0;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let seed = next.shift(); seed !== undefined; seed = next.shift()) {
        const pool = await openQueue(await tinyScan(seed, 20, images));
        await timed(pool, [0]);
        labels += classes;
        await pool.close();
      }
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  const inputs = packInputs(await tinyScan(1000, 20, images)).blobs;
  record(`${models} models x ${classes} labels: seconds`, seconds);
  record('  a label, all included [ms of one core]', (seconds * 1000 * threads) / labels);
  record(
    '  inputs of a model but the images [bytes]',
    [...inputs.values()]
      .map(({ byteLength }) => byteLength)
      .filter((size) => size < images.images.byteLength)
      .reduce((a, b) => a + b),
  );
  record('  Redis memory of a model with its labels, after [bytes]', ((await memory()) - before) / models);
  record(
    '  to Redis, of a model with its labels [bytes]',
    ((await info('stats', 'total_net_input_bytes')) - sent) / models,
  );
  record(
    '  from Redis, of a model with its labels [bytes]',
    ((await info('stats', 'total_net_output_bytes')) - received) / models,
  );
}

/** Triggers as inversions leave them: a mask that is small in most places, and a pattern that is noise. */
async function resultSizes(): Promise<void> {
  const store = redisStore(redis, 'sizes', 3600);
  const pool = await openLocal(await tinyScan(0, 110, images));
  const found = await pool.run(invertTask, { label: 0, start: 0, seed: 0 });
  await pool.close();
  for (const edge of [32, 112, 224]) {
    const noise = (length: number, scale: number): Float32Array =>
      Float32Array.from({ length }, () => scale * Math.random());
    const { bytes, sha256 } = await storeValue(store, {
      ...found,
      trigger: {
        mask: { dtype: 'float32', dims: [edge, edge], data: noise(edge * edge, 0.01) },
        pattern: { dtype: 'float32', dims: [edge, edge, 3], data: noise(3 * edge * edge, 255) },
      },
    });
    const keys = await redis.keys(`sizes:blob:${sha256}:*`);
    const sizes = await Promise.all(keys.map((key) => redis.memory('USAGE', key, 'SAMPLES', 0)));
    record(`result of a label, ${edge}x${edge}x3 [bytes]`, bytes);
    record(
      `  Redis memory of it at ${edge} [bytes]`,
      sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0),
    );
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port: free } = probe.address() as { port: number };
  probe.close();
  return free;
}

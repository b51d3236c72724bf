/** Workers as users run them: compiled, as processes of their own, that may be killed at any time. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type Job, Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { queueName } from '../../src/queue/job.ts';
import { withoutTimings } from '../../src/report/result.ts';
import { cornerImages, saveArrays, saveCornerModel } from '../cli/corner-model.ts';
import { buildProgram, type Program, type Started } from '../cli/program.ts';
import { generator } from '../support/gradient-check.ts';
import { describeWithRedis, RedisServer } from './redis-server.ts';
import { type TestFolder, testFolder } from './support.ts';

const classes = 8;
const password = 'secret';

describeWithRedis('workers', () => {
  let server: RedisServer;
  let folder: TestFolder;
  let program: Program;
  let queue: Queue;

  beforeAll(async () => {
    server = await RedisServer.start({ password, durable: true });
    folder = testFolder();
    program = await buildProgram();
    await saveCornerModel(join(folder.path, 'model.onnx'));
    const { images, labels } = cornerImages();
    saveArrays(join(folder.path, 'images'), images, labels);
    const { version, dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
    const edition = { version, onnxruntime: dependencies['onnxruntime-common'], provider: 'cpu' } as const;
    const connection = { url: server.url, maxRetriesPerRequest: null };
    queue = new Queue(queueName(edition), { connection, prefix: 'neural-cleanse' });
    queue.on('error', () => undefined);
  });
  afterAll(async () => {
    await queue.close();
    await server.stop();
    program.remove();
    folder.remove();
  });

  const started: Started[] = [];
  /** Ends with its test. */
  function start(...args: string[]): Started {
    const process = program.start(args, { cwd: folder.path });
    started.push(process);
    return process;
  }
  afterEach(async () => {
    for (const { child, finished } of started.splice(0)) {
      child.kill('SIGKILL');
      await finished;
    }
    await queue.obliterate({ force: true });
  });

  const worker = 'worker --provider cpu --threads 1 --cache cache'.split(' ');
  const startWorker = (...options: string[]): Started => start(...worker, '--redis', server.url, ...options);

  async function stop(worker: Started, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    worker.child.kill(signal);
    await worker.finished;
  }

  const scanned = 'scan model.onnx --data images --preprocess unit'.split(' ');
  const scan = (out: string, ...options: string[]): Started => start(...scanned, '--out', out, ...options);
  const queued = (out: string, ...options: string[]): Started => scan(out, '--queue', server.url, ...options);

  /** What the run folder holds: the result apart from timings, and every trigger. */
  function contents(out: string): unknown {
    const result = JSON.parse(readFileSync(join(folder.path, out, 'scan.json'), 'utf8'));
    const triggers = result.labels.flatMap(({ files }: { files: string[] }) =>
      files.map((name) => readFileSync(join(folder.path, out, name), 'base64')),
    );
    return [withoutTimings(result), triggers];
  }

  /** Which inversions were logged, in order. */
  const logged = (out: string): string[] =>
    readFileSync(join(folder.path, out, 'labels.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => JSON.parse(line))
      .map(({ label, start }) => `${label}/${start}`)
      .toSorted();

  const jobs = (): Promise<Job[]> => queue.getJobs(['completed', 'failed', 'active', 'waiting']);

  async function until(condition: () => Promise<boolean>): Promise<void> {
    while (!(await condition())) await setTimeout(10);
  }
  const running = (): Promise<void> => until(async () => (await queue.getActiveCount()) > 0);

  it('find what a local scan finds, bit for bit, however many they are', async () => {
    expect((await scan('local').finished).code).toBe(1);
    for (const count of [1, 2, 4]) {
      await queue.obliterate({ force: true });
      const workers = Array.from({ length: count }, () => startWorker());
      const { code, stdout } = await queued(`by-${count}`).finished;
      await Promise.all(workers.map((worker) => stop(worker)));
      expect(code).toBe(1);
      expect(stdout).toContain('Verdict: backdoored');
      expect(contents(`by-${count}`)).toEqual(contents('local'));
      expect(await jobs()).toHaveLength(logged(`by-${count}`).length);
    }
    // What is finished needs no worker.
    const { code, stderr } = await queued('again').finished;
    expect(code).toBe(1);
    expect(contents('again')).toEqual(contents('local'));

    const files = spawnSync('grep', ['-rl', password, folder.path], { encoding: 'utf8' });
    expect(files.stdout).toBe('');
    expect(stderr).not.toContain(password);
    expect(readFileSync(join(folder.path, 'again/scan.json'), 'utf8')).toContain('redis://***@127.0.0.1');
  }, 300_000);

  const kills = 20;
  const starts = 6;

  it(`may be killed ${kills} times, and Redis once`, async () => {
    const options = ['--steps', '300', '--starts', String(starts)];
    expect((await scan('whole', ...options).finished).code).toBe(1);

    const random = generator(4);
    const workers = Array.from({ length: 3 }, () => startWorker());
    const scanning = queued('killed', ...options);
    await running();
    for (let kill = 0; kill < kills; kill++) {
      await setTimeout(600 * random());
      const i = Math.floor(random() * workers.length);
      await stop(workers[i]!, 'SIGKILL');
      workers[i] = startWorker();
      if (kill === kills / 2) await server.restart();
    }
    expect(scanning.child.exitCode).toBeNull();
    expect((await scanning.finished).code).toBe(1);
    await Promise.all(workers.map((worker) => stop(worker)));

    expect(contents('killed')).toEqual(contents('whole'));
    const all = Array.from(
      { length: classes * starts },
      (_, i) => `${i % classes}/${Math.floor(i / classes)}`,
    );
    expect(logged('killed')).toEqual(all.toSorted());
    const done = await jobs();
    expect(done).toHaveLength(all.length);
    expect(done.filter(({ returnvalue }) => returnvalue === null)).toEqual([]);
    const extra = done.reduce((sum, { attemptsStarted }) => sum + attemptsStarted - 1, 0);
    // Each killed worker had one job, and the restarted server at most three.
    expect(extra).toBeLessThanOrEqual(kills + 3);
    expect(extra).toBeGreaterThan(0);
  }, 300_000);

  it('survive a job that ends their processes, which is tried three times more and reported', async () => {
    const worker = startWorker();
    const scanning = queued('poisoned', '--steps', '3000', '--labels', '1-6');
    const poisoned = 2;
    const isPoisoned = async (): Promise<boolean> =>
      (await queue.getActive())[0]?.data.name === `label ${poisoned}`;
    while ((await queue.getFailedCount()) === 0) {
      // A process that has not taken the job yet is killed in vain, so once for each start would not do.
      if (await isPoisoned()) spawnSync('pkill', ['-KILL', '-P', String(worker.child.pid)]);
      await setTimeout(100);
    }
    expect((await scanning.finished).code).toBe(1);
    const result = JSON.parse(readFileSync(join(folder.path, 'poisoned/scan.json'), 'utf8'));
    expect(result.labels.map(({ label }: { label: number }) => label).toSorted()).toEqual([1, 3, 4, 5, 6]);
    expect(result.failed).toMatchObject([{ label: poisoned, code: 'WORKER_FAILED' }]);
    const [failed] = await queue.getFailed();
    expect(failed).toMatchObject({ attemptsStarted: 4, data: { name: `label ${poisoned}` } });
  }, 300_000);

  it('finish their jobs when they are told to stop, or return them', async () => {
    const options = ['--steps', '1500', '--labels', '0-5'];
    expect((await scan('calm', ...options).finished).code).toBe(1);
    const scanning = queued('stopped', ...options);
    for (const grace of ['0', '20']) {
      const worker = startWorker('--grace', grace);
      await running();
      await stop(worker);
      expect((await worker.finished).code).toBe(0);
      expect(await queue.getActiveCount()).toBe(0);
    }
    const returned = (await jobs()).map(({ data }) => data.returned as number);
    expect(returned.reduce((a, b) => a + b)).toBe(1);
    startWorker();
    await scanning.finished;
    expect(contents('stopped')).toEqual(contents('calm'));
  }, 300_000);

  it('stop when their disk is full, and return the job to others', async () => {
    const scanning = queued('full', '--labels', '2-7');
    // No file may be larger than four kilobytes, which the images are.
    const limited = spawn(
      'bash',
      [
        ...['-c', `trap '' XFSZ; ulimit -f 4; exec "$0" "$@"`, process.execPath],
        ...[new URL('../cli/main.js', program.module('cli/main.js')).pathname, 'worker'],
        ...['--redis', server.url, '--provider', 'cpu', '--cache', 'small-cache'],
      ],
      { cwd: folder.path, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let stderr = '';
    limited.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const [code] = await once(limited, 'close');
    expect(code).toBe(2);
    expect(stderr).toMatch(/error CACHE_FULL: The cache folder "small-cache" has no room/);
    startWorker();
    expect((await scanning.finished).code).toBe(1);
  }, 300_000);

  it.each([
    ['a wrong password', `redis://:wrong@127.0.0.1`, 'QUEUE_REFUSED'],
    ['a wrong host', 'redis://:wrong@127.0.0.1:1', 'QUEUE_UNREACHABLE'],
    ['no address', 'http://:wrong@127.0.0.1', 'QUEUE_URL_INVALID'],
  ])('and scans end at once with %s', async (_, address, wanted) => {
    const url = wanted === 'QUEUE_REFUSED' ? `${address}:${server.port}` : address;
    for (const { finished } of [start('worker', '--redis', url), scan(wanted, '--queue', url)]) {
      const { code, stderr } = await finished;
      expect(code).toBeGreaterThanOrEqual(2);
      expect(stderr).toMatch(new RegExp(`^error ${wanted}: `));
      expect(stderr).not.toContain('wrong@');
    }
  });
});

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it, vi } from 'vitest';
import { NeuralCleanseError } from '../../src/errors.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { createInlinePool } from '../../src/runtime/inline-pool.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { createPool, type ProcessPool } from '../../src/runtime/pool.ts';
import type { Pool } from '../../src/runtime/task.ts';
import * as tasks from './tasks.ts';

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const kinds = {
  processes: <S>(options: { provider?: 'cpu' | 'wasm'; shared?: S }) =>
    createPool({ ...options, threads: 1 }),
  inline: <S>(options: { provider?: 'cpu' | 'wasm'; shared?: S }) => createInlinePool(nodeRuntime, options),
};

describe.each(Object.entries(kinds))('a pool (%s)', (_, create) => {
  let pool: Pool<number>;
  beforeAll(async () => {
    pool = await create({ provider: 'wasm', shared: 10 });
  });
  afterAll(() => pool.close());

  it('runs sessions of a task on its provider', async () => {
    const result = await pool.run(tasks.square, float32([3], [1, -2, 3]));
    expectTypeOf(result).toEqualTypeOf<tasks.Square>();
    expect(result.provider).toBe('wasm');
    expect(result.y).toEqual(float32([3], [1, 4, 9]));
  });

  it('gives each task what all share', async () => {
    expect(await Promise.all([2, 3].map((factor) => pool.run(tasks.scale, factor)))).toEqual([20, 30]);
  });

  it('passes progress on and stops a running task on request', async () => {
    const controller = new AbortController();
    const steps: number[] = [];
    const run = pool.run(tasks.countUntilCancelled, undefined, {
      name: 'label 7',
      signal: controller.signal,
      onProgress(step) {
        expectTypeOf(step).toEqualTypeOf<number>();
        steps.push(step);
        if (step === 5) controller.abort();
      },
    });
    await expect(run).rejects.toMatchObject({ code: 'CANCELLED', message: '"label 7" was stopped.' });
    expect(steps.slice(0, 6)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('stops a task that does nothing but run sessions', async () => {
    const controller = new AbortController();
    const run = pool.run(tasks.runForever, undefined, {
      signal: controller.signal,
      onProgress: () => setTimeout(() => controller.abort(), 20),
    });
    await expect(run).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('drops queued tasks at once', async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const running = pool.run(tasks.countUntilCancelled, undefined, { signal: first.signal });
    const queued = pool.run(tasks.pid, undefined, { name: 'queued', signal: second.signal });
    second.abort();
    await expect(queued).rejects.toMatchObject({ code: 'CANCELLED', data: { task: 'queued' } });
    first.abort();
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(pool.run(tasks.pid, undefined, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'CANCELLED',
    });
    expect(await pool.run(tasks.pid, undefined)).toBeGreaterThan(0);
  });

  it('keeps errors whole', async () => {
    const known = await pool.run(tasks.failKnown, undefined).catch((e: unknown) => e);
    expect(known).toBeInstanceOf(NeuralCleanseError);
    expect(known).toMatchObject({
      code: 'SHAPE_MISMATCH',
      message: 'Shapes differ. [Add node "add_1"] Reshape one.',
      hint: 'Reshape one.',
      node: 'add_1',
      op: 'Add',
      data: { left: [1, 2], right: [3] },
      cause: { name: 'RangeError', message: 'inner' },
    });
    expect((known as Error).stack).toContain('tasks.ts');
    await expect(pool.run(tasks.failUnknown, undefined)).rejects.toMatchObject({
      name: 'TypeError',
      message: 'not a function',
    });
    expect(await pool.run(tasks.pid, undefined)).toBeGreaterThan(0);
  });

  it('cancels what is queued or running when it is closed', async () => {
    const closed = await create({ provider: 'cpu' });
    const runs = [closed.run(tasks.countUntilCancelled, undefined), closed.run(tasks.pid, undefined)];
    const outcomes = Promise.allSettled(runs);
    await closed.close();
    await closed.close();
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: { code: 'CANCELLED' } });
    await expect(closed.run(tasks.pid, undefined)).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

describe('a pool of processes', () => {
  let pool: ProcessPool;
  beforeAll(async () => {
    pool = await createPool({ provider: 'cpu', threads: 2, graceMs: 50 });
  });
  afterAll(() => pool.close());

  it('uses as many workers as it has tasks for, up to its size', async () => {
    expect(pool.size).toBe(2);
    const results = await Promise.all(
      Array.from({ length: 6 }, () => pool.run(tasks.square, float32([1], [2]))),
    );
    const distinct = new Set(results.map((r) => r.pid));
    expect(distinct.size).toBe(2);
    expect(distinct).not.toContain(process.pid);
  });

  it('gives one worker all threads where there is but one task', async () => {
    const single = await createPool({ provider: 'cpu', threads: 8, tasks: 1 });
    expect(single.size).toBe(1);
    await single.close();
  });

  it('runs many tasks under one signal without a warning', async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error): void => void warnings.push(warning);
    process.on('warning', listen);
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 40 }, () => pool.run(tasks.pid, undefined, { signal })));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listen);
    expect(warnings).toEqual([]);
  });

  it.each([
    [tasks.exit, 'exit code 7'],
    [tasks.abort, 'signal SIGABRT'],
  ])('names the task whose process ended, and goes on with another (%#)', async (task, reason) => {
    const crash = pool.run(task, 7, { name: 'label 3' });
    const others = Array.from({ length: 4 }, () => pool.run(tasks.pid, undefined));
    await expect(crash).rejects.toMatchObject({
      code: 'WORKER_FAILED',
      message: expect.stringContaining(`"label 3" stopped unexpectedly (${reason})`),
      data: { task: 'label 3', reason },
    });
    expect((await Promise.all(others)).every(isRunning)).toBe(true);
  });

  it('reports what cannot leave the process', async () => {
    await expect(pool.run(tasks.returnFunction, undefined)).rejects.toThrow('could not be cloned');
    await expect(pool.run(tasks.returnFunction, (() => 1) as never)).rejects.toThrow('could not be cloned');
    await expect(pool.run({ ...tasks.pid, name: 'nowhere' }, undefined)).rejects.toMatchObject({
      code: 'INTERNAL',
      message: expect.stringContaining('exports no task "nowhere"'),
    });
    expect(await pool.run(tasks.pid, undefined)).toBeGreaterThan(0);
  });

  it('kills a cancelled task that does not stop by itself', async () => {
    const controller = new AbortController();
    const stuck = pool.run(tasks.spin, undefined, {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(stuck).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await pool.run(tasks.pid, undefined)).toBeGreaterThan(0);
  });

  it('leaves interrupts from the terminal to the program', async () => {
    const single = await createPool({ provider: 'cpu', threads: 1 });
    const pid = await single.run(tasks.pid, undefined);
    process.kill(pid, 'SIGINT');
    expect(await single.run(tasks.pid, undefined)).toBe(pid);
    await single.close();
  });

  it('leaves no process behind', async () => {
    const closed = await createPool({ provider: 'cpu', threads: 1 });
    const pid = await closed.run(tasks.pid, undefined);
    expect(isRunning(pid)).toBe(true);
    await closed.close();
    expect(isRunning(pid)).toBe(false);
  });

  it.each(['idle', 'busy'])(
    'lets a program end with its own exit code while workers are %s',
    async (state) => {
      const script = fileURLToPath(new URL('./unclosed-pool.ts', import.meta.url));
      const args = [...process.execArgv, script, state];
      const ended = await promisify(execFile)(process.execPath, args).catch((failure: unknown) => failure);
      expect(ended).toMatchObject({ code: 3, stderr: '' });
      const pid = Number((ended as { stdout: string }).stdout);
      await vi.waitUntil(() => !isRunning(pid), { timeout: 10_000 });
    },
  );
});

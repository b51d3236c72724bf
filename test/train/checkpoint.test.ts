import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { writeModel } from '../../src/onnx/write.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import type { CheckpointStore } from '../../src/train/checkpoint.ts';
import type { TrainingSettings } from '../../src/train/settings.ts';
import { type TrainingHooks, train } from '../../src/train/train.ts';
import { trainingSet } from '../../src/train/training-set.ts';
import { generator } from '../support/gradient-check.ts';
import { kerasLike, settings } from './models.ts';
import { stripes } from './parity-cases.ts';

const data = trainingSet(stripes(88, 8, 3, 4));
const run = (
  hooks: TrainingHooks,
  changes: Partial<TrainingSettings> = {},
  set = data,
  model = kerasLike(),
) => train(nodeRuntime, model, set, { ...settings, epochs: 3, ...changes }, hooks);

interface MemoryStore extends CheckpointStore {
  bytes: Uint8Array | undefined;
}

function memoryStore(): MemoryStore {
  return {
    bytes: undefined,
    load() {
      return Promise.resolve(this.bytes);
    },
    save(bytes) {
      this.bytes = bytes;
      return Promise.resolve();
    },
  };
}

/** Stops a run by an abort after some mini-batches of an epoch. */
async function stopped(checkpoint: CheckpointStore, epoch: number, step: number): Promise<void> {
  const controller = new AbortController();
  const hooks: TrainingHooks = {
    checkpoint,
    checkpointSteps: 2,
    signal: controller.signal,
    progress: (p) => p.epoch === epoch && p.step === step && controller.abort(),
  };
  await expect(run(hooks)).rejects.toMatchObject({ code: 'CANCELLED' });
}

describe('a run that goes on', () => {
  it('ends as if it had never stopped, wherever it stopped', async () => {
    const whole = await run({});
    for (const [epoch, step] of [
      [1, 1],
      [1, 3],
      [2, 1],
      [3, 5],
    ] as const) {
      const checkpoint = memoryStore();
      await stopped(checkpoint, epoch, step);
      const rest = await run({ checkpoint });
      expect(rest.history).toEqual(whole.history);
      expect(writeModel(rest.model)).toEqual(writeModel(whole.model));
    }
  });

  it('has nothing to do once it is finished', async () => {
    const checkpoint = memoryStore();
    const whole = await run({ checkpoint });
    let steps = 0;
    const again = await run({ checkpoint, progress: () => steps++ });
    expect(steps).toBe(0);
    expect(writeModel(again.model)).toEqual(writeModel(whole.model));
  });
});

describe('a checkpoint is refused', () => {
  const checkpoint = memoryStore();
  const others: readonly [string, () => Promise<unknown>][] = [
    ['settings', () => run({ checkpoint }, { seed: 8 })],
    [
      'data',
      () => run({ checkpoint }, {}, { ...data, label: (i, epoch) => (i === 87 ? 0 : data.label(i, epoch)) }),
    ],
    ['model', () => run({ checkpoint }, {}, data, { ...kerasLike(), producer: 'another' })],
  ];
  it.each(others)('of a run with other %s', async (field, attempt) => {
    if (!checkpoint.bytes) await run({ checkpoint });
    await expect(attempt()).rejects.toMatchObject({ code: 'CHECKPOINT_MISMATCH', data: { field } });
  });

  it.each([
    ['garbage', Uint8Array.of(1, 2, 3)],
    ['a model', writeModel(kerasLike())],
  ])('if it is %s', async (_, bytes) => {
    await expect(run({ checkpoint: { ...memoryStore(), bytes } as MemoryStore })).rejects.toMatchObject({
      code: 'CHECKPOINT_INVALID',
    });
  });
});

describe('kill -9', () => {
  const root = mkdtempSync(join(tmpdir(), 'nc-train-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const script = fileURLToPath(new URL('killable.ts', import.meta.url));
  const start = (folder: string) => fork(script, [folder], { execArgv: process.execArgv, stdio: 'inherit' });
  const modelOf = (folder: string): string => readFileSync(join(folder, 'model.onnx'), 'base64');
  const changedAt = (folder: string): number =>
    statSync(join(folder, 'checkpoint'), { throwIfNoEntry: false })?.mtimeMs ?? 0;

  it('at any moment does not change the model', async () => {
    const [whole, killed] = [join(root, 'whole'), join(root, 'killed')];
    for (const folder of [whole, killed]) mkdirSync(folder);
    expect((await once(start(whole), 'exit'))[0]).toBe(0);

    const random = generator(4);
    for (let kill = 0; kill < 4; kill++) {
      const child = start(killed);
      const exited = once(child, 'exit');
      const before = changedAt(killed);
      // Somewhere behind the next checkpoint
      while (child.exitCode === null && changedAt(killed) === before) await setTimeout(2);
      await setTimeout(20 * random());
      child.kill('SIGKILL');
      await exited;
      expect(existsSync(join(killed, 'model.onnx'))).toBe(false);
    }
    expect((await once(start(killed), 'exit'))[0]).toBe(0);
    expect(modelOf(killed)).toBe(modelOf(whole));
  }, 120_000);
});

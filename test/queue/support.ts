/** A scan that is small enough to be queued many times. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { preprocessPresets } from '../../src/data/preprocess.ts';
import type { Inversion, InversionProgress } from '../../src/detect/inversion.ts';
import { type InversionShared, invertTask } from '../../src/detect/invert-task.ts';
import { type InversionSettings, presets } from '../../src/detect/presets.ts';
import { prepareClassifier } from '../../src/model/classifier.ts';
import type { Edition } from '../../src/queue/job.ts';
import type { QueuePoolOptions } from '../../src/queue/queue-pool.ts';
import type { QueueWorkerOptions } from '../../src/queue/worker.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import type { Pool, TaskOptions } from '../../src/runtime/task.ts';
import { cornerImageSet, cornerModel } from '../cli/corner-model.ts';

export const prefix = 'test';

export const edition: Edition = { version: '1.2.3', onnxruntime: '4.5.6', provider: 'cpu' };

/** The preset `fast` with so many steps. */
export const settingsOf = (steps: number): InversionSettings => ({
  ...presets.fast,
  schedule: { ...presets.fast.schedule, steps },
  probes: { count: 1, steps: 0 },
});

/** Inputs of inversions that take some hundredths of a second for 20 steps. */
export async function cornerInputs({ steps = 20, seed = 0 } = {}): Promise<InversionShared> {
  return {
    classifier: await prepareClassifier(nodeRuntime, cornerModel()),
    images: cornerImageSet(),
    preprocess: preprocessPresets.unit,
    settings: settingsOf(steps),
    seed,
  };
}

export const poolOptions = (
  url: string,
  shared: InversionShared,
  options: Partial<QueuePoolOptions> = {},
): QueuePoolOptions => ({
  url,
  prefix,
  store: 'redis',
  edition,
  keepSeconds: 600,
  shared,
  onNotice: () => undefined,
  ...options,
});

export const workerOptions = (
  url: string,
  cache: string,
  options: Partial<QueueWorkerOptions> = {},
): QueueWorkerOptions => ({
  url,
  prefix,
  versions: edition,
  provider: 'cpu',
  threads: 1,
  cache,
  cacheBytes: 2 ** 30,
  allowed: { paths: [], urls: [] },
  onNotice: () => undefined,
  ...options,
});

export const invert = (
  pool: Pool<InversionShared>,
  label: number,
  options: TaskOptions<InversionProgress> = {},
): Promise<Inversion> =>
  pool.run(invertTask, { label, start: 0, seed: 0 }, { name: `label ${label}`, ...options });

/** What must not depend on where an inversion ran. */
export const withoutTimes = ({ seconds: _seconds, runtimeMs: _runtimeMs, ...rest }: Inversion) => rest;

export interface TestFolder {
  readonly path: string;
  remove(): void;
}

export function testFolder(): TestFolder {
  const path = mkdtempSync(join(tmpdir(), 'nc-queue-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Any queued task, as a task of the worker's own pool: its inputs are read from the cache by the process that runs it. */

import type { InversionShared } from '../detect/invert-task.ts';
import { Kept, type Releasable } from '../runtime/kept.ts';
import { defineTask, type TaskContext } from '../runtime/task.ts';
import type { BlobRef } from './blob.ts';
import { readCached } from './cache.ts';
import { unpackInputs } from './inputs.ts';
import { taskNamed } from './tasks.ts';

export interface QueuedRun {
  /** Of the cache, which holds all blobs of the inputs. */
  readonly folder: string;
  readonly inputs: BlobRef;
  readonly task: string;
  /** Checked. */
  readonly payload: unknown;
}

/** Models that stay open in one process: jobs of two scans often alternate. */
const openModels = 2;

interface Opened {
  readonly shared: InversionShared;
  readonly kept: Kept;
}

/** The inputs of the last jobs, with what their tasks keep open. */
class RecentInputs implements Releasable {
  private readonly opened = new Map<string, Opened>();

  async open(ref: BlobRef, folder: string): Promise<Opened> {
    const known = this.opened.get(ref.sha256);
    this.opened.delete(ref.sha256);
    const opened = known ?? {
      shared: await unpackInputs(ref, (blob) => readCached(folder, blob)),
      kept: new Kept(),
    };
    this.opened.set(ref.sha256, opened);
    const [oldest] = this.opened;
    if (oldest && this.opened.size > openModels) {
      this.opened.delete(oldest[0]);
      await oldest[1].kept.release();
    }
    return opened;
  }

  async release(): Promise<void> {
    for (const { kept } of this.opened.values()) await kept.release();
    this.opened.clear();
  }
}

export const runQueued = defineTask(
  import.meta.url,
  'runQueued',
  async (request: QueuedRun, context: TaskContext<unknown>): Promise<unknown> => {
    const { task } = taskNamed(request.task);
    const recent = await context.keep(async () => new RecentInputs());
    const { shared, kept } = await recent.open(request.inputs, request.folder);
    return task.run(request.payload, {
      ...context,
      report: context.report as (progress: never) => void,
      shared,
      keep: (open) => kept.get(task, open),
    });
  },
);

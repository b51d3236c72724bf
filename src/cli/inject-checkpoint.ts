/** The folder in which an unfinished injection keeps its state. */

import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFiles, wholeFile } from '../data/replace-files.ts';
import { acquireLock, type RunLock } from '../data/run-lock.ts';
import { chooseAnother, writing } from '../data/run-writing.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { CheckpointStore } from '../train/train.ts';
import { exists } from './inject-output.ts';

export interface CheckpointOptions {
  /** Go on with the state that is there. */
  readonly resume: boolean;
  /** Forget the state that is there. */
  readonly force: boolean;
}

const [stateName, lockName] = ['state.bin', '.lock'];

export class CheckpointFolder implements CheckpointStore {
  private readonly path: string;
  private readonly lock: RunLock;

  private constructor(path: string, lock: RunLock) {
    this.path = path;
    this.lock = lock;
  }

  /** Whether a folder holds the state of an injection. */
  static holdsState(path: string): Promise<boolean> {
    return exists(join(path, stateName));
  }

  /**
   * Opens the folder, which is made if there is none, and keeps other processes out of it.
   *
   * @throws NeuralCleanseError RUN_EXISTS, RUN_BUSY, RUN_NOT_WRITTEN
   */
  static async open(path: string, { resume, force }: CheckpointOptions): Promise<CheckpointFolder> {
    const lock = await writing(path, chooseAnother, async () => {
      await mkdir(path, { recursive: true });
      return acquireLock(join(path, lockName));
    });
    try {
      if (!resume && (await CheckpointFolder.holdsState(path))) {
        if (!force) throw unfinished(path);
        await rm(join(path, stateName), { force: true });
      }
      return new CheckpointFolder(path, lock);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  load(): Promise<Uint8Array | undefined> {
    return readIfPresent(join(this.path, stateName));
  }

  /** @throws NeuralCleanseError RUN_NOT_WRITTEN */
  save(bytes: Uint8Array): Promise<void> {
    const path = join(this.path, stateName);
    return writing(path, 'Make room or make the folder writable, and run again with --resume.', () =>
      replaceFiles([wholeFile(path, bytes)]),
    );
  }

  /** Deletes the state, and what killed processes left behind: the injection is finished. */
  async clear(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }

  /** Lets other processes in. A folder without a state is removed. */
  async close(): Promise<void> {
    if (!(await CheckpointFolder.holdsState(this.path))) await this.clear();
    await this.lock.release();
  }
}

async function readIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

const unfinished = (path: string): NeuralCleanseError =>
  new NeuralCleanseError('RUN_EXISTS', `${path} holds an injection that was not finished.`, {
    hint: 'Go on with it by --resume, or begin anew by --force.',
    data: { path },
  });

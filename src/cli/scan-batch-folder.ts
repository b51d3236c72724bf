/** The folder of a batch: its results, and a run folder for each model. */

import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFiles, wholeFile } from '../data/replace-files.ts';
import { lockName } from '../data/run-folder.ts';
import { acquireLock, type RunLock } from '../data/run-lock.ts';
import { headerDifference } from '../data/run-log.ts';
import { chooseAnother, resumeLater, writing } from '../data/run-writing.ts';
import { NeuralCleanseError } from '../errors.ts';
import { type BatchConfig, type BatchResult, batchFiles, batchResult } from '../report/batch-result.ts';

export interface OpenBatchOptions {
  /** Whether to go on with a batch that the folder may hold. */
  readonly resume: boolean;
  /** Equal for all runs in the folder. */
  readonly config: BatchConfig;
}

export class BatchFolder {
  readonly path: string;
  /** Whether it held no batch. */
  readonly isNew: boolean;
  private readonly lock: RunLock;

  private constructor(path: string, isNew: boolean, lock: RunLock) {
    this.path = path;
    this.isNew = isNew;
    this.lock = lock;
  }

  /**
   * Opens a folder, which is made if there is none, and keeps other batches out of it until {@link close}.
   *
   * @throws NeuralCleanseError RUN_EXISTS, RUN_MISMATCH, RUN_CORRUPT, RUN_BUSY, RUN_NOT_WRITTEN
   */
  static async open(path: string, { resume, config }: OpenBatchOptions): Promise<BatchFolder> {
    const lock = await writing(path, chooseAnother, async () => {
      await mkdir(path, { recursive: true });
      return acquireLock(join(path, lockName));
    });
    try {
      const names = await writing(path, chooseAnother, () => readdir(path));
      const isNew = names.every((name) => name.startsWith('.'));
      if (!isNew) {
        if (!names.includes(batchFiles.json)) throw exists(path, 'other files, and no batch', newFolder);
        if (!resume) throw exists(path, 'a batch', goOn);
        checkConfig(path, await readBatch(join(path, batchFiles.json)), config);
      }
      return new BatchFolder(path, isNew, lock);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Writes results, all or none of them. @throws NeuralCleanseError RUN_NOT_WRITTEN */
  async write(files: Readonly<Record<string, string>>): Promise<void> {
    const contents = Object.entries(files).map(([name, text]) => wholeFile(join(this.path, name), text));
    await writing(this.path, resumeLater, () => replaceFiles(contents));
  }

  close(): Promise<void> {
    return this.lock.release();
  }
}

const goOn = 'Go on with it by adding --resume, or choose another folder with --out.';
const newFolder = 'Choose a new folder with --out, so that nothing in it is replaced.';

const exists = (path: string, what: string, hint: string): NeuralCleanseError =>
  new NeuralCleanseError('RUN_EXISTS', `The folder ${path} holds ${what}.`, { hint, data: { path } });

async function readBatch(path: string): Promise<BatchResult> {
  try {
    return batchResult.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    throw new NeuralCleanseError('RUN_CORRUPT', `${path} is not the result of a batch.`, {
      hint: 'Choose another folder with --out.',
      data: { path },
      cause,
    });
  }
}

function checkConfig(path: string, { config: before }: BatchResult, config: BatchConfig): void {
  const difference = headerDifference(before, config);
  if (!difference) return;
  const { field, values } = difference;
  throw new NeuralCleanseError(
    'RUN_MISMATCH',
    `The batch in ${path} cannot be resumed: its ${field} is ${values[0]}, and now it is ${values[1]}.`,
    {
      hint: 'Give the options of that batch, or choose another folder with --out.',
      data: { path, field },
    },
  );
}

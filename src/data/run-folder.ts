/**
 * The folder of a run: its log, the triggers found so far, and in the end its results.
 *
 * Every file but the log is replaced in one step, and an inversion is logged once its trigger is in place. So a run that
 * was stopped at any moment, and by whatever cause, goes on from its log.
 */

import { constants, mkdir, open, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { NeuralCleanseError } from '../errors.ts';
import { replaceFiles, wholeFile } from './replace-files.ts';
import { acquireLock, type RunLock } from './run-lock.ts';
import { headerDifference, logName, parseRunLog, type RunHeader, type RunLog } from './run-log.ts';
import { RunLogWriter } from './run-log-writer.ts';
import { chooseAnother, resumeLater, writing } from './run-writing.ts';
import { type TriggerArrays, type TriggerImages, type TriggerKey, writeTrigger } from './trigger-files.ts';

/** Names the process that works in the folder: see {@link acquireLock}. */
export const lockName = '.lock';

/** What {@link replaceFiles} and {@link acquireLock} leave behind if they are killed. */
const leftover = /^\..*\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.tmp)?$/;

export interface OpenRunOptions<Entry> {
  /** Whether to go on with a run that the folder may hold. */
  readonly resume: boolean;
  /** Throws at a value that is no entry of the log. */
  readonly parseEntry: (value: unknown) => Entry;
}

export class RunFolder<Entry> {
  readonly path: string;
  /** What the log held when the folder was opened. */
  readonly entries: readonly Entry[];
  /** Names of the files that were in it then. */
  readonly files: ReadonlySet<string>;
  private readonly earlier: RunLog<Entry>;
  private readonly lock: RunLock;
  /** Whether {@link open} made the folder. */
  private readonly created: boolean;
  private log: RunLogWriter | undefined;

  private constructor(
    path: string,
    names: readonly string[],
    earlier: RunLog<Entry>,
    lock: RunLock,
    created: boolean,
  ) {
    this.path = path;
    this.files = new Set(names);
    this.entries = earlier.entries;
    this.earlier = earlier;
    this.lock = lock;
    this.created = created;
  }

  /**
   * Opens a folder, which is made if there is none, and keeps other processes out of it until {@link close}.
   *
   * @throws NeuralCleanseError RUN_EXISTS, RUN_CORRUPT, RUN_BUSY, RUN_NOT_WRITTEN
   */
  static async open<Entry>(path: string, options: OpenRunOptions<Entry>): Promise<RunFolder<Entry>> {
    const lockPath = join(path, lockName);
    const [created, lock] = await writing(path, chooseAnother, async () => {
      const made = await mkdir(path, { recursive: true });
      return [made !== undefined, await acquireLock(lockPath)];
    });
    try {
      return await writing(path, chooseAnother, async () => {
        const names = await readdir(path);
        const stored = await readRunLog(path, options.parseEntry);
        refuse(path, stored, names, options.resume);
        await removeLeftovers(path, names);
        const earlier = stored ?? { header: undefined, entries: [], end: 0 };
        return new RunFolder(path, names, earlier, lock, created);
      });
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /**
   * Begins the run, or goes on with it: to be called once, before anything is written.
   *
   * @throws NeuralCleanseError RUN_MISMATCH, RUN_NOT_WRITTEN
   */
  async begin(header: RunHeader): Promise<void> {
    const { header: before, entries, end } = this.earlier;
    // Without entries there is nothing to lose.
    const goesOn = before !== undefined && entries.length > 0;
    if (goesOn) checkHeader(this.path, before, header);
    const path = join(this.path, logName);
    this.log = await writing(path, chooseAnother, async () => {
      const file = await open(path, constants.O_RDWR | constants.O_CREAT);
      await file.truncate(goesOn ? end : 0);
      return new RunLogWriter(file, path, goesOn ? end : 0);
    });
    if (!goesOn) await this.log.append(header);
  }

  /**
   * Saves a trigger in place of an older one of the same label and source.
   *
   * @returns the names of the files
   * @throws NeuralCleanseError RUN_NOT_WRITTEN
   */
  saveTrigger(key: TriggerKey, images: TriggerImages, arrays: TriggerArrays): Promise<string[]> {
    return writing(this.path, resumeLater, () => writeTrigger(this.path, key, images, arrays));
  }

  /** Logs a finished inversion. @throws NeuralCleanseError RUN_NOT_WRITTEN */
  async append(entry: Entry): Promise<void> {
    await this.log!.append(entry);
  }

  /** Writes results, all or none of them. @throws NeuralCleanseError RUN_NOT_WRITTEN */
  async write(files: Readonly<Record<string, string>>): Promise<void> {
    const contents = Object.entries(files).map(([name, text]) => wholeFile(join(this.path, name), text));
    await writing(this.path, resumeLater, () => replaceFiles(contents));
  }

  /** Lets other processes in. A folder made for a run that never began is removed. */
  async close(): Promise<void> {
    await this.log?.close();
    await this.lock.release();
    // Fails if there is something in it.
    if (this.created && !this.log) await rmdir(this.path).catch(() => undefined);
  }
}

/**
 * The log in a folder, which another process may be writing; `undefined` if there is none.
 *
 * @throws NeuralCleanseError RUN_CORRUPT; and what the file system throws
 */
export async function readRunLog<Entry>(
  folder: string,
  parseEntry: (value: unknown) => Entry,
): Promise<RunLog<Entry> | undefined> {
  const path = join(folder, logName);
  try {
    return parseRunLog(await readFile(path), path, parseEntry);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

const removeLeftovers = (folder: string, names: readonly string[]): Promise<unknown> =>
  Promise.all(
    names.filter((name) => leftover.test(name)).map((name) => rm(join(folder, name), { force: true })),
  );

function refuse(
  path: string,
  log: RunLog<unknown> | undefined,
  names: readonly string[],
  resume: boolean,
): void {
  if (log === undefined && names.some((name) => !name.startsWith('.'))) {
    throw new NeuralCleanseError('RUN_EXISTS', `The folder ${path} holds other files, and no run.`, {
      hint: 'Choose a new folder with --out, so that nothing in it is replaced.',
      data: { path },
    });
  }
  const finished = log?.entries.length ?? 0;
  if (resume || finished === 0) return;
  throw new NeuralCleanseError(
    'RUN_EXISTS',
    `The folder ${path} holds a run with ${finished} finished ${finished === 1 ? 'inversion' : 'inversions'}.`,
    {
      hint: 'Go on with it by adding --resume, or choose another folder with --out.',
      data: { path, finished },
    },
  );
}

function checkHeader(path: string, before: RunHeader, header: RunHeader): void {
  const difference = headerDifference(before, header);
  if (!difference) return;
  const { field, values } = difference;
  throw new NeuralCleanseError(
    'RUN_MISMATCH',
    `The run in ${path} cannot be resumed: its ${field} is ${values[0]}, and now it is ${values[1]}.`,
    {
      hint: 'Give the inputs and options of that run, or choose another folder with --out.',
      data: { path, field },
    },
  );
}

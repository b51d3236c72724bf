/**
 * The run folders that the local web app may read, and nothing beside them.
 *
 * A run is asked for by a name that we made up, never by a path. Neither a link nor a file name in its log leads out of it.
 */

import { createHash } from 'node:crypto';
import { constants, type FileHandle, lstat, open, readdir, realpath } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { lockName } from '../data/run-folder.ts';
import { isHeld } from '../data/run-lock.ts';
import { logName, parseRunLog } from '../data/run-log.ts';
import { NeuralCleanseError } from '../errors.ts';
import { reportFiles } from '../report/file-names.ts';
import { type RunFiles, readResult } from '../report/html/saved-report.ts';
import { parseLabelRecord } from '../report/label-record.ts';
import type { ServedError, ServedRun } from '../report/served-runs.ts';

/** How far below a folder that was given runs are looked for. */
const maxDepth = 2;

/** A link as the last part of a path is not followed, and a pipe is not waited for. Windows has neither. */
const readFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

export interface FoundRun {
  readonly id: string;
  readonly files: RunFiles;
  /** Bytes of the log from `start` on; `undefined` if there is no log. */
  log(start: number): Promise<Uint8Array | undefined>;
  /** Whether a process works on it. */
  isRunning(): Promise<boolean>;
  /** When it last changed, in milliseconds. */
  readonly changed: number;
}

/**
 * All runs in these folders, which may be runs themselves. Folders that are not there hold none.
 *
 * Links among the subfolders are not followed; a folder that is given may be one.
 */
export async function findRuns(folders: readonly string[]): Promise<FoundRun[]> {
  const found = new Map<string, FoundRun>();
  for (const folder of folders) {
    const root = await realpath(folder).catch(() => undefined);
    if (root !== undefined) await collect(root, 0, found);
  }
  return [...found.values()].sort((a, b) => b.changed - a.changed);
}

async function collect(folder: string, depth: number, found: Map<string, FoundRun>): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const own = entries.filter((e) => e.isFile() && (e.name === logName || e.name === reportFiles.json));
  if (own.length > 0) {
    const times = await Promise.all(own.map(({ name }) => lstat(join(folder, name)).catch(() => undefined)));
    const changed = Math.max(...times.map((info) => info?.mtimeMs ?? 0));
    const run = runIn(folder, changed);
    found.set(run.id, run);
  }
  if (depth === maxDepth) return;
  for (const entry of entries) {
    if (entry.isDirectory()) await collect(join(folder, entry.name), depth + 1, found);
  }
}

function runIn(folder: string, changed: number): FoundRun {
  const read = async (name: string, start = 0): Promise<Uint8Array | undefined> => {
    const file = await openInside(folder, name);
    if (!file) return undefined;
    try {
      return await readFrom(file, start);
    } finally {
      await file.close();
    }
  };
  return {
    id: createHash('sha256').update(folder).digest('hex').slice(0, 16),
    files: { name: relative('', folder) || folder, read: (name) => read(name) },
    log: (start) => read(logName, start),
    async isRunning() {
      const lock = await read(lockName);
      return lock !== undefined && isHeld(new TextDecoder().decode(lock));
    },
    changed,
  };
}

/** A regular file that lies in the folder itself; `undefined` for whatever else there is. */
async function openInside(folder: string, name: string): Promise<FileHandle | undefined> {
  if (name !== basename(name) || name === '..' || /[\\\0]/.test(name)) return undefined;
  const path = join(folder, name);
  try {
    // The folder may have been replaced by a link since it was found.
    if ((await realpath(folder)) !== folder || !(await lstat(path)).isFile()) return undefined;
    const file = await open(path, readFlags);
    if ((await file.stat()).isFile()) return file;
    await file.close();
    return undefined;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined;
    throw new NeuralCleanseError('DATA_NOT_FOUND', `"${path}" cannot be read: ${message}.`, {
      hint: 'Check its permissions.',
      cause,
    });
  }
}

async function readFrom(file: FileHandle, start: number): Promise<Uint8Array> {
  const { size } = await file.stat();
  const bytes = new Uint8Array(Math.max(size - start, 0));
  let done = 0;
  while (done < bytes.length) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, start + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

/** What a list of runs says of one. */
export async function describeRun(run: FoundRun): Promise<ServedRun> {
  const base = { id: run.id, name: run.files.name, changed: new Date(run.changed).toISOString() };
  try {
    if (await run.isRunning()) return { ...base, state: 'running', inversions: await countInversions(run) };
    const result = await readResult(run.files);
    if (result) return { ...base, state: 'finished', verdict: result.verdict, model: result.model.name };
    return { ...base, state: 'stopped', inversions: await countInversions(run) };
  } catch (error) {
    return { ...base, state: 'damaged', error: servedError(error) };
  }
}

async function countInversions(run: FoundRun): Promise<number> {
  const bytes = (await run.log(0)) ?? new Uint8Array();
  return parseRunLog(bytes, `${run.files.name}/${logName}`, parseLabelRecord).entries.length;
}

export function servedError(error: unknown): ServedError {
  if (error instanceof NeuralCleanseError) return { code: error.code, message: error.message };
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) };
}

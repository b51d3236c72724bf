/**
 * One process at a time in a run folder, by a file that names it.
 *
 * The file of a process that has ended, of whatever cause, is taken over. That can be told on the same machine only.
 */

import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { NeuralCleanseError } from '../errors.ts';

export interface RunLock {
  release(): Promise<void>;
}

interface Owner {
  readonly pid: number;
  readonly host: string;
  /** Tells apart two locks of one process. */
  readonly id: string;
}

/** Two processes that both replace the file of a dead one do so within this time; the later one has the lock. */
const settleMs = 100;

/** Locks this process holds, by id: another process may have had the same pid. */
const held = new Set<string>();

/**
 * @throws NeuralCleanseError RUN_BUSY if another process, or another scan of this one, has the lock; and what the file
 *   system throws
 */
export async function acquireLock(path: string): Promise<RunLock> {
  const own: Owner = { pid: process.pid, host: hostname(), id: randomUUID() };
  const text = JSON.stringify(own);
  if (!(await createFile(path, text))) await takeOver(path, own.id, text);
  held.add(own.id);
  return {
    async release() {
      held.delete(own.id);
      await rm(path, { force: true });
    },
  };
}

/**
 * Whether the process that has a lock is still there.
 *
 * @param text what the file of the lock holds
 */
export function isHeld(text: string): boolean {
  const owner = ownerIn(text);
  return owner !== undefined && isAlive(owner);
}

/** @throws NeuralCleanseError RUN_BUSY */
async function takeOver(path: string, id: string, text: string): Promise<void> {
  const replacement = `${path}.${id}`;
  await writeFile(replacement, text);
  // Between this look and the move there must be as little time as can be.
  const owner = await readOwner(path);
  if (owner && isAlive(owner)) {
    await rm(replacement);
    throw busy(path, owner);
  }
  await rename(replacement, path);
  await setTimeout(settleMs);
  const winner = await readOwner(path);
  if (winner?.id !== id) throw busy(path, winner);
}

async function createFile(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** `undefined` if the file is gone, or was not written to its end. */
async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    return ownerIn(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function ownerIn(text: string): Owner | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Owner) : undefined;
  } catch {
    return undefined;
  }
}

function isAlive({ pid, host, id }: Owner): boolean {
  if (host !== hostname()) return true;
  if (pid === process.pid) return held.has(id);
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // A process of another user may not be signalled, but is there.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function busy(path: string, owner: Owner | undefined): NeuralCleanseError {
  const who = owner ? `process ${owner.pid} on ${owner.host}` : 'another process';
  return new NeuralCleanseError('RUN_BUSY', `The run folder is in use by ${who}.`, {
    hint: `Wait for it, or choose another folder with --out; if no scan is running there, delete ${path}.`,
    data: { path, pid: owner?.pid },
  });
}

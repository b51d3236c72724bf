/** Blobs on the disk of a worker, the least recently used deleted first where room is short. */

import { mkdir, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFiles, wholeFile } from '../data/replace-files.ts';
import { NeuralCleanseError } from '../errors.ts';
import { type BlobRef, blobNotFound, checkBlob } from './blob.ts';

/** Who was used this recently need not be marked again. */
const freshMs = 1000;

const blobName = /^[0-9a-f]{64}$/;

/** @throws NeuralCleanseError BLOB_NOT_FOUND, BLOB_MISMATCH */
export async function readCached(folder: string, ref: BlobRef): Promise<Uint8Array> {
  const path = join(folder, ref.sha256);
  const bytes = await readFile(path).catch(() => {
    throw blobNotFound(ref, `The cache ${folder}`);
  });
  return checkBlob(ref, bytes, `The cache file ${path}`);
}

export class BlobCache {
  readonly folder: string;
  private readonly maxBytes: number;
  /** How many jobs need a blob now. */
  private readonly pins = new Map<string, number>();
  private readonly fetching = new Map<string, Promise<void>>();

  private constructor(folder: string, maxBytes: number) {
    this.folder = folder;
    this.maxBytes = maxBytes;
  }

  /** @throws NeuralCleanseError CACHE_FULL if the folder cannot be made */
  static async open(folder: string, maxBytes: number): Promise<BlobCache> {
    try {
      await mkdir(folder, { recursive: true });
    } catch (error) {
      throw cacheFull(folder, error instanceof Error ? error.message : String(error));
    }
    return new BlobCache(folder, maxBytes);
  }

  /**
   * Runs `work` with the blob in the folder, where it stays until then.
   *
   * @param fetch returns its bytes, which are verified
   * @throws NeuralCleanseError CACHE_FULL, BLOB_MISMATCH; what `fetch` and `work` throw
   */
  async with<T>(ref: BlobRef, fetch: () => Promise<Uint8Array>, work: () => Promise<T>): Promise<T> {
    const { sha256 } = ref;
    this.pins.set(sha256, (this.pins.get(sha256) ?? 0) + 1);
    try {
      await this.ensure(ref, fetch);
      return await work();
    } finally {
      const left = this.pins.get(sha256)! - 1;
      if (left > 0) this.pins.set(sha256, left);
      else this.pins.delete(sha256);
    }
  }

  /** Forgets a blob that was found to be damaged. */
  async drop(ref: BlobRef): Promise<void> {
    await rm(join(this.folder, ref.sha256), { force: true });
  }

  private async ensure(ref: BlobRef, fetch: () => Promise<Uint8Array>): Promise<void> {
    const path = join(this.folder, ref.sha256);
    const now = new Date();
    if (await touch(path, ref, now)) return;
    const running = this.fetching.get(ref.sha256);
    if (running) return running;
    const fetched = this.store(ref, path, fetch).finally(() => this.fetching.delete(ref.sha256));
    this.fetching.set(ref.sha256, fetched);
    return fetched;
  }

  private async store(ref: BlobRef, path: string, fetch: () => Promise<Uint8Array>): Promise<void> {
    const bytes = checkBlob(ref, await fetch(), 'The store');
    await this.makeRoom(this.maxBytes - bytes.byteLength);
    try {
      await replaceFiles([wholeFile(path, bytes)]);
    } catch {
      // Others may have filled the disk: what the cache can spare may be enough.
      await this.makeRoom(0);
      await replaceFiles([wholeFile(path, bytes)]).catch((error: unknown) => {
        throw cacheFull(this.folder, error instanceof Error ? error.message : String(error));
      });
    }
  }

  /** Deletes what no job needs until at most `bytes` are taken, or nothing more can be deleted. */
  private async makeRoom(bytes: number): Promise<void> {
    const names = (await readdir(this.folder)).filter((name) => blobName.test(name));
    const files = await Promise.all(
      names.map(async (name) => {
        const info = await stat(join(this.folder, name)).catch(() => undefined);
        return { name, size: info?.size ?? 0, used: info?.mtimeMs ?? 0 };
      }),
    );
    let taken = files.reduce((sum, { size }) => sum + size, 0);
    for (const { name, size } of files.toSorted((a, b) => a.used - b.used)) {
      if (taken <= bytes) return;
      if (this.pins.has(name)) continue;
      await rm(join(this.folder, name), { force: true });
      taken -= size;
    }
  }
}

/** Marks a file as used. @returns whether it is there in full */
async function touch(path: string, ref: BlobRef, now: Date): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  if (info?.size !== ref.bytes) return false;
  if (now.getTime() - info.mtimeMs < freshMs) return true;
  return utimes(path, now, now).then(
    () => true,
    () => false,
  );
}

const cacheFull = (folder: string, reason: string): NeuralCleanseError =>
  new NeuralCleanseError(
    'CACHE_FULL',
    `The cache folder "${folder}" has no room: ${reason.replace(/\.$/, '')}.`,
    {
      hint: 'Free some space, or give another folder with --cache.',
      data: { folder },
    },
  );

import { existsSync, readdirSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BlobRef, refOf } from '../../src/queue/blob.ts';
import { BlobCache, readCached } from '../../src/queue/cache.ts';
import { type TestFolder, testFolder } from './support.ts';

let folder: TestFolder;
beforeEach(() => {
  folder = testFolder();
});
afterEach(() => folder.remove());

/** A kilobyte that is full of one value. */
const blob = (value: number): { ref: BlobRef; bytes: Uint8Array } => {
  const bytes = new Uint8Array(1024).fill(value);
  return { ref: refOf(bytes), bytes };
};
const nothing = async (): Promise<void> => undefined;
const fails = (): Promise<never> => Promise.reject(new Error('not to be fetched'));

describe('the cache of a worker', () => {
  it('fetches what it lacks, once for all who want it at a time', async () => {
    const cache = await BlobCache.open(join(folder.path, 'deep/er'), 10_000);
    const { ref, bytes } = blob(1);
    let fetched = 0;
    const fetch = async (): Promise<Uint8Array> => {
      fetched++;
      return bytes;
    };
    const read = (): Promise<Uint8Array> => cache.with(ref, fetch, () => readCached(cache.folder, ref));
    const all = await Promise.all([read(), read(), read()]);
    expect(all.map((found) => refOf(found))).toEqual([ref, ref, ref]);
    expect(fetched).toBe(1);
    await cache.with(ref, fails, nothing);
  });

  it('deletes the least recently used first, but nothing that a job needs', async () => {
    const cache = await BlobCache.open(folder.path, 3 * 1024);
    const blobs = [1, 2, 3, 4, 5].map(blob);
    const put = (i: number, work: () => Promise<void> = nothing): Promise<void> =>
      cache.with(blobs[i]!.ref, async () => blobs[i]!.bytes, work);
    const kept = (): boolean[] => blobs.map(({ ref }) => existsSync(join(folder.path, ref.sha256)));
    const age = (i: number, seconds: number): void =>
      utimesSync(join(folder.path, blobs[i]!.ref.sha256), seconds, seconds);

    for (const i of [0, 1, 2]) {
      await put(i);
      age(i, 100 + i);
    }
    // Used again, so 1 is the oldest now.
    await put(0);
    await put(3);
    expect(kept()).toEqual([true, false, true, true, false]);
    // 2 is the oldest, and in use.
    await put(2, async () => {
      age(2, 50);
      await put(4);
      expect(kept()[2]).toBe(true);
    });
    expect(kept().filter(Boolean)).toHaveLength(3);
  });

  it('leaves other files of the folder alone', async () => {
    const cache = await BlobCache.open(folder.path, 1024);
    writeFileSync(join(folder.path, 'notes.txt'), 'x'.repeat(5000));
    for (const value of [1, 2]) await cache.with(blob(value).ref, async () => blob(value).bytes, nothing);
    expect(readdirSync(folder.path).toSorted()).toEqual([blob(2).ref.sha256, 'notes.txt'].toSorted());
  });

  it('stores nothing that has another hash', async () => {
    const cache = await BlobCache.open(folder.path, 10_000);
    const wrong = cache.with(blob(1).ref, async () => blob(2).bytes, nothing);
    await expect(wrong).rejects.toMatchObject({
      code: 'BLOB_MISMATCH',
      data: { expected: blob(1).ref.sha256, found: blob(2).ref.sha256 },
    });
    expect(readdirSync(folder.path)).toEqual([]);
  });

  it('fetches again what is cut off, and tells what is damaged', async () => {
    const cache = await BlobCache.open(folder.path, 10_000);
    const { ref, bytes } = blob(1);
    const path = join(folder.path, ref.sha256);
    await cache.with(ref, async () => bytes, nothing);
    truncateSync(path, 10);
    await cache.with(ref, async () => bytes, nothing);
    expect(statSync(path).size).toBe(1024);

    writeFileSync(path, blob(2).bytes);
    await expect(readCached(folder.path, ref)).rejects.toMatchObject({ code: 'BLOB_MISMATCH' });
    await cache.drop(ref);
    await expect(readCached(folder.path, ref)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
  });

  it('must have a folder', async () => {
    const path = join(folder.path, 'file');
    writeFileSync(path, '');
    await expect(BlobCache.open(join(path, 'cache'), 1)).rejects.toMatchObject({ code: 'CACHE_FULL' });
  });
});

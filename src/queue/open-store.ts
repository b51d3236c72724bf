/** From the address of a store to the store. */

import { realpath } from 'node:fs/promises';
import { isAbsolute, relative } from 'node:path';
import type { Redis } from 'ioredis';
import { NeuralCleanseError } from '../errors.ts';
import { folderStore } from './folder-store.ts';
import { httpStore, s3Store } from './http-store.ts';
import { redisAddress, redisStore } from './redis-store.ts';
import { type BlobStore, invalidStore } from './store.ts';

export interface StoreContext {
  readonly redis: Redis;
  readonly prefix: string;
  /** How long blobs stay in Redis. Folders and servers keep them until somebody deletes them. */
  readonly keepSeconds: number;
}

/**
 * The store that a submitter was told to use: `redis`, the absolute path of a folder, `http(s)://…` or `s3://bucket/prefix`.
 *
 * @throws NeuralCleanseError STORE_INVALID
 */
export function openStore(address: string, context: StoreContext): BlobStore {
  if (address === redisAddress) return redisStore(context.redis, context.prefix, context.keepSeconds);
  if (isAbsolute(address)) return folderStore(address);
  if (/^https?:\/\//.test(address)) return httpStore(address);
  if (address.startsWith('s3://')) return s3Store(address);
  throw invalidStore(
    address,
    'Give redis, the absolute path of a folder that all machines share, an http(s):// address or s3://bucket/prefix.',
  );
}

/** Where a worker may read and write besides Redis. */
export interface AllowedStores {
  /** Folders within which stores may lie. */
  readonly paths: readonly string[];
  /** Addresses below which they may. */
  readonly urls: readonly string[];
}

/**
 * The store that a job names, if the worker may use it.
 *
 * @throws NeuralCleanseError STORE_NOT_ALLOWED, STORE_INVALID
 */
export async function openAllowedStore(
  address: string,
  allowed: AllowedStores,
  context: StoreContext,
): Promise<BlobStore> {
  if (address === redisAddress) return openStore(address, context);
  if (!isAbsolute(address)) {
    const store = openStore(address, context);
    if (allowed.urls.some((url) => isBelow(address, url))) return store;
    throw notAllowed(address, '--allow-url', allowed.urls);
  }
  // Links are resolved on both sides: one within a root may lead out of it.
  const real = await realpath(address).catch(() => undefined);
  for (const root of allowed.paths) {
    const realRoot = await realpath(root).catch(() => undefined);
    if (real !== undefined && realRoot !== undefined && isWithin(real, realRoot)) return folderStore(real);
  }
  throw notAllowed(address, '--allow-path', allowed.paths);
}

const isWithin = (path: string, root: string): boolean => {
  const way = relative(root, path);
  return way === '' || (way !== '..' && !way.startsWith('../') && !isAbsolute(way));
};

/** Parsed, so that no spelling such as `/../` leads elsewhere. */
function isBelow(address: string, base: string): boolean {
  const [url, root] = [new URL(address), new URL(base)];
  const slash = (path: string): string => (path.endsWith('/') ? path : `${path}/`);
  return (
    url.protocol === root.protocol &&
    url.host === root.host &&
    slash(url.pathname).startsWith(slash(root.pathname))
  );
}

const notAllowed = (address: string, option: string, allowed: readonly string[]): NeuralCleanseError =>
  new NeuralCleanseError('STORE_NOT_ALLOWED', `The worker may not use the store ${address}.`, {
    hint: `Start workers with ${option} and what holds it${allowed.length > 0 ? `; now they have ${allowed.join(', ')}` : ''}.`,
    data: { store: address },
  });

/** Small blobs in Redis itself, in chunks. */

import type { Redis } from 'ioredis';
import { NeuralCleanseError } from '../errors.ts';
import { type BlobRef, blobNotFound } from './blob.ts';
import { type BlobStore, storeFailed } from './store.ts';

export const redisAddress = 'redis';

/** Redis serves one command at a time; larger values would keep others waiting. */
const chunkBytes = 2 ** 20;

/** Redis holds everything in memory. */
export const maxRedisBlobBytes = 256 * 2 ** 20;

/** @param keepSeconds how long a blob stays after it was last stored or asked for */
export function redisStore(redis: Redis, prefix: string, keepSeconds: number): BlobStore {
  const keysOf = ({ sha256, bytes }: BlobRef): string[] =>
    Array.from(
      { length: Math.max(1, Math.ceil(bytes / chunkBytes)) },
      (_, i) => `${prefix}:blob:${sha256}:${i}`,
    );
  /** @returns whether all chunks are there; they then stay for as long as a new blob does */
  const refresh = async (ref: BlobRef): Promise<boolean> => {
    const kept = await Promise.all(keysOf(ref).map((key) => redis.expire(key, keepSeconds)));
    return kept.every((found) => found === 1);
  };
  return {
    address: redisAddress,
    async put(ref, bytes) {
      if (ref.bytes > maxRedisBlobBytes) throw tooLarge(ref);
      // A small one is sent again in the time that a look takes.
      if (ref.bytes > chunkBytes && (await refresh(ref))) return;
      for (const [i, key] of keysOf(ref).entries()) {
        const chunk = bytes.subarray(i * chunkBytes, (i + 1) * chunkBytes);
        const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
        await redis.set(key, buffer, 'EX', keepSeconds).catch((error: unknown) => {
          throw storeFailed(redisAddress, 'written', error);
        });
      }
    },
    async get(ref) {
      // A reference comes with a job and may claim any size.
      if (ref.bytes > maxRedisBlobBytes) throw tooLarge(ref);
      const chunks: Buffer[] = [];
      for (const key of keysOf(ref)) {
        const chunk = await redis.getBuffer(key);
        if (chunk === null) throw blobNotFound(ref, 'Redis');
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    },
  };
}

const tooLarge = ({ bytes, sha256 }: BlobRef): NeuralCleanseError =>
  new NeuralCleanseError('BLOB_TOO_LARGE', `${bytes} bytes are too many to travel through Redis.`, {
    hint: `At most ${maxRedisBlobBytes} can; give --store with a folder that all machines share, or an http(s) or S3 address.`,
    data: { bytes, sha256 },
  });

/** Values of tasks as blobs: compressed JSON text. */

import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import { NeuralCleanseError } from '../errors.ts';
import { type BlobRef, checkBlob, refOf } from './blob.ts';
import { fromJson, toJson } from './json.ts';
import type { BlobStore } from './store.ts';

/** Triggers are noise to a compressor; what shrinks is the base64 around them and the curves. */
const level = 1;

/** More than the trigger of any image model takes; a result may claim to unpack to anything. */
const maxUnpackedBytes = 2 ** 30;

/** @throws NeuralCleanseError what {@link BlobStore.put} throws */
export async function storeValue(store: BlobStore, value: unknown): Promise<BlobRef> {
  const bytes = await promisify(deflateRaw)(toJson(value), { level });
  const ref = refOf(bytes);
  await store.put(ref, bytes);
  return ref;
}

/** @throws NeuralCleanseError QUEUE_JOB_INVALID, BLOB_MISMATCH, and what {@link BlobStore.get} throws */
export async function loadValue(store: BlobStore, ref: BlobRef): Promise<unknown> {
  const bytes = checkBlob(ref, await store.get(ref), `The store ${store.address}`);
  let text: string;
  try {
    text = String(await promisify(inflateRaw)(bytes, { maxOutputLength: maxUnpackedBytes }));
  } catch (cause) {
    throw new NeuralCleanseError('QUEUE_JOB_INVALID', 'A result of the queue cannot be unpacked.', {
      hint: 'Submit the scan again.',
      cause,
    });
  }
  return fromJson(text);
}

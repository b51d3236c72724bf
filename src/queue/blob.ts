/** Bytes that are known by their hash. */

import { createHash } from 'node:crypto';
import { z } from 'zod';
import { NeuralCleanseError } from '../errors.ts';

export const blobRef = z.strictObject({
  /** In hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.number().int().nonnegative(),
});

/** Says which bytes are meant. */
export type BlobRef = z.infer<typeof blobRef>;

export const sha256 = (bytes: Uint8Array | string): string =>
  createHash('sha256').update(bytes).digest('hex');

export const refOf = (bytes: Uint8Array): BlobRef => ({ sha256: sha256(bytes), bytes: bytes.byteLength });

/**
 * @param place where the bytes come from, for the error
 * @throws NeuralCleanseError BLOB_MISMATCH
 */
export function checkBlob(ref: BlobRef, bytes: Uint8Array, place: string): Uint8Array {
  const found = refOf(bytes);
  if (found.sha256 === ref.sha256) return bytes;
  throw new NeuralCleanseError(
    'BLOB_MISMATCH',
    `${place} returned ${found.bytes} bytes with the hash ${found.sha256} in place of ${ref.bytes} with ${ref.sha256}.`,
    {
      hint: 'They were damaged or changed after they were stored: delete them there and submit the scan again.',
      data: { expected: ref.sha256, found: found.sha256 },
    },
  );
}

export const blobNotFound = (ref: BlobRef, place: string): NeuralCleanseError =>
  new NeuralCleanseError('BLOB_NOT_FOUND', `${place} does not hold the bytes ${ref.sha256}.`, {
    hint: 'They have expired or were deleted: submit the scan again.',
    data: { sha256: ref.sha256 },
  });

/** @throws NeuralCleanseError QUEUE_JOB_INVALID */
export function parseRef(value: unknown): BlobRef {
  const parsed = blobRef.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new NeuralCleanseError('QUEUE_JOB_INVALID', 'A job has finished without a result that can be read.', {
    hint: 'Something else writes to this queue; choose another key prefix.',
    cause: parsed.error,
  });
}

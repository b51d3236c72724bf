/** Where models, samples and results lie between submitter and workers: by content hash, written once, never changed. */

import { NeuralCleanseError } from '../errors.ts';
import type { BlobRef } from './blob.ts';
import { withoutSecrets } from './redact.ts';

export interface BlobStore {
  /** What jobs call it, without secrets: `redis`, the absolute path of a folder, or a URL. */
  readonly address: string;
  /**
   * Stores what is not there yet.
   *
   * @throws NeuralCleanseError STORE_FAILED, BLOB_TOO_LARGE
   */
  put(ref: BlobRef, bytes: Uint8Array): Promise<void>;
  /** Not yet verified. @throws NeuralCleanseError BLOB_NOT_FOUND, STORE_FAILED */
  get(ref: BlobRef): Promise<Uint8Array>;
}

export const storeFailed = (
  address: string,
  action: 'read' | 'written',
  cause: unknown,
): NeuralCleanseError =>
  new NeuralCleanseError(
    'STORE_FAILED',
    `The store ${address} cannot be ${action}: ${withoutSecrets(cause instanceof Error ? cause.message : String(cause))}.`,
    {
      hint: 'Check that it is there, that access is granted, and that it has room.',
      data: { store: address },
    },
  );

export const invalidStore = (address: string, hint: string): NeuralCleanseError =>
  new NeuralCleanseError('STORE_INVALID', `The store "${withoutSecrets(address)}" cannot be used.`, { hint });

/** One job: what it is made of, how it is called, and how often it is tried. */

import type { JobsOptions } from 'bullmq';
import { z } from 'zod';
import { NeuralCleanseError } from '../errors.ts';
import type { Provider } from '../runtime/session.ts';
import { blobRef, sha256 } from './blob.ts';

/** What submitter and workers must have in common for equal results. */
export interface Edition {
  /** Of this package. */
  readonly version: string;
  /** Of ONNX Runtime. */
  readonly onnxruntime: string;
  readonly provider: Provider;
}

/** A queue for each edition, so that no worker of another one takes a job. */
export const queueName = ({ version, onnxruntime, provider }: Edition): string =>
  `${version}-${onnxruntime}-${provider}`;

export const jobData = z.strictObject({
  /** Of the manifest: the model, the images and all settings. */
  inputs: blobRef,
  /** Where the inputs lie, and where the result goes. */
  store: z.string(),
  task: z.string(),
  /** JSON text, see json.ts. */
  payload: z.string(),
  /** What messages call it. */
  name: z.string().max(200),
  /** How often a worker that was told to stop has put it back, which says nothing against it. */
  returned: z.number().int().nonnegative(),
  /** How long its inputs and its result stay in Redis. */
  keepSeconds: z.number().int().positive(),
});

export type JobData = z.infer<typeof jobData>;

/** The same job has the same id, whoever submits it: the hash of all that its result depends on. */
export const jobId = (
  edition: Edition,
  { inputs, store, task, payload }: Pick<JobData, 'inputs' | 'store' | 'task' | 'payload'>,
): string => sha256(JSON.stringify([queueName(edition), inputs.sha256, store, task, payload]));

/** Where it is told that a running job is no longer wanted: messages are ids. */
export const cancelChannel = (prefix: string): string => `${prefix}:cancel`;

/** A job that ends its worker is tried this often again. */
export const maxRetries = 3;

export const jobOptions = (id: string, keepSeconds: number): JobsOptions => ({
  jobId: id,
  attempts: 1 + maxRetries,
  stackTraceLimit: 0,
  removeOnComplete: { age: keepSeconds },
  removeOnFail: { age: keepSeconds },
});

/** @throws NeuralCleanseError QUEUE_JOB_INVALID */
export function parseJob(value: unknown): JobData {
  const parsed = jobData.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new NeuralCleanseError(
    'QUEUE_JOB_INVALID',
    `A job cannot be read: ${z.prettifyError(parsed.error)}`,
    {
      hint: 'Something else writes to this queue; choose another key prefix.',
      cause: parsed.error,
    },
  );
}

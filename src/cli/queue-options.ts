/** Options of commands that submit to a queue, and the queue they ask for. */

import type { Command } from 'commander';
import type { InversionShared } from '../detect/invert-task.ts';
import { NeuralCleanseError } from '../errors.ts';
import { connect } from '../queue/connection.ts';
import { createQueuePool } from '../queue/queue-pool.ts';
import type { PoolOptions } from '../runtime/pool.ts';
import type { Pool } from '../runtime/task.ts';
import { wholeNumber } from './arguments.ts';
import { note } from './output.ts';
import { version, versions } from './version.ts';

export interface QueueOptions {
  /** A URL, or `env`: see {@link queueAddress}. */
  readonly queue?: string;
  readonly queuePrefix: string;
  readonly queueKeep: number;
  readonly store: string;
}

export const defaultPrefix = 'neural-cleanse';

export const addQueueOptions = (command: Command): Command =>
  command
    .option(
      '--queue <url>',
      'run the inversions on the workers of this queue: redis://host:6379, rediss://… or env',
    )
    .option(
      '--queue-prefix <text>',
      'before every key in Redis',
      prefixOption('--queue-prefix'),
      defaultPrefix,
    )
    .option('--queue-keep <hours>', 'how long results stay in Redis', wholeNumber('--queue-keep'), 24)
    .option(
      '--store <where>',
      'how models and images travel: redis, a folder that all machines share, https://… or s3://bucket/…',
      'redis',
    );

/**
 * Connects once, so that a wrong address or password is known before models are opened.
 *
 * @throws NeuralCleanseError USAGE, QUEUE_URL_INVALID, QUEUE_UNREACHABLE, QUEUE_REFUSED
 */
export async function checkQueue(given: string): Promise<void> {
  const redis = await connect({ url: queueAddress('--queue', given) });
  redis.disconnect();
}

/**
 * The pool of a scan: the workers of a queue.
 *
 * @throws NeuralCleanseError USAGE, and as createQueuePool
 */
export function openQueuePool(
  options: QueueOptions,
  { shared, provider }: PoolOptions<InversionShared>,
): Promise<Pool<InversionShared>> {
  if (shared === undefined || provider === undefined || provider === 'auto') {
    throw new NeuralCleanseError('INTERNAL', 'A queue needs the inputs and the provider of the inversions.');
  }
  return createQueuePool({
    url: queueAddress('--queue', options.queue ?? 'env'),
    prefix: options.queuePrefix,
    store: options.store,
    edition: { version, onnxruntime: versions.onnxruntime, provider },
    keepSeconds: options.queueKeep * 3600,
    shared,
    onNotice: (line) => note(line),
  });
}

/**
 * The address of a queue as the user gives it. `env` stands for the one in the environment, where no list of processes shows its
 * password.
 *
 * @throws NeuralCleanseError USAGE
 */
export function queueAddress(option: string, given: string): string {
  if (given !== 'env') return given;
  const url = process.env.NEURAL_CLEANSE_REDIS;
  if (url) return url;
  throw new NeuralCleanseError('USAGE', `${option} env stands for NEURAL_CLEANSE_REDIS, which is not set.`, {
    hint: 'Set it to redis://user:password@host:6379.',
  });
}

/** The colon separates what follows. */
export const prefixOption =
  (option: string) =>
  (text: string): string => {
    if (/^[\w{}.-]+$/.test(text)) return text;
    throw new NeuralCleanseError('USAGE', `${option} got "${text}".`, {
      hint: 'It takes letters, digits and any of _ - . { }.',
    });
  };

/** Which workers are there: each says so again and again, and is forgotten when it stops. */

import type { Redis } from 'ioredis';
import { z } from 'zod';
import { NeuralCleanseError } from '../errors.ts';
import { providers } from '../runtime/session.ts';
import { type Edition, queueName } from './job.ts';

const worker = z.strictObject({
  id: z.string(),
  version: z.string(),
  onnxruntime: z.string(),
  provider: z.enum(providers),
  /** Jobs at a time. */
  slots: z.number().int().positive(),
});

export type FleetWorker = z.infer<typeof worker>;

/** A worker that has been silent for this long is gone. */
const forgottenAfterMs = 15_000;

const keyOf = (prefix: string): string => `${prefix}:workers`;

/** Announces a worker until it is stopped. */
export async function announce(
  redis: Redis,
  prefix: string,
  entry: FleetWorker,
): Promise<() => Promise<void>> {
  const key = keyOf(prefix);
  const text = JSON.stringify(entry);
  const say = async (): Promise<void> => {
    const now = Date.now();
    await redis
      .multi()
      .zadd(key, now + forgottenAfterMs, text)
      .zremrangebyscore(key, '-inf', now)
      .exec();
  };
  await say();
  // A server that is away for a while is told again later.
  const timer = setInterval(() => void say().catch(() => undefined), forgottenAfterMs / 3);
  return async () => {
    clearInterval(timer);
    await redis.zrem(key, text);
  };
}

async function liveWorkers(redis: Redis, prefix: string): Promise<FleetWorker[]> {
  const texts = await redis.zrangebyscore(keyOf(prefix), Date.now(), '+inf');
  return texts.flatMap((text) => worker.safeParse(parseOrNull(text)).data ?? []);
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * @param onNotice told if there are no workers at all yet; jobs then wait for some
 * @returns how many jobs run side by side now
 * @throws NeuralCleanseError QUEUE_VERSION_MISMATCH if there are workers, but none that takes jobs of this edition
 */
export async function requireWorkers(
  redis: Redis,
  prefix: string,
  edition: Edition,
  onNotice: (line: string) => void,
): Promise<number> {
  const all = await liveWorkers(redis, prefix);
  const suited = all.filter((entry) => queueName(entry) === queueName(edition));
  if (all.length === 0) onNotice('No worker is there yet: the jobs wait for one (neural-cleanse worker).');
  if (all.length > 0 && suited.length === 0) {
    const found = [...new Set(all.map(editionText))].join('; ');
    throw new NeuralCleanseError(
      'QUEUE_VERSION_MISMATCH',
      `The workers of the queue run ${found}, and this is ${editionText(edition)}.`,
      {
        hint: 'Results would differ: use the same version on both sides, and the same --provider.',
        data: { expected: editionText(edition), found },
      },
    );
  }
  return suited.reduce((sum, { slots }) => sum + slots, 0);
}

const editionText = ({ version, onnxruntime, provider }: Edition): string =>
  `neural-cleanse ${version} with ONNX Runtime ${onnxruntime} on ${provider}`;

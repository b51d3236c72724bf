/** Connections to the Redis server of a queue. */

import { Redis } from 'ioredis';
import { NeuralCleanseError } from '../errors.ts';
import { withoutSecrets } from './redact.ts';

export interface ConnectionOptions {
  /** `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. */
  readonly url: string;
  /** Told when the connection is lost and when it is back; one sentence. */
  readonly onNotice?: ((line: string) => void) | undefined;
}

/** How long a server may take to accept a connection. */
const connectMs = 5000;

/** Longest wait between two attempts to connect again. */
const longestPauseMs = 2000;

/**
 * Connects once; a connection that is lost later is made again, and commands wait for it.
 *
 * The server must accept the connection now, so that a wrong address or password is an error and not an endless wait.
 *
 * @throws NeuralCleanseError QUEUE_URL_INVALID, QUEUE_UNREACHABLE, QUEUE_REFUSED
 */
export async function connect({ url, onNotice }: ConnectionOptions): Promise<Redis> {
  const shown = checkedUrl(url);
  let connected = false;
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: connectMs,
    family: 0,
    // Commands wait for a lost connection, as the queue expects; see retryStrategy for the first.
    maxRetriesPerRequest: null,
    retryStrategy: (times) => (connected ? Math.min(longestPauseMs, 50 * 2 ** times) : null),
  });
  let last: Error | undefined;
  redis.on('error', (error: Error) => {
    last = error;
  });
  let told = false;
  redis.on('reconnecting', () => {
    if (!told) onNotice?.(`The connection to ${shown} is lost; trying again.`);
    told = true;
  });
  redis.on('ready', () => {
    if (told) onNotice?.(`Connected to ${shown} again.`);
    told = false;
  });
  try {
    await redis.connect();
    await redis.ping();
  } catch (error) {
    redis.disconnect();
    throw refusal(shown, last ?? error);
  }
  // Such as a database that does not exist.
  if (last !== undefined) {
    redis.disconnect();
    throw refusal(shown, last);
  }
  connected = true;
  return redis;
}

/** @returns the address without secrets */
function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && ['redis:', 'rediss:'].includes(url.protocol) && url.hostname !== '') return withoutSecrets(text);
  // Not even a part of it is shown: where a password ends cannot be told.
  throw new NeuralCleanseError('QUEUE_URL_INVALID', 'The address of the queue cannot be read.', {
    hint: 'It looks like redis://user:password@host:6379/0, or rediss:// for TLS; write characters such as @ and / of a password as %40 and %2F.',
  });
}

/** The error is no cause of ours: it may quote the command that gave the password. */
function refusal(shown: string, error: unknown): NeuralCleanseError {
  const reason = reasonOf(error);
  if (error instanceof Error && error.name === 'ReplyError') {
    return new NeuralCleanseError(
      'QUEUE_REFUSED',
      `The server at ${shown} refuses the connection: ${reason}.`,
      {
        hint: 'Check user, password and database number of the address.',
        data: { url: shown },
      },
    );
  }
  return new NeuralCleanseError('QUEUE_UNREACHABLE', `No Redis server answers at ${shown} (${reason}).`, {
    hint: 'Check host and port, that the server runs, and that rediss:// is used with TLS and redis:// without.',
    data: { url: shown },
  });
}

/** Of a connection that is made again by itself. */
export const isConnectionError = (error: Error): boolean =>
  'syscall' in error || error.message === 'Connection is closed.';

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return withoutSecrets(message).replace(/\.$/, '');
}

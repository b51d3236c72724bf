/** `neural-cleanse worker --redis URL` */

import { once } from 'node:events';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { NeuralCleanseError } from '../errors.ts';
import { withoutSecrets } from '../queue/redact.ts';
import { QueueWorker } from '../queue/worker.ts';
import type { Provider } from '../runtime/session.ts';
import { providerOption, wholeNumber } from './arguments.ts';
import { onInterrupt } from './interrupt.ts';
import { note } from './output.ts';
import { defaultPrefix, prefixOption, queueAddress } from './queue-options.ts';
import { version, versions } from './version.ts';

interface WorkerCommandOptions {
  readonly redis: string;
  readonly prefix: string;
  readonly provider: Provider | 'auto';
  readonly threads?: number;
  readonly concurrency?: number;
  readonly cache: string;
  readonly cacheSize: number;
  readonly allowPath: readonly string[];
  readonly allowUrl: readonly string[];
  readonly grace: number;
}

export const workerCommand = (program: Command): Command =>
  program
    .command('worker')
    .description('run the jobs of scans that were submitted with --queue, until it is stopped')
    .option(
      '--redis <url>',
      'queue: redis://host:6379 or rediss://…; env stands for NEURAL_CLEANSE_REDIS',
      'env',
    )
    .option('--prefix <text>', 'before every key in Redis', prefixOption('--prefix'), defaultPrefix)
    .option('--provider <name>', 'auto, cpu, cuda, webgpu or wasm', providerOption, 'auto')
    .option('--threads <n>', 'cores to use; all by default', wholeNumber('--threads'))
    .option('--concurrency <n>', 'jobs at a time; one a core by default', wholeNumber('--concurrency'))
    .option('--cache <dir>', 'folder for models and images', join(homedir(), '.cache/neural-cleanse'))
    .option('--cache-size <size>', 'most bytes in it, e.g. 500M', sizeOption, 10 * 2 ** 30)
    .option(
      '--allow-path <root>',
      'folder within which jobs may have their store; may be given again',
      (root: string, roots: readonly string[]) => [...roots, resolve(root)],
      [],
    )
    .option(
      '--allow-url <url>',
      'address below which jobs may have their store: https://… or s3://…; may be given again',
      (text: string, urls: readonly string[]) => [...urls, storeUrl(text)],
      [],
    )
    .option(
      '--grace <seconds>',
      'time for running jobs to finish when stopped',
      wholeNumber('--grace', 0),
      20,
    )
    .action(work);

async function work(options: WorkerCommandOptions): Promise<void> {
  const url = queueAddress('--redis', options.redis);
  const interrupt = onInterrupt(note);
  const worker = await QueueWorker.start({
    url,
    prefix: options.prefix,
    versions: { version, onnxruntime: versions.onnxruntime },
    provider: options.provider,
    ...(options.threads !== undefined && { threads: options.threads }),
    ...(options.concurrency !== undefined && { concurrency: options.concurrency }),
    cache: options.cache,
    cacheBytes: options.cacheSize,
    allowed: { paths: options.allowPath, urls: options.allowUrl },
    onNotice: (line) => note(line),
  });
  note(`Takes ${worker.slots} jobs at a time on ${worker.provider} from ${withoutSecrets(url)}.`);
  try {
    if (!interrupt.signal.aborted) await Promise.race([once(interrupt.signal, 'abort'), worker.failed]);
  } finally {
    await worker.stop(options.grace * 1000);
    interrupt.dispose();
  }
}

function storeUrl(text: string): string {
  if (/^(https?|s3):\/\//.test(text) && URL.canParse(text)) return text;
  throw new NeuralCleanseError('USAGE', `--allow-url got "${text}".`, {
    hint: 'It takes an address that begins with https://, http:// or s3://.',
  });
}

const units: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

function sizeOption(text: string): number {
  const [, number, unit = ''] = /^(\d+)([KMGT]?)$/.exec(text) ?? [];
  if (number !== undefined) return Number(number) * units[unit]!;
  throw new NeuralCleanseError('USAGE', `--cache-size got "${text}".`, {
    hint: 'It takes bytes, or a number with K, M, G or T.',
  });
}

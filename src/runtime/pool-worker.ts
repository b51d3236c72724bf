/** The main module of a pool's worker process: runs one task at a time. */

import { NeuralCleanseError } from '../errors.ts';
import { Kept } from './kept.ts';
import { nodeRuntime } from './node.ts';
import { type Task, type TaskContext, withSessionDefaults } from './task.ts';
import { encodeError, type FromWorker, type ToWorker } from './wire.ts';

let context: Pick<TaskContext, 'runtime' | 'provider' | 'shared'>;
let current: AbortController | undefined;
/** Freed with the process. */
const kept = new Kept();

process.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'start': {
      const { provider, threads, shared } = message;
      context = { runtime: withSessionDefaults(nodeRuntime, { provider, threads }), provider, shared };
      break;
    }
    case 'cancel':
      current?.abort();
      break;
    case 'run':
      void run(message);
  }
});

// Ctrl-C reaches every process of the terminal; the parent decides what becomes of the tasks.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit());

async function run({ module, name, payload }: Extract<ToWorker, { kind: 'run' }>): Promise<void> {
  const controller = new AbortController();
  current = controller;
  try {
    const task = await find(module, name);
    const result = await task.run(payload, {
      ...context,
      signal: controller.signal,
      report: (progress: unknown) => send({ kind: 'progress', progress }),
      keep: (open) => kept.get(task, open),
    } as TaskContext);
    send({ kind: 'done', result });
  } catch (error) {
    sendFailure(error);
  }
}

async function find(module: string, name: string): Promise<Task<unknown, unknown>> {
  const exported = (await import(module))[name] as Partial<Task<unknown, unknown>> | undefined;
  if (typeof exported?.run === 'function') return exported as Task<unknown, unknown>;
  throw new NeuralCleanseError('INTERNAL', `${module} exports no task "${name}".`, {
    hint: 'Export the task under the name it was defined with.',
  });
}

/** @throws DataCloneError if the message holds what cannot leave the process */
function send(message: FromWorker): void {
  process.send?.(message);
}

function sendFailure(error: unknown): void {
  const encoded = encodeError(error);
  try {
    send({ kind: 'failed', error: encoded });
  } catch {
    // The details of an error may hold anything; its message says enough.
    const known = encoded.known && { code: encoded.known.code, details: {} };
    send({ kind: 'failed', error: { ...encoded, cause: undefined, ...(known ? { known } : {}) } });
  }
}

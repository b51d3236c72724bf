/**
 * The tasks that may be queued, by name. A job names its task; it never names a module, so that whoever can write to the queue
 * can run nothing else.
 */

import { z } from 'zod';
import { stages, statuses } from '../detect/inversion.ts';
import { type InversionShared, invertTask } from '../detect/invert-task.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { Task } from '../runtime/task.ts';
import { fromJson } from './json.ts';

/** A task, and the form of all that travels for it. */
export interface QueuedTask<Payload = unknown, Result = unknown, Progress = unknown> {
  readonly task: Task<Payload, Result, Progress, InversionShared>;
  readonly payload: z.ZodType<Payload>;
  readonly result: z.ZodType<Result>;
  readonly progress: z.ZodType<Progress>;
}

const floats = z.instanceof(Float32Array);
const tensor = z.strictObject({ dtype: z.literal('float32'), dims: z.array(z.number()), data: floats });
const count = z.number().int().nonnegative();

/** Forgets the types, which the parsers of the same entry make sure of. */
const queued = <Payload, Result, Progress>(entry: QueuedTask<Payload, Result, Progress>): QueuedTask =>
  entry as unknown as QueuedTask;

/** Fields of results that are not named here are kept. */
export const queuedTasks: Readonly<Record<string, QueuedTask>> = {
  invert: queued({
    task: invertTask,
    payload: z.strictObject({
      label: count,
      source: count.exactOptional(),
      start: count.exactOptional(),
      seed: z.number().int(),
      stage: z.enum(stages).exactOptional(),
      probe: count.exactOptional(),
      goesOn: z.boolean().exactOptional(),
    }),
    result: z.looseObject({
      label: count,
      source: count.exactOptional(),
      start: count,
      status: z.enum(statuses),
      trigger: z.looseObject({ mask: tensor, pattern: tensor }),
      l1: z.number(),
      asr: z.number(),
      probe: count,
      steps: count,
      gradientSteps: count,
      stopped: z.enum(['early-stop', 'steps']),
      curve: z.array(
        z.looseObject({
          step: count,
          asr: z.number(),
          norm: z.number(),
          crossEntropy: z.number(),
          cost: z.number(),
        }),
      ),
      seconds: z.number(),
      runtimeMs: z.number(),
    }),
    progress: z.looseObject({
      label: count,
      source: count.exactOptional(),
      start: count,
      step: count,
      l1: z.number(),
      asr: z.number(),
      mask: floats.exactOptional(),
    }),
  }),
};

/** @throws NeuralCleanseError INTERNAL if the task may not be queued */
export function nameOf(task: object & { readonly name: string }): string {
  for (const [name, entry] of Object.entries(queuedTasks)) if (entry.task === task) return name;
  throw new NeuralCleanseError('INTERNAL', `The task "${task.name}" cannot be queued.`, {
    hint: 'Add it to the list of queued tasks.',
  });
}

/** @throws NeuralCleanseError QUEUE_JOB_INVALID */
export const payloadFrom = (task: string, value: unknown): unknown =>
  checked(taskNamed(task).payload, value, 'A payload');

/** @throws NeuralCleanseError QUEUE_JOB_INVALID */
export const resultFrom = (task: string, value: unknown): unknown =>
  checked(taskNamed(task).result, value, 'A result');

function checked(form: z.ZodType, value: unknown, what: string): unknown {
  const parsed = form.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new NeuralCleanseError(
    'QUEUE_JOB_INVALID',
    `${what} cannot be read: ${z.prettifyError(parsed.error)}.`,
    {
      hint: 'Something else writes to this queue; choose another key prefix.',
      cause: parsed.error,
    },
  );
}

/** `undefined` for what is no progress. */
export function progressFrom(task: string, data: unknown): unknown {
  if (typeof data !== 'string') return undefined;
  try {
    return taskNamed(task).progress.safeParse(fromJson(data)).data;
  } catch {
    return undefined;
  }
}

/** @throws NeuralCleanseError QUEUE_JOB_INVALID */
export function taskNamed(name: string): QueuedTask {
  const entry = Object.hasOwn(queuedTasks, name) ? queuedTasks[name] : undefined;
  if (entry) return entry;
  throw new NeuralCleanseError('QUEUE_JOB_INVALID', `There is no task "${name}".`, {
    hint: `A job may ask for ${Object.keys(queuedTasks).join(', ')}.`,
  });
}

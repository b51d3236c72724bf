/** Why a job failed, as the text that the queue keeps. */

import { z } from 'zod';
import { type ErrorCode, errorCodes, NeuralCleanseError } from '../errors.ts';
import { withoutSecrets } from './redact.ts';

const failure = z.strictObject({
  code: z.enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]]),
  message: z.string(),
  hint: z.string().exactOptional(),
});

/** Without stack and cause, which show paths of the worker's machine. */
export function failureText(error: unknown): string {
  const known = error instanceof NeuralCleanseError ? error : undefined;
  const message = error instanceof Error ? error.message : String(error);
  return JSON.stringify({
    code: known?.code ?? 'WORKER_FAILED',
    message: withoutSecrets(message),
    ...(known?.hint !== undefined && { hint: withoutSecrets(known.hint) }),
  } satisfies z.input<typeof failure>);
}

/** @param job what the job is called */
export function failureFrom(text: string, job: string): NeuralCleanseError {
  const parsed = failure.safeParse(jsonOrUndefined(text));
  if (!parsed.success) {
    // The queue itself gives up on a job with a text of its own.
    return new NeuralCleanseError('WORKER_FAILED', `The job "${job}" failed: ${text}.`, {
      hint: 'The log of the workers may say more.',
      data: { task: job },
    });
  }
  const { code, message, hint } = parsed.data;
  const error = new NeuralCleanseError(code, '', {
    data: { task: job },
    ...(hint !== undefined && { hint }),
  });
  // Complete already: the constructor would add the hint again.
  error.message = message;
  return error;
}

function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

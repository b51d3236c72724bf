/** Errors in words: what happened, and what to do about it. */

import { NeuralCleanseError } from '../../src/errors.ts';
import { decodeError, type WireError } from '../../src/runtime/wire.ts';

export interface ShownError {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
}

/** @param error as thrown here, or as it came from a worker */
export function shownError(error: unknown): ShownError {
  const known = isWireError(error) ? decodeError(error) : error;
  if (known instanceof NeuralCleanseError) {
    const { code, hint } = known;
    // The hint is the end of the message, and stands on a line of its own here.
    const message = hint === undefined ? known.message : known.message.replace(` ${hint}`, '');
    return { code, message, hint };
  }
  return {
    code: 'INTERNAL',
    message: known instanceof Error ? known.message : String(known),
    hint: 'This is a fault of the app. Reload the page and try again.',
  };
}

const isWireError = (error: unknown): error is WireError =>
  typeof error === 'object' && error !== null && !(error instanceof Error) && 'stack' in error;

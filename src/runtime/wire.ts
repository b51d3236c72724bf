/** What a pool and its worker processes say to each other. */

import { type ErrorCode, type ErrorDetails, NeuralCleanseError } from '../errors.ts';
import type { Provider } from './session.ts';

export type ToWorker =
  | {
      readonly kind: 'start';
      readonly provider: Provider;
      readonly threads: number;
      readonly shared: unknown;
    }
  | { readonly kind: 'run'; readonly module: string; readonly name: string; readonly payload: unknown }
  | { readonly kind: 'cancel' };

export type FromWorker =
  | { readonly kind: 'progress'; readonly progress: unknown }
  | { readonly kind: 'done'; readonly result: unknown }
  | { readonly kind: 'failed'; readonly error: WireError };

export interface WireError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly cause: WireError | undefined;
  /** Of a NeuralCleanseError. */
  readonly known?: { readonly code: ErrorCode; readonly details: ErrorDetails };
}

export function encodeError(error: unknown): WireError {
  if (!(error instanceof Error))
    return { name: 'Error', message: String(error), stack: undefined, cause: undefined };
  const { name, message, stack } = error;
  const cause = error.cause === undefined ? undefined : encodeError(error.cause);
  if (!(error instanceof NeuralCleanseError)) return { name, message, stack, cause };
  const { code, hint, node, op, data } = error;
  return { name, message, stack, cause, known: { code, details: { hint, node, op, data } as ErrorDetails } };
}

export function decodeError(wire: WireError): Error {
  const cause = wire.cause && decodeError(wire.cause);
  const error = wire.known
    ? new NeuralCleanseError(wire.known.code, '', { ...wire.known.details, cause })
    : Object.defineProperty(new Error('', { cause }), 'name', { value: wire.name });
  // The message is already complete: the constructor would add the place and the hint again.
  error.message = wire.message;
  if (wire.stack !== undefined) error.stack = wire.stack;
  return error;
}

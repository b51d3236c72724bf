import { NeuralCleanseError } from '../../src/errors.ts';

/** The error that `action` throws, which must be one of ours; `undefined` if it succeeds. */
export function errorOf(action: () => unknown): NeuralCleanseError | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof NeuralCleanseError) return error;
    throw error;
  }
}

/** Its code, or `ok`. */
export const outcome = (action: () => unknown): string => errorOf(action)?.code ?? 'ok';

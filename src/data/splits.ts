/** Which part of a dataset a name speaks of: `X_test`, `Final_Training`, `t10k-images-idx3-ubyte`, `val`. */

import { NeuralCleanseError } from '../errors.ts';

/** The part to load. Left out, the test part is preferred. */
export type Split = 'train' | 'test';

const words = new Map<string, Split | 'validation'>([
  ['train', 'train'],
  ['training', 'train'],
  ['test', 'test'],
  ['testing', 'test'],
  ['t10k', 'test'],
  ['val', 'validation'],
  ['valid', 'validation'],
  ['validation', 'validation'],
  ['eval', 'validation'],
]);

/** The part that the words of a name or path speak of. */
export function splitOf(name: string): Split | 'validation' | undefined {
  const named = name.toLowerCase().split(/[^a-z0-9]+/);
  return named.map((word) => words.get(word)).find((part) => part !== undefined);
}

/**
 * The names of the wanted part. Validation data stand in for test data, and names that speak of no part serve as any.
 * Without a wish the test part is taken, else validation, else training data.
 *
 * @throws NeuralCleanseError DATA_NOT_FOUND if all names speak of other parts
 */
export function ofSplit(names: readonly string[], split: Split | undefined, source: string): string[] {
  const orders = {
    train: ['train', undefined],
    test: ['test', 'validation', undefined],
    any: ['test', 'validation', 'train', undefined],
  };
  for (const part of orders[split ?? 'any']) {
    const fitting = names.filter((name) => splitOf(name) === part);
    if (fitting.length > 0) return fitting;
  }
  if (names.length === 0) return [];
  throw new NeuralCleanseError(
    'DATA_NOT_FOUND',
    `${source} has no ${split} part, only ${names.join(', ')}.`,
    {
      hint: 'Ask for the other part.',
      data: { names },
    },
  );
}

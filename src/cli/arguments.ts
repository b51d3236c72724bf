/** Parsers of option values; each error says what was given and what is accepted. */

import { NeuralCleanseError } from '../errors.ts';
import { type Provider, providers } from '../runtime/session.ts';

const usage = (option: string, given: string, accepted: string): NeuralCleanseError =>
  new NeuralCleanseError('USAGE', `${option} got "${given}".`, { hint: `It takes ${accepted}.` });

/** A whole number of at least `low`. */
export const wholeNumber =
  (option: string, low = 1) =>
  (text: string): number => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < low || text.trim() === '') {
      throw usage(option, text, `a whole number from ${low}`);
    }
    return value;
  };

export function providerOption(text: string): Provider | 'auto' {
  const choices = ['auto', ...providers] as const;
  const found = choices.find((p) => p === text);
  if (!found) throw usage('--provider', text, choices.join(', '));
  return found;
}

/** `H,W` or one number for a square. */
export function sizeOption(text: string): [height: number, width: number] {
  const parts = text.split(/[,x]/).map(Number);
  const [height = Number.NaN, width = height] = parts;
  if (parts.length > 2 || ![height, width].every((v) => Number.isSafeInteger(v) && v > 0)) {
    throw usage('--size', text, 'HEIGHT,WIDTH in pixels, e.g. 224,224');
  }
  return [height, width];
}

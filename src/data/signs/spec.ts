/**
 * Rendered traffic signs named as a dataset: `signs:train`, `signs:test?count=500&seed=7`. Command lines need quotes around
 * the latter, as shells have uses of their own for ? and &.
 */

import { NeuralCleanseError } from '../../errors.ts';
import type { Split } from '../splits.ts';

export interface SignsSpec {
  /** Absent in `signs:`, which has both parts. */
  readonly split: Split | undefined;
  /** How many images; unless given, {@link defaultCounts}. */
  readonly count: number | undefined;
  /** Of all random numbers. Another seed gives other images of the same kind. */
  readonly seed: number;
}

/** About half as many as GTSRB has; an accuracy near 98 % of 5,000 is known to ±0.4 points. */
export const defaultCounts: Readonly<Record<Split, number>> = { train: 20_000, test: 5_000 };

/** Lowest and highest value of each key. */
const limits = { count: [1, 2 ** 24], seed: [0, 2 ** 32 - 1] } as const;

type Key = keyof typeof limits;

const isKey = (key: string): key is Key => Object.hasOwn(limits, key);

/** True of names that {@link parseSignsSpec} reads; a file of such a name can be opened as `./signs:…`. */
export const isSignsSpec = (name: string): boolean => name.startsWith('signs:');

/**
 * Reads `signs:SPLIT?count=N&seed=N`; all but `signs:` may be left out.
 *
 * @throws NeuralCleanseError DATA_SPEC_INVALID
 */
export function parseSignsSpec(text: string): SignsSpec {
  const [split = '', query, ...more] = text.slice('signs:'.length).split('?');
  if (split !== 'train' && split !== 'test' && split !== '')
    throw invalid(text, `there is no part "${split}"`);
  if (more.length > 0) throw invalid(text, 'it has more than one question mark');

  const values = new Map<Key, number>();
  for (const setting of query === undefined ? [] : query.split('&')) {
    const [key = '', value = ''] = setting.split(/=(.*)/s);
    if (!isKey(key)) throw invalid(text, `"${key}" is no setting`);
    if (values.has(key)) throw invalid(text, `${key} is given twice`);
    const [low, high] = limits[key];
    if (!/^\d+$/.test(value) || Number(value) < low || Number(value) > high) {
      throw invalid(text, `${key} is "${value}", not a whole number from ${low} to ${high}`);
    }
    values.set(key, Number(value));
  }
  return {
    split: split === '' ? undefined : split,
    count: values.get('count'),
    seed: values.get('seed') ?? 0,
  };
}

const invalid = (text: string, why: string): NeuralCleanseError =>
  new NeuralCleanseError('DATA_SPEC_INVALID', `The dataset "${text}" cannot be rendered: ${why}.`, {
    hint: 'Write signs:train or signs:test, with the settings count and seed if needed: "signs:test?count=500&seed=7", in quotes on a command line.',
    data: { keys: Object.keys(limits) },
  });

/**
 * Values of tasks as JSON text: besides what JSON has, the numbers that it lacks, and typed arrays bit for bit.
 *
 * An array becomes `{"$float32": "base64"}`; the bytes are little-endian, as on every machine that Node runs on.
 */

import { NeuralCleanseError } from '../errors.ts';

const arrayTypes = {
  $float32: Float32Array,
  $float64: Float64Array,
  $int32: Int32Array,
  $uint8: Uint8Array,
} as const;

type TypedArray = InstanceType<(typeof arrayTypes)[keyof typeof arrayTypes]>;

const specialNumbers: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
  '-0': -0,
};

/**
 * Equal values give equal text where their fields come in the same order. Fields that are `undefined` are left out.
 *
 * @throws NeuralCleanseError INTERNAL for what has no form here: maps, sets, functions, other classes
 */
export const toJson = (value: unknown): string => JSON.stringify(encode(value));

/** @throws NeuralCleanseError QUEUE_JOB_INVALID if the text is not what {@link toJson} writes */
export function fromJson(text: string): unknown {
  try {
    return decode(JSON.parse(text));
  } catch (cause) {
    throw new NeuralCleanseError('QUEUE_JOB_INVALID', 'A value from the queue cannot be read.', {
      hint: 'Something else has written under the same key prefix; choose another with --queue-prefix.',
      cause,
    });
  }
}

function encode(value: unknown): unknown {
  if (typeof value === 'number') {
    const special = Object.keys(specialNumbers).find((name) => Object.is(specialNumbers[name], value));
    return special === undefined ? value : { $number: special };
  }
  if (Array.isArray(value)) return value.map(encode);
  if (typeof value !== 'object' || value === null) {
    if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint')
      throw noForm(value);
    return value;
  }
  for (const [name, type] of Object.entries(arrayTypes)) {
    if (value instanceof type) return { [name]: base64(value) };
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw noForm(value);
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, encode(field)]));
}

function decode(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decode);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const [name, content] = entries[0] ?? ['', undefined];
  if (entries.length === 1 && typeof content === 'string') {
    if (name === '$number' && Object.hasOwn(specialNumbers, content)) return specialNumbers[content];
    if (isArrayName(name)) return typedArray(name, content);
  }
  return Object.fromEntries(entries.map(([field, inner]) => [field, decode(inner)]));
}

const isArrayName = (name: string): name is keyof typeof arrayTypes => Object.hasOwn(arrayTypes, name);

const base64 = (array: ArrayBufferView): string =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64');

function typedArray(name: keyof typeof arrayTypes, text: string): TypedArray {
  const bytes = Buffer.from(text, 'base64');
  // A copy of its own: Buffer takes from a pool whose offsets fit no wider type.
  return new arrayTypes[name](Uint8Array.from(bytes).buffer);
}

const noForm = (value: unknown): NeuralCleanseError =>
  new NeuralCleanseError('INTERNAL', `A value of ${Object.prototype.toString.call(value)} cannot be queued.`);

/** Reading the configuration of a layer: JSON in which every value may be missing or of a wrong type. */

import { NeuralCleanseError } from '../errors.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** KERAS_CONFIG_INVALID; `message` is a whole sentence. */
export const invalidConfig = (message: string): NeuralCleanseError =>
  new NeuralCleanseError('KERAS_CONFIG_INVALID', message, {
    hint: 'Save the model again in Keras; an architecture written by hand must follow its JSON.',
  });

/** The fields of one object, with defaults for those that are absent or null. */
export class Fields {
  readonly owner: string;
  private readonly values: JsonObject;

  /** @param owner begins error messages, such as `Layer "conv2d" (Conv2D)` */
  constructor(values: JsonObject, owner: string) {
    this.values = values;
    this.owner = owner;
  }

  has(key: string): boolean {
    return this.raw(key) !== undefined;
  }

  /** The value as it is, numbers of NumPy unwrapped; `undefined` where absent or null. */
  raw(key: string): unknown {
    return (Object.hasOwn(this.values, key) ? plainValue(this.values[key]) : undefined) ?? undefined;
  }

  number(key: string, fallback?: number): number {
    const value = this.raw(key) ?? fallback;
    if (typeof value !== 'number' || !Number.isFinite(value)) throw this.wrong(key, 'a number');
    return value;
  }

  /** A whole number of at least `low`. */
  whole(key: string, fallback?: number, low = 1): number {
    const value = this.raw(key) ?? fallback;
    if (!isWhole(value) || value < low) throw this.wrong(key, `a whole number from ${low}`);
    return value;
  }

  /** `count` whole numbers of at least `low`; one number stands for all of them. */
  wholes(key: string, count: number, fallback?: number, low = 1): number[] {
    const value = this.raw(key) ?? fallback;
    const values = Array.isArray(value) ? value : new Array<unknown>(count).fill(value);
    if (values.length !== count || !values.every((v) => isWhole(v) && v >= low)) {
      throw this.wrong(key, `${count} whole numbers from ${low}`);
    }
    return values as number[];
  }

  /** Whole numbers, however many; one number stands for a list of itself. */
  list(key: string, fallback?: readonly number[]): number[] {
    const value = this.raw(key) ?? fallback;
    const values: unknown[] = Array.isArray(value) ? value : [value];
    if (!values.every(isWhole)) throw this.wrong(key, 'whole numbers');
    return values as number[];
  }

  text(key: string, fallback?: string): string {
    const value = this.raw(key) ?? fallback;
    if (typeof value !== 'string') throw this.wrong(key, 'a text');
    return value;
  }

  choice<T extends string>(key: string, choices: readonly T[], fallback?: T): T {
    const value = this.text(key, fallback);
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw this.wrong(key, `one of ${choices.join(', ')}`);
    return found;
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.raw(key) ?? fallback;
    if (typeof value !== 'boolean') throw this.wrong(key, 'true or false');
    return value;
  }

  /** What is wrong with the value of a field. */
  wrong(key: string, accepted: string): NeuralCleanseError {
    const shown = JSON.stringify(this.raw(key))?.slice(0, 60) ?? 'missing';
    return invalidConfig(`${this.owner}: "${key}" is ${shown}, not ${accepted}.`);
  }
}

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value);

/** Keras 2 writes arrays as {type, value}, Keras 3 as {class_name: "__numpy__", config: {value}}. */
function plainValue(value: unknown): unknown {
  if (!isObject(value)) return value;
  if (value.class_name === '__numpy__' && isObject(value.config)) return value.config.value;
  return 'value' in value && !('class_name' in value) ? value.value : value;
}

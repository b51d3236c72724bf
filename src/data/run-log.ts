/**
 * The log of a run: `labels.jsonl`, one JSON value a line. The first line says what the run is made of, each other one is
 * a finished inversion.
 *
 * A line counts once its line feed is on the disk. Whatever follows the last line feed was being written when the process
 * ended, and is as good as never written.
 */

import { NeuralCleanseError } from '../errors.ts';

/** Name in the folder of the run. */
export const logName = 'labels.jsonl';

/** What a run is made of; all of it JSON values. Two runs with equal headers have equal results. */
export type RunHeader = Readonly<Record<string, unknown>>;

export interface RunLog<Entry> {
  /** `undefined` for an empty log. */
  readonly header: RunHeader | undefined;
  readonly entries: readonly Entry[];
  /** Length in bytes of the whole lines. */
  readonly end: number;
}

const lineFeed = 0x0a;

/** A value as a line of the log. */
export const logLine = (value: unknown): Uint8Array => new TextEncoder().encode(`${JSON.stringify(value)}\n`);

/**
 * Reads a log.
 *
 * @param path for messages
 * @param parseEntry throws at a value that is no entry
 * @throws NeuralCleanseError RUN_CORRUPT with the number of the line
 */
export function parseRunLog<Entry>(
  bytes: Uint8Array,
  path: string,
  parseEntry: (value: unknown) => Entry,
): RunLog<Entry> {
  const entries: Entry[] = [];
  let header: RunHeader | undefined;
  let end = 0;
  for (let line = 1; ; line++) {
    const next = bytes.indexOf(lineFeed, end);
    if (next < 0) return { header, entries, end };
    // Lines are decoded one by one: the log of thousands of labels is longer than a string may be.
    const text = new TextDecoder().decode(bytes.subarray(end, next));
    try {
      const value: unknown = JSON.parse(text);
      if (line === 1) header = asHeader(value);
      else entries.push(parseEntry(value));
    } catch (cause) {
      throw corrupt(path, line, cause);
    }
    end = next + 1;
  }
}

/**
 * Where two headers differ: the path of the first field in alphabetical order, with both values as JSON; `undefined` if
 * they are equal.
 */
export function headerDifference(
  a: RunHeader,
  b: RunHeader,
): { readonly field: string; readonly values: readonly [string, string] } | undefined {
  const [before, after] = [leaves(a), leaves(b)];
  for (const field of [...new Set([...before.keys(), ...after.keys()])].sort()) {
    const values = [before.get(field) ?? 'nothing', after.get(field) ?? 'nothing'] as const;
    if (values[0] !== values[1]) return { field, values };
  }
  return undefined;
}

/** `a.b` -> JSON, for everything that is no object; a list is one value. */
function leaves(value: unknown, path = ''): Map<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return new Map(value === undefined ? [] : [[path, JSON.stringify(value)]]);
  }
  const fields = Object.entries(value).flatMap(([name, field]) => [
    ...leaves(field, path === '' ? name : `${path}.${name}`),
  ]);
  return new Map(fields);
}

function asHeader(value: unknown): RunHeader {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as RunHeader;
  throw new TypeError('the header is no object');
}

function corrupt(path: string, line: number, cause: unknown): NeuralCleanseError {
  const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
  return new NeuralCleanseError('RUN_CORRUPT', `Line ${line} of ${path} cannot be read (${reason}).`, {
    hint:
      line === 1
        ? 'It says what the run was made of, so the run cannot be resumed: choose another folder.'
        : 'Delete that line and run again with --resume: only what it recorded is done again.',
    data: { path, line },
    cause,
  });
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { headerDifference, logLine, parseRunLog } from '../../src/data/run-log.ts';
import { NeuralCleanseError } from '../../src/errors.ts';

const header = { seed: 0, settings: { steps: 10, schedule: { patience: 5 } }, labels: [0, 1, 2] };
const entries = [
  { label: 0, name: 'größer 🛑' },
  { label: 1, name: 'line\nfeed' },
  { label: 2, name: '' },
];

interface Entry {
  readonly label: number;
}
function parseEntry(value: unknown): Entry {
  if (typeof (value as Entry).label !== 'number') throw new TypeError('label: no number');
  return value as Entry;
}
const parse = (bytes: Uint8Array) => parseRunLog(bytes, 'run/labels.jsonl', parseEntry);

const lines = [header, ...entries].map(logLine);
const log = Buffer.concat(lines);

describe('a log', () => {
  it('is read as it was written', () => {
    expect(parse(log)).toEqual({ header, entries, end: log.length });
    expect(parse(new Uint8Array(0))).toEqual({ header: undefined, entries: [], end: 0 });
  });

  it('cut off anywhere holds the lines before the cut', () => {
    for (let length = 0; length < log.length; length++) {
      const { header: found, entries: kept, end } = parse(log.subarray(0, length));
      const whole = lines.filter((_, i) => Buffer.concat(lines.slice(0, i + 1)).length <= length);
      expect(end).toBe(Buffer.concat(whole).length);
      expect(kept).toEqual(entries.slice(0, Math.max(0, whole.length - 1)));
      expect(found).toEqual(whole.length > 0 ? header : undefined);
    }
  });

  it('followed by whatever was in a lost block holds its lines', () => {
    const block = fc.uint8Array({ maxLength: 40 }).filter((bytes) => !bytes.includes(0x0a));
    fc.assert(
      fc.property(block, (bytes) => {
        expect(parse(Buffer.concat([log, bytes]))).toEqual({ header, entries, end: log.length });
      }),
      { seed: 3, numRuns: 50 },
    );
  });

  it.each([
    ['no JSON', 'oops\n', 3],
    ['half a line', '{"label":1,"na\n', 3],
    ['nothing', '\n', 3],
    ['no entry', '{"labels":1}\n', 3],
    ['no header', '[1,2]\n', 1],
  ])('with %s on a line is refused with its number', (_, text, line) => {
    const damaged = Buffer.concat(lines.with(line - 1, Buffer.from(text)));
    let error: unknown;
    try {
      parse(damaged);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(NeuralCleanseError);
    expect(error).toMatchObject({ code: 'RUN_CORRUPT', data: { path: 'run/labels.jsonl', line } });
    expect((error as Error).message).toContain(line === 1 ? 'choose another folder' : 'Delete that line');
  });
});

describe('headers', () => {
  it('are equal whatever the order of their fields', () => {
    const { seed, settings, labels } = header;
    expect(headerDifference(header, { labels, settings: { ...settings }, seed })).toBeUndefined();
  });

  it.each([
    [{ ...header, seed: 1 }, 'seed', ['0', '1']],
    [{ ...header, labels: [0, 1] }, 'labels', ['[0,1,2]', '[0,1]']],
    [
      { ...header, settings: { steps: 10, schedule: { patience: 6 } } },
      'settings.schedule.patience',
      ['5', '6'],
    ],
    [{ ...header, provider: 'cpu' }, 'provider', ['nothing', '"cpu"']],
    [{ seed: 0, labels: [0, 1, 2] }, 'settings.schedule.patience', ['5', 'nothing']],
    [{ ...header, seed: '0' }, 'seed', ['0', '"0"']],
  ])('differ in a field that is named: %j', (other, field, values) => {
    expect(headerDifference(header, other)).toEqual({ field, values });
  });
});

import { describe, expect, it } from 'vitest';
import type { Inversion } from '../../src/detect/inversion.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { bestRecords, parseLabelRecord, recordOf, summaryOf } from '../../src/report/label-record.ts';

const inversion = (fields: Partial<Inversion> = {}): Inversion => ({
  label: 3,
  start: 0,
  status: 'reversed',
  l1: 14.700000762939453,
  asr: 0.9921875,
  trigger: { mask: float32([1, 1], [1]), pattern: float32([1, 1, 1], [255]) },
  probe: 0,
  steps: 2,
  gradientSteps: 2,
  stopped: 'early-stop',
  curve: [
    { step: 0, asr: 1 / 3, norm: 200.123456789, crossEntropy: 1e-9, cost: 0 },
    { step: 1, asr: 1, norm: 14.7, crossEntropy: 0.5, cost: 0.001 },
  ],
  seconds: 1.25,
  runtimeMs: 1000,
  ...fields,
});
const record = (fields: Partial<Inversion> = {}) => recordOf(inversion(fields), ['mask.png']);
const roundTrip = (value: unknown) => parseLabelRecord(JSON.parse(JSON.stringify(value)));

describe('a record', () => {
  it('keeps the figures exactly, and of the curve six digits', () => {
    const { trigger: _trigger, curve: _curve, ...figures } = inversion();
    expect(summaryOf(roundTrip(record()))).toEqual(figures);
    expect(roundTrip(record()).curve).toEqual({
      step: [0, 1],
      asr: [0.333333, 1],
      norm: [200.123, 14.7],
      crossEntropy: [1e-9, 0.5],
      cost: [0, 0.001],
    });
  });

  it.each([
    ['label', -1],
    ['status', 'done'],
    ['l1', null],
    ['asr', 1.01],
    ['files', 'mask.png'],
    ['more', 1],
  ])('is refused with %s %j', (name, value) => {
    expect(() => parseLabelRecord({ ...record(), [name]: value })).toThrow(name);
  });
});

describe('the record that counts', () => {
  it('is the smallest mask of a label, in whatever order they were logged', () => {
    const records = [
      record({ label: 4, l1: 9 }),
      record({ label: 3, start: 1, l1: 8 }),
      record({ label: 3, start: 0, l1: 9 }),
      record({ label: 4, start: 1, l1: 10 }),
    ];
    for (const list of [records, records.toReversed()]) {
      expect(bestRecords(list).map(({ label, start }) => [label, start])).toEqual([
        [3, 1],
        [4, 0],
      ]);
    }
  });

  it('is one that passed rather than a censored one, and the first of equal ones', () => {
    const censored = record({ status: 'censored', l1: 1 });
    expect(bestRecords([censored, record({ start: 1, l1: 50 })])[0]).toMatchObject({ start: 1, l1: 50 });
    expect(bestRecords([record({ start: 1 }), record()])[0]!.start).toBe(0);
  });
});

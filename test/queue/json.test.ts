import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromJson, toJson } from '../../src/queue/json.ts';

const numbers = fc.oneof(fc.double(), fc.constantFrom(-0, Number.NaN, Number.POSITIVE_INFINITY));
const arrays = fc.oneof(fc.float32Array(), fc.float64Array(), fc.int32Array(), fc.uint8Array());
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    numbers,
    fc.string(),
    fc.boolean(),
    fc.constant(null),
    arrays,
    fc.array(tie('value')),
    fc.dictionary(fc.string(), tie('value'), { noNullPrototype: true }),
  ),
})).value;

describe('values of tasks as text', () => {
  it('come back bit for bit', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(fromJson(toJson(value))).toStrictEqual(value);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('keep every bit of a NaN in an array', () => {
    const bits = Uint32Array.of(0x7fc00001, 0xffc12345, 0x80000000, 1);
    const back = fromJson(toJson(new Float32Array(bits.buffer))) as Float32Array;
    expect(new Uint32Array(back.buffer)).toEqual(bits);
  });

  it('take a part of a larger buffer only', () => {
    const part = new Float32Array([1, 2, 3, 4]).subarray(1, 3);
    expect(fromJson(toJson(part))).toEqual(Float32Array.of(2, 3));
  });

  it.each([new Map(), new Date(), 1n, () => 1])('refuse %s, which has no form', (value) => {
    expect(() => toJson({ value })).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
  });

  it.each(['{', '{"$float32": 1', 'undefined'])('refuse the text %s', (text) => {
    expect(() => fromJson(text)).toThrow(expect.objectContaining({ code: 'QUEUE_JOB_INVALID' }));
  });

  it('refuse an array with half an element', () => {
    expect(() => fromJson('{"$float32": "AAA="}')).toThrow(
      expect.objectContaining({ code: 'QUEUE_JOB_INVALID' }),
    );
  });
});

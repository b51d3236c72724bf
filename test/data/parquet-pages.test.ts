import { describe, expect, it } from 'vitest';
import { type ColumnChunk, decodeChunk } from '../../src/data/parquet-pages.ts';
import { thriftEnd } from '../../src/data/thrift.ts';
import { codeOf } from './support.ts';

/** Thrift's variable-length numbers. */
function varint(value: number): number[] {
  const low = value % 128;
  return value < 128 ? [low] : [low + 128, ...varint(Math.floor(value / 128))];
}
/** A field of the type i32, `step` behind the last one. */
const i32 = (step: number, value: number): number[] => [(step << 4) | 5, ...varint(2 * value)];

interface PageFields {
  readonly values: number;
  /** Plain by default. */
  readonly encoding?: number;
  readonly size?: number;
  readonly packed?: number;
}

/** A page of version 1, not compressed, with levels in runs. */
function page(body: readonly number[], fields: PageFields): number[] {
  const { values, encoding = 0, size = body.length, packed = body.length } = fields;
  const header = [...i32(1, values), ...i32(1, encoding), ...i32(1, 3), ...i32(1, 3), 0];
  return [...i32(1, 0), ...i32(1, size), ...i32(1, packed), (2 << 4) | 12, ...header, 0, ...body];
}
function dictionaryPage(body: readonly number[], values: number): number[] {
  const header = [...i32(1, values), ...i32(1, 0), 0];
  return [...i32(1, 2), ...i32(1, body.length), ...i32(1, body.length), (4 << 4) | 12, ...header, 0, ...body];
}

const chunk: ColumnChunk = { name: 'c', type: 'INT32', codec: 'UNCOMPRESSED', optionalLevels: 0, rows: 3 };
const decode = (bytes: readonly number[], change: Partial<ColumnChunk> = {}) =>
  decodeChunk(Uint8Array.from(bytes), { ...chunk, ...change });

const one = [1, 0, 0, 0];
const two = [2, 0, 0, 0];
/** Behind their length: levels in a run of `count` ones. */
const levels = (count: number): number[] => {
  const run = [...varint(2 * count), 1];
  return [run.length, 0, 0, 0, ...run];
};
const dictionaryEncoding = 8;

describe('pages', () => {
  it('follow one another', () => {
    const pages = [
      ...page([...one, ...two], { values: 2 }),
      ...page([], { values: 0 }),
      ...page(one, { values: 1 }),
    ];
    expect(decode(pages)).toEqual([1, 2, 1]);
  });

  it('hold bytes behind their length', () => {
    const values = decode(page([...two, 7, 8, 0, 0, 0, 0], { values: 2 }), { type: 'BYTE_ARRAY', rows: 2 });
    expect(values).toEqual([Uint8Array.of(7, 8), new Uint8Array(0)]);
  });

  it('leave out what is absent', () => {
    // Levels 1, 0, 1, bit-packed in a group of eight.
    const body = [2, 0, 0, 0, 3, 0b101, ...one, ...two];
    expect(decode(page(body, { values: 3 }), { optionalLevels: 1 })).toEqual([1, undefined, 2]);
  });

  it('may refer to a dictionary, by runs and by packed numbers of any width', () => {
    const dictionary = dictionaryPage([...one, ...two], 2);
    const run = page([1, 2 * 3, 1], { values: 3, encoding: dictionaryEncoding });
    expect(decode([...dictionary, ...run])).toEqual([2, 2, 2]);
    // 1, 0, 1 in eleven bits each, lowest bits first.
    const packed = page([11, 3, 1, 0, 0b01000000, 0, 0, 0, 0, 0, 0, 0, 0], {
      values: 3,
      encoding: dictionaryEncoding,
    });
    expect(decode([...dictionary, ...packed])).toEqual([2, 1, 2]);
    const none = page([0, 2 * 3], { values: 3, encoding: dictionaryEncoding });
    expect(decode([...dictionary, ...none])).toEqual([1, 1, 1]);
  });
});

describe('pages that lie', () => {
  const huge = 2 ** 30;
  it.each<[string, number[], Partial<ColumnChunk>]>([
    ['more values than rows', page([...one, ...two], { values: 4 }), {}],
    ['a huge number of values', page(one, { values: huge }), { optionalLevels: 1 }],
    ['fewer values than rows', page([...one, ...two], { values: 2 }), {}],
    ['values without bytes', page(one, { values: 3 }), {}],
    ['bytes behind the end', page([255, 255, 255, 127, 1], { values: 1 }), { type: 'BYTE_ARRAY', rows: 1 }],
    ['a page behind the end', page(one, { values: 1, packed: huge }), { rows: 1 }],
    ['levels that break off', page([2, 0, 0, 0, 7, 5], { values: 3 }), { optionalLevels: 4 }],
    ['no levels', page([], { values: 3 }), { optionalLevels: 1 }],
    ['a place outside the dictionary', page([1, 6, 1], { values: 3, encoding: dictionaryEncoding }), {}],
    ['places of 200 bits', page([200, 6, 1], { values: 3, encoding: dictionaryEncoding }), {}],
    ['a size that cannot be', page(one, { values: 3, size: huge }), { codec: 'ZSTD' }],
    ['bytes that are not compressed', page(one, { values: 3, size: 12 }), { codec: 'SNAPPY' }],
    ['nothing', [], {}],
  ])('are refused with %s', async (_, bytes, change) => {
    expect(await codeOf(() => decode(bytes, change))).toBe('DATA_CORRUPT');
  });

  it('take no memory for a run that is longer than the page', () => {
    const body = [...levels(huge), ...one, ...two, ...one];
    expect(decode(page(body, { values: 3 }), { optionalLevels: 1 })).toEqual([1, 2, 1]);
  });

  it('are refused when they unpack to more than can be held', async () => {
    const sizes = { values: 0, size: 2 ** 30 + 1 };
    const pages = [...page([], sizes), ...page([], sizes)];
    expect(await codeOf(() => decode(pages, { codec: 'UNCOMPRESSED' }))).toBe('DATA_TOO_LARGE');
  });

  it.each(['LZO', 'LZ4'])('are refused with the compression %s', async (codec) => {
    expect(await codeOf(() => decode(page(one, { values: 1 }), { codec, rows: 1 }))).toBe(
      'DATA_FORMAT_UNKNOWN',
    );
  });
});

describe('the end of a Thrift structure', () => {
  const end = (...bytes: number[]): number => thriftEnd(Uint8Array.from(bytes), 0, 'x');

  it('is found behind numbers, texts, lists and structures', () => {
    expect(end(0)).toBe(1);
    expect(end(...i32(1, 300), (1 << 4) | 8, 2, 65, 66, (1 << 4) | 9, (2 << 4) | 5, 1, 2, 0, 99)).toBe(12);
    expect(end((1 << 4) | 12, (1 << 4) | 1, 0, 0x03, 2, 5, 0)).toBe(7);
    expect(end((1 << 4) | 9, (2 << 4) | 1, 1, 2, (1 << 4) | 7, 0, 0, 0, 0, 0, 0, 0, 0, 0)).toBe(14);
  });

  it.each([
    ['a list of more elements than bytes', [(1 << 4) | 9, 0xf5, ...varint(2 ** 30)]],
    ['a text behind the end', [(1 << 4) | 8, 5, 65, 0]],
    ['a number that does not end', [(1 << 4) | 6, ...new Array<number>(40).fill(255)]],
    ['structures in structures', new Array<number>(100).fill((1 << 4) | 12)],
    ['lists in lists', [(1 << 4) | 9, ...new Array<number>(100).fill((1 << 4) | 9)]],
    ['an unknown type', [(1 << 4) | 11, 0, 0]],
    ['no end', [(1 << 4) | 5]],
  ])('is refused with %s', async (_, bytes) => {
    expect(await codeOf(() => end(...bytes))).toBe('DATA_CORRUPT');
  });
});

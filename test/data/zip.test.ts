import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { type Zippable, zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { gunzip } from '../../src/data/bytes.ts';
import { crc32, isZip, listZip, readZipEntry, zipTree } from '../../src/data/zip.ts';
import { codeOf, expectTypedErrorsOnly } from './support.ts';

const readAll = (bytes: Uint8Array): Record<string, Uint8Array> =>
  Object.fromEntries(listZip(bytes).map((entry) => [entry.path, readZipEntry(bytes, entry)]));

const text = (s: string): Uint8Array => new TextEncoder().encode(s);

/** Where the fields of the only entry's central header begin. */
const centralHeader = (bytes: Uint8Array): number =>
  bytes.findIndex((_, i) => [0x50, 0x4b, 1, 2].every((byte, k) => bytes[i + k] === byte));

describe('zip archives', () => {
  it('unpack to what was packed, stored or deflated', () => {
    const files = fc.dictionary(
      fc.stringMatching(/^[a-z]{1,8}(\/[a-z]{1,5})?$/),
      fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(0 as const, 9 as const)),
    );
    fc.assert(
      fc.property(files, (packed) => {
        const bytes = zipSync(
          Object.fromEntries(
            Object.entries(packed).map(([k, [data, level]]) => [k, [data, { level }]]),
          ) as Zippable,
        );
        const expected = Object.fromEntries(
          Object.entries(packed).map(([k, [data]]) => [k, new Uint8Array(data)]),
        );
        expect(
          Object.fromEntries(Object.entries(readAll(bytes)).map(([k, v]) => [k, new Uint8Array(v)])),
        ).toEqual(expected);
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it('are found behind a comment', () => {
    const bytes = zipSync({ 'a.txt': text('hello') });
    const commented = new Uint8Array([...bytes, ...text('made by hand')]);
    commented[bytes.length - 2] = 12;
    expect(readAll(commented)['a.txt']).toEqual(text('hello'));
  });

  it('are read where zip64 records hold counts, sizes and places', () => {
    const plain = zipSync({ 'a.txt': [text('hello'), { level: 0 }] });
    const at = centralHeader(plain);
    const central = plain.slice(at, plain.length - 22);
    // Sizes and place move to a zip64 field at the end of the central header.
    const field = new Uint8Array(4 + 24);
    const fieldView = new DataView(field.buffer);
    fieldView.setUint16(0, 1, true);
    fieldView.setUint16(2, 24, true);
    fieldView.setBigUint64(4, 5n, true);
    fieldView.setBigUint64(12, 5n, true);
    const centralView = new DataView(central.buffer);
    for (const offset of [20, 24, 42]) centralView.setUint32(offset, 0xffffffff, true);
    centralView.setUint16(30, field.length, true);
    const end64 = new Uint8Array(56 + 20);
    const endView = new DataView(end64.buffer);
    endView.setUint32(0, 0x06064b50, true);
    endView.setBigUint64(32, 1n, true);
    endView.setBigUint64(48, BigInt(at), true);
    endView.setUint32(56, 0x07064b50, true);
    endView.setBigUint64(64, BigInt(at + central.length + field.length), true);
    const end = new Uint8Array(22);
    end.set([
      0x50, 0x4b, 5, 6, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    ]);
    const bytes = new Uint8Array([...plain.subarray(0, at), ...central, ...field, ...end64, ...end]);
    expect(readAll(bytes)['a.txt']).toEqual(text('hello'));
  });

  it('may be empty', () => {
    expect(isZip(zipSync({}))).toBe(true);
    expect(listZip(zipSync({}))).toEqual([]);
  });

  it('list files and folders, but no hidden ones', async () => {
    const tree = zipTree(
      zipSync({
        'b/x/1.png': text('1'),
        'a.png': text('2'),
        'empty/': text(''),
        '.git/x': text(''),
        '__MACOSX/b/._1.png': text(''),
      }),
      'z.zip',
    );
    expect(tree.files).toEqual(['a.png', 'b/x/1.png']);
    expect(tree.folders).toEqual(['b', 'b/x', 'empty']);
    expect(await tree.read('b/x/1.png')).toEqual(text('1'));
    expect([await tree.slice('b/x/1.png', 0, 0), await tree.size('b/x/1.png')]).toEqual([text(''), 1]);
  });

  it.each(['../up.png', 'a/../../b.png', '/etc/passwd', 'C:\\x.png', '..\\x.png'])(
    'are refused with %s',
    async (path) => {
      expect(await codeOf(() => listZip(zipSync({ [path]: text('x') })))).toBe('DATA_UNSAFE_ARCHIVE');
    },
  );

  it('are refused when an entry claims to unpack to more than deflate can', async () => {
    const bytes = zipSync({ 'bomb.png': [new Uint8Array(5000), { level: 9 }] });
    new DataView(bytes.buffer).setUint32(centralHeader(bytes) + 24, 2_000_000_000, true);
    expect(await codeOf(() => readAll(bytes))).toBe('DATA_CORRUPT');
    new DataView(bytes.buffer).setUint32(centralHeader(bytes) + 24, 4_000_000_000, true);
    expect(await codeOf(() => readAll(bytes))).toBe('DATA_TOO_LARGE');
  });

  it.each([
    ['more', 4999],
    ['less', 5001],
  ])('are refused when an entry holds %s than stated', async (_, stated) => {
    const bytes = zipSync({ 'a.png': [new Uint8Array(5000), { level: 9 }] });
    new DataView(bytes.buffer).setUint32(centralHeader(bytes) + 24, stated, true);
    expect(await codeOf(() => readAll(bytes))).toBe('DATA_CORRUPT');
  });

  it('are refused when a stored byte changed', async () => {
    const bytes = zipSync({ 'a.png': [text('hello'), { level: 0 }] });
    bytes[bytes.indexOf('h'.charCodeAt(0), 35)] = 0;
    expect(await codeOf(() => readAll(bytes))).toBe('DATA_CORRUPT');
  });

  it('are refused when their files overlap', async () => {
    // Two entries of one place: with thousands of them a small archive unpacks to a huge one.
    const bytes = zipSync({ 'a.png': [new Uint8Array(5000), { level: 0 }] });
    const at = centralHeader(bytes);
    const entry = bytes.subarray(at, bytes.length - 22);
    const twice = new Uint8Array([
      ...bytes.subarray(0, at),
      ...entry,
      ...entry,
      ...bytes.subarray(bytes.length - 22),
    ]);
    new DataView(twice.buffer).setUint16(twice.length - 22 + 10, 2, true);
    expect(await codeOf(() => listZip(twice))).toBe('DATA_CORRUPT');
  });

  it.each([
    ['encryption', 8, 1],
    ['another compression', 10, 93],
  ])('are refused with %s', async (_, offset, value) => {
    const bytes = zipSync({ 'a.png': text('hello') });
    bytes[centralHeader(bytes) + offset] = value;
    expect(await codeOf(() => readAll(bytes))).toBe('DATA_FORMAT_UNKNOWN');
  });

  it('end in typed errors only', async () => {
    const bytes = zipSync({
      'a/b.png': text('hello hello hello hello'),
      'c.npy': [text('stored'), { level: 0 }],
    });
    await expectTypedErrorsOnly(bytes, readAll, 1000);
  });

  it('have the checksum of the PNG and zip specifications', () => {
    expect(crc32(text('123456789'))).toBe(0xcbf43926);
  });
});

describe('gzip files', () => {
  const packed = new Uint8Array(gzipSync(text('hello hello hello')));

  it('unpack', () => {
    expect(gunzip(packed, 'x.gz')).toEqual(text('hello hello hello'));
  });

  it.each([
    ['too short', packed.subarray(0, 10)],
    ['cut off', packed.subarray(0, packed.length - 1)],
    ['stating another size', new Uint8Array([...packed.subarray(0, -4), 9, 0, 0, 0])],
    ['stating a size that deflate cannot reach', new Uint8Array([...packed.subarray(0, -4), 0, 0, 0, 1])],
  ])('are refused when %s', async (_, bytes) => {
    expect(await codeOf(() => gunzip(bytes, 'x.gz'))).toBe('DATA_CORRUPT');
  });

  it('end in typed errors only', async () => {
    await expectTypedErrorsOnly(packed, (bytes) => gunzip(bytes, 'x.gz'));
  });
});

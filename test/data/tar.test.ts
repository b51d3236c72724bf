import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { gunzipStart } from '../../src/data/bytes.ts';
import type { ImageSet } from '../../src/data/dataset.ts';
import { decodeImage } from '../../src/data/decode.ts';
import { readDataset } from '../../src/data/open.ts';
import { listTar, tarTree } from '../../src/data/tar.ts';
import { isTar } from '../../src/data/tar-header.ts';
import { codeOf, expectTypedErrorsOnly, type Files, memoryTree, ppm, temporaryFolder } from './support.ts';

const text = (s: string): Uint8Array => new TextEncoder().encode(s);

interface Entry {
  readonly path: string;
  readonly content?: Uint8Array | string;
  readonly type?: string;
  /** As the header states it: octal digits, or bytes. */
  readonly size?: string;
  readonly prefix?: string;
}

/** Headers of the ustar format with their contents, and the two empty blocks of the end. */
function tar(...entries: readonly Entry[]): Uint8Array {
  const parts = entries.map(({ path, content = '', type = '0', size, prefix = '' }) => {
    const bytes = typeof content === 'string' ? text(content) : content;
    const header = new Uint8Array(512);
    const put = (at: number, field: string): void =>
      header.set(
        Uint8Array.from(field, (c) => c.charCodeAt(0)),
        at,
      );
    put(0, path);
    put(124, size ?? bytes.length.toString(8).padStart(11, '0'));
    put(148, '        ');
    put(156, type);
    put(257, 'ustar\x0000');
    put(345, prefix);
    const sum = header.reduce((total, byte) => total + byte, 0);
    put(148, `${sum.toString(8).padStart(6, '0')}\0 `);
    const padded = new Uint8Array(Math.ceil(bytes.length / 512) * 512);
    padded.set(bytes);
    return [...header, ...padded];
  });
  return Uint8Array.from([...parts.flat(), ...new Uint8Array(1024)]);
}

const pax = (...records: readonly string[]): Entry => ({
  path: 'pax',
  type: 'x',
  content: records
    .map((record) => {
      const length = record.length + 2;
      const digits = String(length + String(length).length).length;
      return `${length + digits} ${record}\n`;
    })
    .join(''),
});

const contents = async (bytes: Uint8Array): Promise<Record<string, string>> => {
  const tree = tarTree(bytes, 'a.tar');
  const files = tree.files.map(async (path) => [path, new TextDecoder().decode(await tree.read(path))]);
  return Object.fromEntries(await Promise.all(files));
};

describe('tar archives', () => {
  it('hold files and folders', async () => {
    const tree = tarTree(
      tar(
        { path: './', type: '5' },
        { path: './b/', type: '5' },
        { path: './b/x.txt', content: 'hello' },
        { path: 'empty/', type: '5' },
        { path: 'c.bin', content: new Uint8Array(513).fill(7), type: '\0' },
        { path: '.hidden', content: 'x' },
      ),
      'a.tar',
    );
    expect([tree.files, tree.folders]).toEqual([
      ['b/x.txt', 'c.bin'],
      ['b', 'empty'],
    ]);
    expect(new TextDecoder().decode(await tree.read('b/x.txt'))).toBe('hello');
    expect([await tree.size('c.bin'), await tree.slice('c.bin', 511, 600)]).toEqual([
      513,
      Uint8Array.of(7, 7),
    ]);
  });

  it('may have long names: ustar, pax and GNU', async () => {
    const long = `${'d'.repeat(90)}/${'f'.repeat(90)}`;
    const archive = tar(
      { path: 'name', prefix: 'folder', content: '1' },
      pax('mtime=1.5', `path=${long}1`, 'comment=a=b'),
      { path: 'short', content: '2' },
      { path: '././@LongLink', type: 'L', content: `${long}3\0` },
      { path: 'short', content: '3' },
      { path: 'last', content: '4' },
    );
    expect(await contents(archive)).toEqual({
      'folder/name': '1',
      [`${long}1`]: '2',
      [`${long}3`]: '3',
      last: '4',
    });
  });

  it('may have sizes as binary numbers and in pax headers', async () => {
    const binary = `\x80${'\0'.repeat(10)}\x05`;
    const archive = tar({ path: 'a', content: 'hello', size: binary }, pax('size=3'), {
      path: 'b',
      content: 'abc',
      size: '00000000000',
    });
    expect(await contents(archive)).toEqual({ a: 'hello', b: 'abc' });
  });

  it('are read as the tar program writes them', async () => {
    const name = `${'long'.repeat(40)}.txt`;
    const folder = await temporaryFolder({ 'in/a.txt': 'one', [`in/${name}`]: 'two' });
    mkdirSync(join(folder, 'in/empty'));
    symlinkSync('/etc/passwd', join(folder, 'in/link'));
    for (const format of ['ustar', 'gnu', 'posix', 'v7']) {
      const members = format === 'v7' || format === 'ustar' ? ['a.txt', 'empty', 'link'] : ['.'];
      const bytes = new Uint8Array(
        execFileSync('tar', ['-c', `--format=${format}`, ...members], { cwd: join(folder, 'in') }),
      );
      expect(isTar(bytes)).toBe(true);
      const tree = tarTree(bytes, 'a.tar');
      expect(tree.files).toEqual(members.length === 1 ? ['a.txt', name] : ['a.txt']);
      expect([tree.folders, tree.skipped]).toEqual([
        ['empty'],
        [{ path: 'link', reason: 'a link, which is not followed' }],
      ]);
    }
  });

  it('leave out links and devices, and say so', () => {
    const archive = tar(
      { path: 'a', type: '1' },
      { path: 'b', type: '2' },
      { path: 'c', type: '3' },
      { path: 'd', type: 'S' },
      { path: 'e', type: 'Z' },
    );
    expect(listTar(archive).files).toEqual([]);
    expect(listTar(archive).skipped.map(({ reason }) => reason)).toEqual([
      'a link, which is not followed',
      'a link, which is not followed',
      'a device',
      'a sparse file',
      'an entry of type "Z"',
    ]);
  });

  it.each<[string, Entry[]]>([
    ['../up.png', [{ path: '../up.png' }]],
    ['an absolute path', [{ path: '/etc/passwd' }]],
    ['a drive', [{ path: 'C:\\x.png' }]],
    ['a pax path', [pax('path=a/../../b'), { path: 'short' }]],
    ['a GNU path', [{ path: 'l', type: 'L', content: '../b' }, { path: 'short' }]],
    ['a prefix', [{ path: 'b', prefix: '..' }]],
  ])('are refused with %s', async (_, entries) => {
    expect(await codeOf(() => listTar(tar(...entries)))).toBe('DATA_UNSAFE_ARCHIVE');
  });

  it.each<[string, Uint8Array]>([
    ['a size behind the end', tar({ path: 'a', size: '77777777777' })],
    ['a size of 2^88', tar({ path: 'a', size: `\x80${'\xff'.repeat(11)}` })],
    ['a negative size', tar({ path: 'a', size: '\xff'.repeat(12) })],
    ['a size that is no number', tar({ path: 'a', size: '0000000009x' })],
    ['a pax size that is no number', tar(pax('size=1.5'), { path: 'a' })],
    ['a pax header without a length', tar({ path: 'p', type: 'x', content: 'path=a' })],
    ['a pax header with a false length', tar({ path: 'p', type: 'x', content: '99 path=a\n' })],
    ['a name of megabytes', tar({ path: 'l', type: 'L', content: new Uint8Array(2 ** 20 + 1) })],
    ['no header in the middle', tar({ path: 'a', content: 'x' }).fill(1, 1024, 1536)],
    [
      'half a header',
      tar({ path: 'a', content: 'x' })
        .subarray(0, 1024 + 100)
        .fill(1, 1024),
    ],
  ])('are refused with %s', async (_, bytes) => {
    expect(await codeOf(() => listTar(bytes))).toBe('DATA_CORRUPT');
  });

  it('are told by the checksum of their first header', () => {
    const archive = tar({ path: 'a', content: 'x' });
    expect(isTar(archive)).toBe(true);
    expect(isTar(Uint8Array.from(archive).fill(66, 0, 1))).toBe(false);
    expect(isTar(archive.subarray(0, 511))).toBe(false);
    expect(isTar(new Uint8Array(1024))).toBe(false);
  });

  it('may be cut off behind the last file', async () => {
    expect(await contents(tar({ path: 'a', content: 'x' }).subarray(0, 1024))).toEqual({ a: 'x' });
  });

  it('end in typed errors only', async () => {
    const archive = tar(pax('path=long/a.txt'), { path: 'a', content: 'hello' }, { path: 'b', type: '5' });
    await expectTypedErrorsOnly(archive, contents, 1000);
  });
});

describe('datasets in tar archives', () => {
  const read = (files: Files, file?: string): Promise<ImageSet> =>
    readDataset(memoryTree(files), file, {}, { decodeImage });
  const folder = tar(
    { path: 'set/0/a.ppm', content: ppm(2, 2, [1]) },
    { path: 'set/1/b.ppm', content: ppm(2, 2, [2]) },
    { path: 'set/1/c.ppm', type: '2' },
  );

  it.each([
    ['as they are', 'a.tar', folder],
    ['packed', 'a.tar.gz', new Uint8Array(gzipSync(folder))],
    ['packed, under any name', 'images', new Uint8Array(gzipSync(folder))],
  ])('open as the folder in them: %s', async (_, name, bytes) => {
    const set = await read({ [name]: bytes }, name);
    expect([set.count, [...set.labels!], set.images[0], set.images[4]]).toEqual([2, [0, 1], 1, 2]);
    expect(set.skipped).toEqual([{ path: 'set/1/c.ppm', reason: 'a link, which is not followed' }]);
  });

  it('open from a folder that holds nothing else', async () => {
    expect((await read({ 'cifar.tgz': new Uint8Array(gzipSync(folder)), 'README.md': '' })).count).toBe(2);
  });

  it('may hold CIFAR batches', async () => {
    const batch = new Uint8Array(2 * 3073);
    batch[0] = 4;
    const archive = tar({ path: 'cifar-10-batches-bin/test_batch.bin', content: batch });
    const set = await read({ 'a.tar.gz': new Uint8Array(gzipSync(archive)) }, 'a.tar.gz');
    expect([set.count, [...set.labels!], set.classes]).toEqual([2, [4, 0], 10]);
  });

  it('are not opened inside another archive', async () => {
    for (const inner of [folder, new Uint8Array(gzipSync(folder)), zipSync({ '0/a.ppm': ppm(2, 2, [1]) })]) {
      for (const name of ['inner.tar', 'inner.tgz', 'inner.zip']) {
        const outer = tar({ path: name, content: inner });
        expect(await codeOf(() => read({ 'a.tar': outer }, 'a.tar'))).toBe('DATA_FORMAT_UNKNOWN');
      }
    }
  });

  it('are refused when pickled, with what to do instead', async () => {
    const archive = tar({ path: 'cifar-10-batches-py/data_batch_1', content: Uint8Array.of(0x80, 2, 0x7d) });
    await expect(read({ 'a.tar': archive }, 'a.tar')).rejects.toThrow(/Python pickles.*numpy\.savez/);
  });

  it('are refused when they unpack to more than deflate can', async () => {
    const bytes = new Uint8Array(gzipSync(folder));
    new DataView(bytes.buffer).setUint32(bytes.length - 4, 2 ** 31 - 1, true);
    expect(await codeOf(() => read({ 'a.tgz': bytes }, 'a.tgz'))).toBe('DATA_CORRUPT');
  });

  it('do not let an image unpack to more than images have', async () => {
    const bomb = { path: '0/bomb.png', size: (2 ** 28 + 1).toString(8) };
    const bytes = new Uint8Array(2 ** 28 + 4096);
    bytes.set(tar(bomb).subarray(0, 512));
    const set = read({ 'a.tar': bytes }, 'a.tar');
    await expect(set).rejects.toThrow(/bomb\.png has 268435457 bytes/);
  });
});

it('the first bytes of a gzip file unpack alone', () => {
  const archive = tar({ path: 'a', content: new Uint8Array(100_000).map((_, i) => (i * 2654435761) >>> 13) });
  const packed = new Uint8Array(gzipSync(archive));
  expect(isTar(gunzipStart(packed.subarray(0, 2056)))).toBe(true);
  expect(gunzipStart(Uint8Array.of(0x1f, 0x8b, 8)).length).toBe(0);
  expect(gunzipStart(new Uint8Array(100)).length).toBe(0);
});

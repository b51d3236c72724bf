import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseNpy, writeNpy } from '../../src/data/npy.ts';
import { listZip, readZipEntry } from '../../src/data/zip.ts';
import { float32, type Tensor, toNumbers } from '../../src/onnx/tensor.ts';
import { codeOf, expectTypedErrorsOnly } from './support.ts';

const archive = readFileSync('test/fixtures/npy/numpy.npz');

/** A .npy file with any header text. */
function npy(header: string, elements: readonly number[] = [], major = 1): Uint8Array {
  const text = new TextEncoder().encode(header);
  const length =
    major === 1 ? [text.length & 255, text.length >> 8] : [text.length & 255, text.length >> 8, 0, 0];
  return new Uint8Array([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, major, 0, ...length, ...text, ...elements]);
}

const header = (descr: string, shape: string): string =>
  `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }\n`;

describe('.npy files of NumPy', () => {
  it('read the same in every type, byte order, axis order and version', () => {
    const entries = listZip(archive);
    expect(entries).toHaveLength(12 * 2 * 2 * 3);
    for (const entry of entries) {
      const tensor = parseNpy(readZipEntry(archive, entry));
      const expected = Array.from({ length: 24 }, (_, i) => (tensor.dtype === 'bool' ? Math.sign(i) : i));
      expect([entry.path, tensor.dims, toNumbers(tensor)]).toEqual([entry.path, [2, 3, 4], expected]);
    }
    expect(new Set(entries.map((entry) => parseNpy(readZipEntry(archive, entry)).dtype)).size).toBe(12);
  });

  it('read scalars, one axis, no elements and the long integers of Python 2', () => {
    expect(parseNpy(npy(header('|u1', '()'), [7]))).toEqual({
      dtype: 'uint8',
      dims: [],
      data: Uint8Array.of(7),
    });
    expect(parseNpy(npy(header('|u1', '(2L,)'), [7, 8])).dims).toEqual([2]);
    expect(parseNpy(npy(header('<f4', '(0, 3)'))).data).toEqual(new Float32Array(0));
  });

  it.each([
    ['objects', header('|O', '(1,)')],
    ['strings', header('<U3', '(1,)')],
    ['complex numbers', header('<c8', '(1,)')],
    ['structures', "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }"],
  ])('are refused with %s', async (_, text) => {
    expect(await codeOf(() => parseNpy(npy(text, new Array(16).fill(0))))).toBe('DATA_FORMAT_UNKNOWN');
  });

  it.each([
    ['another signature', Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)],
    ['version 4', npy(header('<f4', '(1,)'), [0, 0, 0, 0], 4)],
    ['a header that is cut off', npy(header('<f4', '(1,)')).subarray(0, 30)],
    ['elements that are cut off', npy(header('<f4', '(2,)'), [0, 0, 0, 0, 0])],
    ['a header of other text', npy('{"rows": 3}')],
    ['more elements than any file', npy(header('<f8', '(999999999, 999999999, 999999999)'))],
    ['a dimension beyond whole numbers', npy(header('|u1', '(99999999999999999999,)'))],
  ])('are refused with %s', async (_, bytes) => {
    expect(await codeOf(() => parseNpy(bytes))).toBe('DATA_CORRUPT');
  });

  it('read from a view into a larger buffer', () => {
    const bytes = npy(header('<u2', '(2,)'), [1, 2, 3, 4]);
    const shifted = Buffer.concat([Buffer.from([0, 0, 0]), bytes]).subarray(3);
    expect(toNumbers(parseNpy(shifted))).toEqual([513, 1027]);
  });

  it('end in typed errors only', async () => {
    await expectTypedErrorsOnly(writeNpy(float32([2, 3], [1, 2, 3, 4, 5, 6])), parseNpy, 1000);
    await expectTypedErrorsOnly(readZipEntry(archive, listZip(archive).at(-1)!), parseNpy);
  });
});

describe('writing .npy files', () => {
  it('keeps every bit of float32', () => {
    const values = fc.float32Array({ maxLength: 40 });
    fc.assert(
      fc.property(values, (data) => {
        const back = parseNpy(writeNpy(float32([data.length], data)));
        expect(back.dims).toEqual([data.length]);
        const bits = (values: Float32Array) => new Uint32Array(values.slice().buffer);
        expect(bits(back.data as Float32Array)).toEqual(bits(data));
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it('writes what NumPy writes', () => {
    for (const entry of listZip(archive)) {
      if (!/_little_c_v1/.test(entry.path)) continue;
      const original = readZipEntry(archive, entry);
      expect([entry.path, writeNpy(parseNpy(original))]).toEqual([entry.path, new Uint8Array(original)]);
    }
  });

  it('begins the elements at a multiple of 64', () => {
    for (let rank = 0; rank < 12; rank++) {
      const file = writeNpy(float32(new Array(rank).fill(1), [1]));
      expect((file.length - 4) % 64).toBe(0);
    }
  });

  it('refuses types that NumPy does not have', async () => {
    const tensor: Tensor = { dtype: 'bfloat16', dims: [1], data: Uint16Array.of(1) };
    expect(await codeOf(() => writeNpy(tensor))).toBe('DATA_FORMAT_UNKNOWN');
  });
});

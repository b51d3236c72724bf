import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseNpy } from '../../src/data/npy.ts';
import { type Channels, convertChannels, type Pixels, type Raster } from '../../src/data/raster.ts';
import { fitTo, resizeBilinear } from '../../src/data/resize.ts';
import { listZip, readZipEntry } from '../../src/data/zip.ts';

const archive = readFileSync('test/fixtures/resize/pillow.npz');
const entries = new Map(listZip(archive).map((entry) => [entry.path, entry]));

function imageOf(name: string): Raster {
  const { dims, data } = parseNpy(readZipEntry(archive, entries.get(`${name}.npy`)!));
  return { height: dims[0]!, width: dims[1]!, channels: (dims[2] ?? 1) as Channels, data: data as Pixels };
}

const names = [...entries.keys()].filter((path) => path.endsWith('.in.npy')).map((path) => path.slice(0, -7));

describe('resizing as Pillow does', () => {
  it.each(names.filter((name) => name !== 'luma'))('%s is the same to the last bit', (name) => {
    const expected = imageOf(`${name}.out`);
    expect(resizeBilinear(imageOf(`${name}.in`), expected.height, expected.width)).toEqual(expected);
  });

  it('covers rows, columns, enlarging and reducing, bytes and floats', () => {
    expect(names.length).toBe(14);
  });

  it('hands back an image that has the size', () => {
    const image = imageOf('rgb_down.in');
    expect(resizeBilinear(image, image.height, image.width)).toBe(image);
  });

  it('keeps the values of one colour', () => {
    for (const value of [0, 1, 127, 254, 255]) {
      const image: Raster = { height: 9, width: 7, channels: 3, data: new Uint8Array(9 * 7 * 3).fill(value) };
      expect(new Set(resizeBilinear(image, 4, 31).data)).toEqual(new Set([value]));
    }
  });
});

describe('channels', () => {
  it('makes grey as Pillow does', () => {
    expect(convertChannels(imageOf('luma.in'), 1)).toEqual(imageOf('luma.out'));
  });

  it('makes grey of floats with the same weights', () => {
    const image: Raster = { height: 1, width: 2, channels: 3, data: Float32Array.of(1, 0, 0, 0.25, 0.5, 1) };
    const [red, mixed] = convertChannels(image, 1).data;
    expect(red).toBeCloseTo(0.299, 6);
    expect(mixed).toBeCloseTo(0.299 * 0.25 + 0.587 * 0.5 + 0.114, 6);
  });

  it('repeats grey for RGB', () => {
    const image: Raster = { height: 1, width: 2, channels: 1, data: Uint8Array.of(7, 200) };
    expect([...convertChannels(image, 3).data]).toEqual([7, 7, 7, 200, 200, 200]);
  });

  it('converts before it resizes', () => {
    const image = imageOf('rgb_down.in');
    expect(fitTo(image, { size: [9, 8], channels: 1 })).toEqual(
      resizeBilinear(convertChannels(image, 1), 9, 8),
    );
  });
});

import { describe, expect, it } from 'vitest';
import { decodeImage } from '../../src/data/decode.ts';
import type { Raster } from '../../src/data/raster.ts';
import { picture, pictureOf } from '../../src/report/html/picture.ts';

const bytesOf = (uri: string): Uint8Array => Uint8Array.from(Buffer.from(uri.split(',')[1]!, 'base64'));

describe('a picture in a report', () => {
  const raster = (height: number, width: number): Raster<Uint8Array> => ({
    height,
    width,
    channels: 1,
    data: new Uint8Array(height * width).fill(200),
  });

  it('keeps its size up to the longest edge, and is made smaller beyond', async () => {
    expect(pictureOf(raster(32, 20), 32)).toMatchObject({ height: 32, width: 20 });
    const small = pictureOf(raster(224, 100), 64);
    expect(small).toMatchObject({ height: 64, width: 29 });
    const decoded = await decodeImage(bytesOf(small.uri));
    expect(decoded).toMatchObject({ height: 64, width: 29 });
    expect(new Set(decoded.data)).toEqual(new Set([200]));
    expect(pictureOf(raster(1000, 1), 10)).toMatchObject({ height: 10, width: 1 });
  });

  it('is nothing but a PNG data URI', () => {
    const good = pictureOf(raster(3, 3), 3);
    expect(picture.parse(good)).toEqual(good);
    for (const uri of [
      'https://example.org/x.png',
      `${good.uri}" onerror="x`,
      'data:text/html;base64,AAAA',
    ]) {
      expect(picture.safeParse({ ...good, uri }).success).toBe(false);
    }
  });
});

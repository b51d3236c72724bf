import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodeImage } from '../../src/data/decode.ts';
import { crc32 } from '../../src/data/zip.ts';
import { codeOf, expectTypedErrorsOnly } from './support.ts';

/** 2 × 3 pixels of distinct values. */
const rgb = Uint8Array.from({ length: 18 }, (_, i) => i * 14);
const colour = sharp(rgb, { raw: { width: 3, height: 2, channels: 3 } });
const grey = sharp(rgb.subarray(0, 6), { raw: { width: 3, height: 2, channels: 1 } }).toColourspace('b-w');

describe('image files', () => {
  it.each([
    ['PNG', () => colour.clone().png()],
    ['lossless WebP', () => colour.clone().webp({ lossless: true })],
    ['TIFF', () => colour.clone().tiff({ compression: 'none' })],
  ])('decode from %s', async (_, encode) => {
    const image = await decodeImage(await encode().toBuffer());
    expect(image).toEqual({ height: 2, width: 3, channels: 3, data: rgb });
  });

  it('decode from JPEG', async () => {
    const flat = sharp({
      create: { width: 16, height: 8, channels: 3, background: { r: 200, g: 100, b: 50 } },
    });
    const image = await decodeImage(await flat.jpeg({ quality: 100 }).toBuffer());
    expect([image.height, image.width, image.channels]).toEqual([8, 16, 3]);
    for (const [i, value] of [200, 100, 50].entries())
      expect(Math.abs(image.data[i]! - value)).toBeLessThanOrEqual(2);
  });

  it('have one channel where the file is grey', async () => {
    const image = await decodeImage(await grey.clone().png().toBuffer());
    expect(image).toEqual({ height: 2, width: 3, channels: 1, data: rgb.subarray(0, 6) });
  });

  it('have three channels where the file has a palette', async () => {
    const image = await decodeImage(await colour.clone().png({ palette: true, colours: 16 }).toBuffer());
    expect([image.channels, image.data.length]).toEqual([3, 18]);
  });

  it('give the high byte of 16 bits', async () => {
    const wide = Uint16Array.of(0, 255, 256, 0x7fff, 0x80ff, 0xffff);
    const raw = { width: 3, height: 2, channels: 1 } as const;
    const png = await sharp(wide, { raw }).toColourspace('grey16').png().toBuffer();
    expect((await sharp(png).metadata()).depth).toBe('ushort');
    const image = await decodeImage(png);
    expect([image.channels, [...image.data]]).toEqual([1, [0, 0, 1, 0x7f, 0x80, 0xff]]);
  });

  it('lie over black where they are transparent', async () => {
    const rgba = Uint8Array.of(200, 100, 50, 255, 200, 100, 50, 0, 200, 100, 50, 128);
    const png = await sharp(rgba, { raw: { width: 3, height: 1, channels: 4 } })
      .png()
      .toBuffer();
    const { channels, data } = await decodeImage(png);
    expect([channels, [...data.subarray(0, 6)]]).toEqual([3, [200, 100, 50, 0, 0, 0]]);
    for (const [i, value] of [200, 100, 50].entries())
      expect(Math.abs(data[6 + i]! - (value * 128) / 255)).toBeLessThanOrEqual(1);
  });

  it('stand upright as their EXIF orientation says', async () => {
    // 6: the first row of the file is the right column of the picture.
    const turned = await colour.clone().png().withMetadata({ orientation: 6 }).toBuffer();
    const image = await decodeImage(turned);
    expect([image.height, image.width]).toEqual([3, 2]);
    expect([...image.data.subarray(3, 6)]).toEqual([...rgb.subarray(0, 3)]);
  });

  it('are refused when cut off, empty, unknown or larger than can be', async () => {
    const png = new Uint8Array(await colour.clone().png().toBuffer());
    expect(await codeOf(() => decodeImage(png.subarray(0, 60)))).toBe('DATA_CORRUPT');
    expect(await codeOf(() => decodeImage(new Uint8Array(0)))).toBe('DATA_CORRUPT');
    expect(await codeOf(() => decodeImage(new TextEncoder().encode('BM no bitmap')))).toBe('DATA_CORRUPT');
    const huge = png.slice();
    const view = new DataView(huge.buffer);
    view.setUint32(16, 70_000); // width
    view.setUint32(20, 1_000); // height
    view.setUint32(29, crc32(huge.subarray(12, 29)));
    await expect(decodeImage(huge)).rejects.toMatchObject({
      code: 'DATA_CORRUPT',
      message: expect.stringContaining('pixel limit'),
    });
  });

  it('end in typed errors only', async () => {
    await expectTypedErrorsOnly(new Uint8Array(await colour.clone().png().toBuffer()), decodeImage, 100);
    await expectTypedErrorsOnly(new Uint8Array(await colour.clone().jpeg().toBuffer()), decodeImage, 100);
  });
});

/** Writes PNG files, without any change of values. Node only: sharp does the work. */

import sharp from 'sharp';
import type { Raster } from './raster.ts';

/** The PNG file of an image: 8 bits, gray for one channel and RGB for three. */
export async function encodePng({ height, width, channels, data }: Raster<Uint8Array>): Promise<Uint8Array> {
  const image = sharp(data, { raw: { width, height, channels } });
  // Without this sharp writes gray as RGB.
  return (channels === 1 ? image.toColourspace('b-w') : image).png().toBuffer();
}

/** Decoding of image files in Node, by sharp (libvips). */

import sharp from 'sharp';
import { corrupt } from './bytes.ts';
import type { Raster } from './raster.ts';

/** Larger images are refused before they are decoded: 8192 × 8192. */
const maxPixels = 2 ** 26;

/**
 * Decodes as Pillow's `convert('L')` and `convert('RGB')` see a file: 8 bits a channel (the high byte of 16), colour
 * profiles ignored. The EXIF orientation is applied, transparency is laid over black. Of an animation, the first picture.
 *
 * @throws NeuralCleanseError DATA_CORRUPT
 */
export async function decodeImage(bytes: Uint8Array): Promise<Raster<Uint8Array>> {
  try {
    const image = sharp(bytes, {
      failOn: 'error',
      limitInputPixels: maxPixels,
      ignoreIcc: true,
      autoOrient: true,
    });
    const { space } = await image.metadata();
    const grey = space === 'b-w' || space === 'grey16';
    const flat = image.flatten();
    const { data, info } = await (grey ? flat.extractChannel(0) : flat)
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { height: info.height, width: info.width, channels: grey ? 1 : 3, data: new Uint8Array(data) };
  } catch (cause) {
    const reason = (cause instanceof Error ? cause.message : String(cause)).split('\n')[0];
    throw corrupt(`the image cannot be decoded (${reason})`, cause);
  }
}

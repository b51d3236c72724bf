/** Decoding of image files in a browser, by what it shows pages with. */

import { NeuralCleanseError } from '../errors.ts';
import type { Raster } from './raster.ts';

/** The globals that are used here. The types of the DOM would let every file of the core use all of them. */
interface Browser {
  createImageBitmap(file: Blob, options: Readonly<Record<string, string>>): Promise<Bitmap>;
  readonly OffscreenCanvas: new (width: number, height: number) => Canvas;
}
interface Bitmap {
  readonly width: number;
  readonly height: number;
  close(): void;
}
interface Canvas {
  getContext(kind: '2d', options: Readonly<Record<string, unknown>>): Context;
}
interface Context {
  fillStyle: string;
  fillRect(x: number, y: number, width: number, height: number): void;
  drawImage(bitmap: Bitmap, x: number, y: number): void;
  getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray };
}

const browser = globalThis as unknown as Browser;

/** Larger images are refused: 8192 × 8192. */
const maxPixels = 2 ** 26;

/**
 * Decodes as {@link decodeImage} of Node does: colour profiles ignored, the orientation applied, transparency over black.
 * An image is grey if all its pixels are.
 *
 * @throws NeuralCleanseError DATA_CORRUPT, DATA_TOO_LARGE
 */
export async function decodeImage(bytes: Uint8Array): Promise<Raster<Uint8Array>> {
  const bitmap = await browser
    .createImageBitmap(new Blob([new Uint8Array(bytes)]), {
      colorSpaceConversion: 'none',
      imageOrientation: 'from-image',
    })
    .catch((cause: unknown) => {
      throw new NeuralCleanseError('DATA_CORRUPT', 'The image cannot be decoded by this browser.', {
        hint: 'PNG, JPEG, WebP, GIF, BMP and PPM are read; convert TIFF, and copy damaged files again.',
        cause,
      });
    });
  try {
    const { width, height } = bitmap;
    if (width * height > maxPixels) {
      throw new NeuralCleanseError('DATA_TOO_LARGE', `The image has ${width}×${height} pixels.`, {
        hint: `At most ${maxPixels} pixels are read.`,
      });
    }
    const context = new browser.OffscreenCanvas(width, height).getContext('2d', {
      willReadFrequently: true,
    });
    context.fillStyle = '#000';
    context.fillRect(0, 0, width, height);
    context.drawImage(bitmap, 0, 0);
    return withoutAlpha(context.getImageData(0, 0, width, height).data, height, width);
  } finally {
    bitmap.close();
  }
}

function withoutAlpha(rgba: Uint8ClampedArray, height: number, width: number): Raster<Uint8Array> {
  const area = height * width;
  const rgb = new Uint8Array(3 * area);
  let grey = true;
  for (let p = 0; p < area; p++) {
    const [r, g, b] = [rgba[4 * p]!, rgba[4 * p + 1]!, rgba[4 * p + 2]!];
    rgb.set([r, g, b], 3 * p);
    grey &&= r === g && g === b;
  }
  if (!grey) return { height, width, channels: 3, data: rgb };
  return { height, width, channels: 1, data: Uint8Array.from({ length: area }, (_, p) => rgb[3 * p]!) };
}

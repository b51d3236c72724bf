/** Pictures inside of a report: small PNG files as data URIs, made by the same code in Node and in a browser. */

import { zlibSync } from 'fflate';
import { z } from 'zod';
import type { Raster } from '../../data/raster.ts';
import { resizeBilinear } from '../../data/resize.ts';
import { crc32 } from '../../data/zip.ts';

/** Height and width are those of the file in `uri`, in pixels. */
export const picture = z.strictObject({
  uri: z.string().regex(/^data:image\/png;base64,[A-Za-z0-9+/]+={0,2}$/),
  height: z.int().positive(),
  width: z.int().positive(),
});

export type Picture = z.infer<typeof picture>;

/** @param edge longest edge in pixels; what is larger is made smaller */
export function pictureOf(raster: Raster<Uint8Array>, edge: number): Picture {
  const scale = Math.min(1, edge / Math.max(raster.height, raster.width));
  const size = (length: number): number => Math.max(1, Math.round(length * scale));
  const small = resizeBilinear(raster, size(raster.height), size(raster.width));
  return {
    uri: `data:image/png;base64,${base64(encodePng(small))}`,
    height: small.height,
    width: small.width,
  };
}

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** The PNG file of 8-bit gray or RGB. https://www.w3.org/TR/png-3/ */
export function encodePng(raster: Raster<Uint8Array>): Uint8Array {
  const { height, width, channels } = raster;
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, channels === 1 ? 0 : 2], 8);
  const chunks = [
    Uint8Array.from(signature),
    chunk('IHDR', header),
    chunk('IDAT', zlibSync(filtered(raster), { level: 9 })),
    chunk('IEND', new Uint8Array()),
  ];
  const file = new Uint8Array(chunks.reduce((length, bytes) => length + bytes.length, 0));
  let at = 0;
  for (const bytes of chunks) {
    file.set(bytes, at);
    at += bytes.length;
  }
  return file;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  view.setUint32(data.length + 8, crc32(bytes.subarray(4, data.length + 8)) >>> 0);
  return bytes;
}

/**
 * Every row with its filter type in front: none, which suits the zeros of masks, or the Paeth predictor, which suits
 * photographs; whichever leaves the smaller values (PNG §12.7).
 */
function filtered({ height, width, channels, data }: Raster<Uint8Array>): Uint8Array {
  const length = width * channels;
  const out = new Uint8Array(height * (length + 1));
  for (let y = 0; y < height; y++) {
    const row = data.subarray(y * length, (y + 1) * length);
    const above = y > 0 ? data.subarray((y - 1) * length, y * length) : new Uint8Array(length);
    const predicted = row.map((value, i) => {
      const [left, corner] = i < channels ? [0, 0] : [row[i - channels]!, above[i - channels]!];
      return value - paeth(left, above[i]!, corner);
    });
    const usePaeth = sizeOfResiduals(predicted) < sizeOfResiduals(row);
    out[y * (length + 1)] = usePaeth ? 4 : 0;
    out.set(usePaeth ? predicted : row, y * (length + 1) + 1);
  }
  return out;
}

/** Of the three neighbours, the one closest to left + above − corner. */
function paeth(left: number, above: number, corner: number): number {
  const [a, b, c] = [Math.abs(above - corner), Math.abs(left - corner), Math.abs(left + above - 2 * corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? above : corner;
}

/** Sum of bytes taken as signed. */
const sizeOfResiduals = (row: Uint8Array): number =>
  row.reduce((sum, value) => sum + (value < 128 ? value : 256 - value), 0);

/** In pieces, since a call takes a limited number of arguments. */
function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
}

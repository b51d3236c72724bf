/** Writes PNG files, without any change of values, by the same code in Node and in a browser. */

import { zlibSync } from 'fflate';
import type { Raster } from './raster.ts';
import { crc32 } from './zip.ts';

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** The PNG file of an image: 8 bits, gray for one channel and RGB for three. https://www.w3.org/TR/png-3/ */
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

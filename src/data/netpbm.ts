/** PGM and PPM images (P2, P3, P5, P6), the format of the GTSRB archives. https://netpbm.sourceforge.net/doc/ppm.html */

import { corrupt, isNetpbm, isSpace } from './bytes.ts';
import type { Raster } from './raster.ts';

/**
 * Decodes the first image of the bytes.
 *
 * @returns pixels in [0, 255], whatever the maximum value in the header
 * @throws NeuralCleanseError DATA_CORRUPT
 */
export function parseNetpbm(bytes: Uint8Array): Raster<Uint8Array> {
  if (!isNetpbm(bytes)) throw corrupt('the image does not begin as a PGM or PPM image');
  const reader = new Reader(bytes);
  const kind = Number(String.fromCharCode(bytes[1]!));
  const width = reader.integer('width');
  const height = reader.integer('height');
  const maximum = reader.integer('maximum value');
  if (width < 1 || height < 1) throw corrupt(`the PPM header says ${width}×${height} pixels`);
  if (maximum < 1 || maximum > 65535) throw corrupt(`the PPM header says maximum value ${maximum}`);
  const channels = kind === 3 || kind === 6 ? 3 : 1;
  const count = width * height * channels;
  const wide = maximum > 255;
  const binary = kind >= 5;
  if (binary) reader.at++; // exactly one white space ends the header

  const present = bytes.length - reader.at;
  // A plain sample takes at least a digit and, between samples, a space.
  const needed = binary ? count * (wide ? 2 : 1) : 2 * count - 1;
  if (present < needed) {
    throw corrupt(`the PPM image of ${width}×${height} pixels needs ${needed} bytes, ${present} are left`);
  }
  if (binary && maximum === 255) {
    return { height, width, channels, data: new Uint8Array(bytes.subarray(reader.at, reader.at + count)) };
  }

  const data = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const sample = binary ? reader.sample(wide) : reader.integer('sample');
    if (sample > maximum) throw corrupt(`the PPM sample ${sample} exceeds the maximum value ${maximum}`);
    data[i] = Math.round((sample * 255) / maximum);
  }
  return { height, width, channels, data };
}

class Reader {
  readonly bytes: Uint8Array;
  at = 2;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The next decimal number, past white space and comments. */
  integer(what: string): number {
    const { bytes } = this;
    while (isSpace(bytes[this.at] ?? 0) || bytes[this.at] === 0x23) {
      if (bytes[this.at++] === 0x23) {
        while (this.at < bytes.length && bytes[this.at] !== 0x0a && bytes[this.at] !== 0x0d) this.at++;
      }
    }
    const start = this.at;
    let value = 0;
    for (; isDigit(bytes[this.at] ?? 0); this.at++) value = value * 10 + bytes[this.at]! - 0x30;
    if (this.at === start || this.at - start > 9) throw corrupt(`the PPM image lacks its ${what}`);
    return value;
  }

  /** The next binary sample; two bytes are big-endian. */
  sample(wide: boolean): number {
    const high = this.bytes[this.at++]!;
    return wide ? high * 256 + this.bytes[this.at++]! : high;
  }
}

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;

/** Small steps that several binary formats share. */

import { Gunzip, gunzipSync } from 'fflate';
import { NeuralCleanseError } from '../errors.ts';
import type { TensorData } from '../onnx/tensor.ts';

/** A typed array of numbers. */
export type NumericArray = Exclude<TensorData, Uint8Array[]>;

/** The constructor of a typed array. */
export interface NumericArrayType {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer): NumericArray;
}

/** The most bytes that one compressed file may unpack to: 2 GiB. */
export const maxUnpackedBytes = 2 ** 31;

/** Deflate codes at best 258 bytes in 2 bits, so a file that claims to unpack to more lies. */
const maxDeflateRatio = 1032;

/** @param what a clause that names the file kind and the finding, such as "the .npy header is cut off" */
export function corrupt(what: string, cause?: unknown): NeuralCleanseError {
  return new NeuralCleanseError('DATA_CORRUPT', `${what[0]!.toUpperCase()}${what.slice(1)}.`, {
    hint: 'Copy or export the file again.',
    cause,
  });
}

/** A copy of `bytes` as elements of `ArrayType`. */
export function typedElements(
  bytes: Uint8Array,
  ArrayType: NumericArrayType,
  bigEndian: boolean,
): NumericArray {
  const own = new Uint8Array(bytes);
  const width = ArrayType.BYTES_PER_ELEMENT;
  if (bigEndian && width > 1) {
    for (let i = 0; i < own.length; i++) own[i] = bytes[i - (i % width) + width - 1 - (i % width)]!;
  }
  return new ArrayType(own.buffer);
}

/**
 * Refuses a declared size before memory is taken for it.
 *
 * @throws NeuralCleanseError DATA_TOO_LARGE, and DATA_CORRUPT if `packed` bytes cannot unpack to that much
 */
export function checkUnpackedSize(name: string, packed: number, unpacked: number): void {
  if (unpacked > maxUnpackedBytes) {
    throw new NeuralCleanseError('DATA_TOO_LARGE', `${name} would unpack to ${unpacked} bytes.`, {
      hint: `At most ${maxUnpackedBytes} bytes are unpacked; store the data without compression or in parts.`,
    });
  }
  if (unpacked > packed * maxDeflateRatio + maxDeflateRatio) {
    throw corrupt(`${name} claims that ${packed} bytes unpack to ${unpacked}`);
  }
}

/** True if the bytes begin as a gzip file does. */
export const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

const parquetMark = [0x50, 0x41, 0x52, 0x31]; // PAR1

/** True if the bytes begin as a Parquet file does, and ends. */
export const isParquet = (bytes: Uint8Array): boolean => parquetMark.every((byte, i) => bytes[i] === byte);

/** True if the bytes begin as a PGM or PPM image does: P2, P3, P5 or P6, and white space. */
export const isNetpbm = ([p, kind = 0, space = 0]: Uint8Array): boolean =>
  p === 0x50 && [0x32, 0x33, 0x35, 0x36].includes(kind) && isSpace(space);

/** White space of ASCII. */
export const isSpace = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);

/**
 * Unpacks a gzip file of one member.
 *
 * @throws NeuralCleanseError DATA_CORRUPT, DATA_TOO_LARGE
 */
export function gunzip(bytes: Uint8Array, name: string): Uint8Array {
  if (bytes.length < 18) throw corrupt(`${name} is too short for a gzip file`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = view.getUint32(bytes.length - 4, true);
  checkUnpackedSize(name, bytes.length, size);
  // One byte more than declared shows when there is more.
  const out = inflated(name, () => gunzipSync(bytes, { out: new Uint8Array(size + 1) }));
  if (out.length !== size) throw corrupt(`${name} unpacks to another size than the ${size} bytes it states`);
  return out;
}

/** The first bytes that a gzip file unpacks to, from its own first bytes; none if these are no gzip file. */
export function gunzipStart(head: Uint8Array): Uint8Array {
  let start: Uint8Array = new Uint8Array(0);
  const stream = new Gunzip((chunk) => {
    if (start.length === 0) start = chunk;
  });
  try {
    stream.push(head);
  } catch {
    // Whoever reads the whole file says what is wrong with it.
  }
  return start;
}

/** Turns what fflate throws into an error of ours. */
export function inflated(name: string, inflate: () => Uint8Array): Uint8Array {
  try {
    return inflate();
  } catch (cause) {
    throw corrupt(`${name} cannot be unpacked (${cause instanceof Error ? cause.message : cause})`, cause);
  }
}

/** Bounds of structures in Thrift's compact protocol, in which Parquet writes its headers. */

import { corrupt } from './bytes.ts';

const types = {
  stop: 0,
  true: 1,
  false: 2,
  byte: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  struct: 12,
};

/** Parquet nests its structures no deeper than this. */
const maxDepth = 16;

/**
 * Where the structure that begins at `start` ends. What this accepts can be parsed without more memory than a multiple of its
 * bytes: no list or text claims more elements than bytes follow, and nesting and numbers are short.
 *
 * @throws NeuralCleanseError DATA_CORRUPT
 */
export function thriftEnd(bytes: Uint8Array, start: number, name: string): number {
  let at = start;
  const wrong = (what: string) => corrupt(`${name} has a header that ${what}`);

  function byte(): number {
    if (at >= bytes.length) throw wrong('is cut off');
    return bytes[at++]!;
  }
  function varint(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const part = byte();
      value += (part & 0x7f) * 2 ** shift;
      if (part < 0x80) return value;
    }
    throw wrong('holds a number of more than 64 bits');
  }
  function skip(length: number): void {
    if (length > bytes.length - at) throw wrong('is cut off');
    at += length;
  }
  function element(type: number, depth: number): void {
    if (type === types.true || type === types.false) return;
    if (type === types.byte) skip(1);
    else if (type >= types.i16 && type <= types.i64) varint();
    else if (type === types.double) skip(8);
    else if (type === types.binary) skip(varint());
    else if (type === types.list) list(depth);
    else if (type === types.struct) struct(depth + 1);
    else throw wrong(`holds a value of the unknown type ${type}`);
  }
  function list(depth: number): void {
    const head = byte();
    const count = head >> 4 === 15 ? varint() : head >> 4;
    if (count > bytes.length - at) throw wrong(`claims a list of ${count} elements`);
    // In lists a boolean takes a byte.
    const type = head & 15;
    const stored = type === types.true || type === types.false ? types.byte : type;
    for (let i = 0; i < count; i++) element(stored, depth + 1);
  }
  function struct(depth: number): void {
    if (depth > maxDepth) throw wrong('is nested too deeply');
    for (;;) {
      const head = byte();
      const type = head & 15;
      if (type === types.stop) return;
      // The number of the field, unless it is coded as a step from the last one.
      if (head >> 4 === 0) varint();
      element(type, depth);
    }
  }

  struct(0);
  return at;
}

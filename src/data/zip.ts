/**
 * Zip archives, unpacked file by file as they are asked for.
 *
 * Source: PKWARE APPNOTE 6.3.10; stored and deflated entries, zip64 sizes. Encrypted entries are refused.
 */

import { inflateSync } from 'fflate';
import { NeuralCleanseError } from '../errors.ts';
import { archiveTree, safePath } from './archive.ts';
import { checkUnpackedSize, corrupt, inflated } from './bytes.ts';
import type { FileTree } from './tree.ts';

export interface ZipEntry {
  /** Path inside the archive, with slashes; a folder ends with one. */
  readonly path: string;
  readonly encrypted: boolean;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  readonly crc: number;
  readonly packedSize: number;
  readonly size: number;
  /** Where the local header stands. */
  readonly offset: number;
}

const signatures = { local: 0x04034b50, central: 0x02014b50, end: 0x06054b50, end64: 0x06064b50 };

/** True if the bytes begin as a zip archive does, be it an empty one. */
export const isZip = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 3 || bytes[2] === 5) && bytes[3] === bytes[2]! + 1;

/**
 * Reads the table of contents.
 *
 * @throws NeuralCleanseError DATA_CORRUPT, also where files overlap so that a small archive unpacks to a huge one, and
 * DATA_UNSAFE_ARCHIVE for a path that leads out of the archive
 */
export function listZip(bytes: Uint8Array): ZipEntry[] {
  const view = viewOf(bytes);
  const { count, start } = locateDirectory(view);
  const entries: ZipEntry[] = [];
  let at = start;
  for (let i = 0; i < count; i++) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== signatures.central) {
      throw corrupt(`the zip archive lists ${count} files but its table breaks off after ${i}`);
    }
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const commentLength = view.getUint16(at + 32, true);
    const extra = at + 46 + nameLength;
    const end = extra + extraLength + commentLength;
    if (end > bytes.length) throw corrupt('the table of the zip archive is cut off');
    const path = safePath(new TextDecoder().decode(bytes.subarray(at + 46, extra)));
    const [size, packedSize, offset] = wideValues(view, extra, extraLength, [
      view.getUint32(at + 24, true),
      view.getUint32(at + 20, true),
      view.getUint32(at + 42, true),
    ]);
    entries.push({
      path,
      encrypted: (view.getUint16(at + 8, true) & 1) === 1,
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packedSize: packedSize!,
      size: size!,
      offset: offset!,
    });
    at = end;
  }
  const packed = entries.reduce((sum, { packedSize }) => sum + packedSize, 0);
  if (packed > bytes.length) throw corrupt('the files of the zip archive overlap');
  return entries;
}

/**
 * A zip archive as a tree.
 *
 * @throws NeuralCleanseError DATA_CORRUPT, DATA_UNSAFE_ARCHIVE
 */
export function zipTree(bytes: Uint8Array, name: string): FileTree {
  const entries = listZip(bytes);
  const isFolder = ({ path }: ZipEntry): boolean => path.endsWith('/');
  return archiveTree(name, {
    files: entries
      .filter((entry) => !isFolder(entry))
      .map((entry) => ({
        path: entry.path,
        size: entry.size,
        read: () => readZipEntry(bytes, entry),
      })),
    folders: entries.filter(isFolder).map(({ path }) => path.slice(0, -1)),
    skipped: [],
  });
}

/**
 * Unpacks one entry and checks its checksum.
 *
 * @throws NeuralCleanseError DATA_CORRUPT, DATA_TOO_LARGE, and DATA_FORMAT_UNKNOWN for encryption or another compression
 */
export function readZipEntry(bytes: Uint8Array, entry: ZipEntry): Uint8Array {
  const { path, method, offset, packedSize, size } = entry;
  if (entry.encrypted || (method !== 0 && method !== 8)) {
    const how = entry.encrypted ? 'encrypted' : `compressed with method ${method}`;
    throw new NeuralCleanseError('DATA_FORMAT_UNKNOWN', `${path} in the zip archive is ${how}.`, {
      hint: 'Make the archive with plain deflate compression, or unpack it.',
    });
  }
  const view = viewOf(bytes);
  if (offset + 30 > bytes.length || view.getUint32(offset, true) !== signatures.local) {
    throw corrupt(`${path} is not where the table of the zip archive says`);
  }
  const start = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  if (start + packedSize > bytes.length) throw corrupt(`${path} in the zip archive is cut off`);
  checkUnpackedSize(path, packedSize, size);
  const packed = bytes.subarray(start, start + packedSize);
  // One byte more than declared shows when there is more.
  const out =
    method === 0 ? packed : inflated(path, () => inflateSync(packed, { out: new Uint8Array(size + 1) }));
  if (out.length !== size || crc32(out) !== entry.crc) {
    throw corrupt(`${path} in the zip archive does not match its checksum`);
  }
  return out;
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Finds the end record, which an archive comment of up to 64 KiB may follow. */
function locateDirectory(view: DataView): { count: number; start: number } {
  const last = view.byteLength - 22;
  for (let at = last; at >= Math.max(0, last - 0xffff); at--) {
    if (view.getUint32(at, true) !== signatures.end) continue;
    const count = view.getUint16(at + 10, true);
    const start = view.getUint32(at + 16, true);
    // The locator of the zip64 record is the 20 bytes before.
    if ((count !== 0xffff && start !== 0xffffffff) || at < 20) return { count, start };
    const end64 = Number(view.getBigUint64(at - 12, true));
    if (end64 + 56 > view.byteLength || view.getUint32(end64, true) !== signatures.end64)
      return { count, start };
    return {
      count: Number(view.getBigUint64(end64 + 32, true)),
      start: Number(view.getBigUint64(end64 + 48, true)),
    };
  }
  throw corrupt('the zip archive has no table of contents, so it is cut off');
}

/** Sizes and offset with those that say 0xffffffff taken from the zip64 field, which lists only these, in order. */
function wideValues(view: DataView, extra: number, length: number, values: readonly number[]): number[] {
  let field = extra;
  while (field + 4 <= extra + length && view.getUint16(field, true) !== 1) {
    field += 4 + view.getUint16(field + 2, true);
  }
  let at = field + 4;
  return values.map((value) => {
    if (value !== 0xffffffff || at + 8 > extra + length) return value;
    at += 8;
    return Number(view.getBigUint64(at - 8, true));
  });
}

const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** The CRC-32 of zip, gzip and PNG. */
export function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) c = crcTable[(c ^ bytes[i]!) & 0xff]! ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

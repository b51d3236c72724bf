/**
 * The values of a column of one row group of a Parquet file.
 *
 * hyparquet parses the headers. Pages are decoded here, because what a page claims of its length must be compared with the
 * rows there are before memory is taken for it. Without repetition (lists), in plain or dictionary encoding, which is what
 * Arrow and its relatives write for binary values and whole numbers.
 *
 * Source: https://parquet.apache.org/docs/file-format/data-pages
 */

import { gunzipSync } from 'fflate';
import type { Encoding, PageHeader } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { compressors, decompressZstd } from 'hyparquet-compressors';
import { NeuralCleanseError } from '../errors.ts';
import { checkUnpackedSize, corrupt, inflated, maxUnpackedBytes } from './bytes.ts';
import { thriftEnd } from './thrift.ts';

/** What a column holds; `undefined` stands for no value. */
export type ParquetValue = Uint8Array | number | undefined;

export const valueTypes = ['BYTE_ARRAY', 'INT32', 'INT64'] as const;
export type ValueType = (typeof valueTypes)[number];

export interface ColumnChunk {
  /** For messages: column and file. */
  readonly name: string;
  readonly type: ValueType;
  readonly codec: string;
  /** How many of the column and its parents may be absent. */
  readonly optionalLevels: number;
  readonly rows: number;
}

/**
 * Decodes the pages in `bytes`, one after the other.
 *
 * @returns a value a row; binary values may be views of larger buffers
 * @throws NeuralCleanseError DATA_CORRUPT, DATA_TOO_LARGE, and DATA_FORMAT_UNKNOWN for other encodings and compressions
 */
export function decodeChunk(bytes: Uint8Array, chunk: ColumnChunk): ParquetValue[] {
  const values: ParquetValue[] = [];
  let dictionary: ParquetValue[] = [];
  let unpacked = 0;
  for (let at = 0; values.length < chunk.rows; ) {
    const start = thriftEnd(bytes, at, chunk.name);
    const header = parquetHeader({ view: viewOf(bytes.subarray(at, start)), offset: 0 });
    const { compressed_page_size: packed, uncompressed_page_size: size } = header;
    // Fields may be of any type.
    if (!isLength(packed) || !isLength(size) || start + packed > bytes.length) {
      throw corrupt(`${chunk.name} has a page that is cut off`);
    }
    at = start + packed;
    unpacked += size;
    if (unpacked > maxUnpackedBytes) checkUnpackedSize(chunk.name, bytes.length, unpacked);
    const page = { header, body: bytes.subarray(start, at), chunk };
    if (header.type === 'DICTIONARY_PAGE') dictionary = dictionaryOf(page);
    else if (header.type === 'DATA_PAGE' || header.type === 'DATA_PAGE_V2') {
      appendRows(values, page, dictionary);
    }
  }
  return values;
}

const isLength = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

interface Page {
  readonly header: PageHeader;
  readonly body: Uint8Array;
  readonly chunk: ColumnChunk;
}

function dictionaryOf({ header, body, chunk }: Page): ParquetValue[] {
  const values = unpack(body, header.uncompressed_page_size, chunk);
  return plainValues(values, header.dictionary_page_header?.num_values ?? 0, chunk);
}

function appendRows(rows: ParquetValue[], page: Page, dictionary: readonly ParquetValue[]): void {
  const { chunk } = page;
  const { count, encoding, levels, stored } = partsOf(page);
  if (!isLength(count) || count > chunk.rows - rows.length) {
    throw corrupt(`${chunk.name} has a page of ${count} values where ${chunk.rows - rows.length} are left`);
  }
  const { optionalLevels } = chunk;
  if (optionalLevels === 0) {
    for (const value of decoded(stored, encoding, count, dictionary, chunk)) rows.push(value);
    return;
  }
  const depths = packedNumbers(levels, bitsFor(optionalLevels), count, chunk.name);
  const present = depths.reduce((sum, depth) => sum + (depth === optionalLevels ? 1 : 0), 0);
  const values = decoded(stored, encoding, present, dictionary, chunk).values();
  for (const depth of depths) rows.push(depth === optionalLevels ? values.next().value : undefined);
}

interface PageParts {
  readonly count: number;
  readonly encoding: Encoding;
  /** Definition levels: how many of the column and its parents are there. */
  readonly levels: Uint8Array;
  readonly stored: Uint8Array;
}

/** Version 1 packs levels and values together, version 2 only the values. */
function partsOf({ header, body, chunk }: Page): PageParts {
  const { data_page_header: v1, data_page_header_v2: v2 } = header;
  if (v1) {
    const content = unpack(body, header.uncompressed_page_size, chunk);
    const { num_values: count, encoding } = v1;
    if (chunk.optionalLevels === 0)
      return { count, encoding, levels: content.subarray(0, 0), stored: content };
    if (v1.definition_level_encoding !== 'RLE') throw unknownEncoding(chunk, v1.definition_level_encoding);
    if (content.length < 4) throw corrupt(`${chunk.name} has a page without levels`);
    const end = 4 + viewOf(content).getUint32(0, true);
    return { count, encoding, levels: content.subarray(4, end), stored: content.subarray(end) };
  }
  const { repetition_levels_byte_length: before, definition_levels_byte_length: length } = v2 ?? {};
  if (!v2 || !isLength(before) || !isLength(length)) {
    throw corrupt(`${chunk.name} has a page without a header of its kind`);
  }
  const packed = body.subarray(before + length);
  return {
    count: v2.num_values,
    encoding: v2.encoding,
    levels: body.subarray(before, before + length),
    stored: v2.is_compressed
      ? unpack(packed, header.uncompressed_page_size - before - length, chunk)
      : packed,
  };
}

function decoded(
  stored: Uint8Array,
  encoding: Encoding,
  count: number,
  dictionary: readonly ParquetValue[],
  chunk: ColumnChunk,
): ParquetValue[] {
  if (encoding === 'PLAIN') return plainValues(stored, count, chunk);
  if (encoding !== 'RLE_DICTIONARY' && encoding !== 'PLAIN_DICTIONARY')
    throw unknownEncoding(chunk, encoding);
  if (count === 0) return [];
  const places = packedNumbers(stored.subarray(1), stored[0] ?? 0, count, chunk.name);
  return Array.from(places, (place) => {
    if (place >= dictionary.length) {
      throw corrupt(`${chunk.name} refers to value ${place} of a dictionary of ${dictionary.length}`);
    }
    return dictionary[place];
  });
}

function plainValues(bytes: Uint8Array, count: number, { name, type }: ColumnChunk): ParquetValue[] {
  const view = viewOf(bytes);
  const values: ParquetValue[] = [];
  let at = 0;
  const take = (length: number): number => {
    at += length;
    if (at > bytes.length) throw corrupt(`${name} has ${values.length} values in a page of ${count}`);
    return at - length;
  };
  while (values.length < count) {
    if (type === 'INT32') values.push(view.getInt32(take(4), true));
    else if (type === 'INT64') values.push(Number(view.getBigInt64(take(8), true)));
    else {
      const length = view.getUint32(take(4), true);
      const start = take(length);
      values.push(bytes.subarray(start, start + length));
    }
  }
  return values;
}

/**
 * Numbers of `width` bits in Parquet's hybrid of runs and bit packing: a run is its length · 2 and the value; packed are
 * groups of eight numbers, lowest bits first, behind their count · 2 + 1.
 */
function packedNumbers(bytes: Uint8Array, width: number, count: number, name: string): Uint32Array {
  if (width > 32) throw corrupt(`${name} has numbers of ${width} bits`);
  const numbers = new Uint32Array(count);
  let at = 0;
  const byte = (): number => {
    if (at >= bytes.length) throw corrupt(`${name} has a page that breaks off`);
    return bytes[at++]!;
  };
  for (let filled = 0; filled < count; ) {
    let head = 0;
    for (let shift = 0, part = 0x80; part >= 0x80; shift += 7) {
      part = byte();
      head += (part & 0x7f) * 2 ** shift;
    }
    const length = Math.floor(head / 2) * (head % 2 === 1 ? 8 : 1);
    const end = Math.min(filled + length, count);
    if (head % 2 === 0) {
      let value = 0;
      for (let shift = 0; shift < width; shift += 8) value += byte() * 2 ** shift;
      numbers.fill(value, filled, end);
      filled = end;
      continue;
    }
    for (let bit = 8 * at; filled < end; filled++) {
      for (let i = 0; i < width; i++, bit++) {
        at = bit >> 3;
        numbers[filled]! += ((byte() >> (bit & 7)) & 1) * 2 ** i;
      }
    }
  }
  return numbers;
}

const bitsFor = (largest: number): number => 32 - Math.clz32(largest);

/** Up to this size a page may be compressed by any ratio. */
const smallPage = 2 ** 24;

function unpack(packed: Uint8Array, size: number, { codec, name }: ColumnChunk): Uint8Array {
  if (codec === 'UNCOMPRESSED') return packed;
  if (size > smallPage) checkUnpackedSize(name, packed.length, size);
  const decompress = codecs[codec];
  if (!decompress) {
    throw new NeuralCleanseError('DATA_FORMAT_UNKNOWN', `${name} is compressed with ${codec}.`, {
      hint: `Write the file with ${Object.keys(codecs).join(', ')} or no compression.`,
    });
  }
  const out = inflated(name, () => decompress(packed, size));
  if (out.length !== size) throw corrupt(`${name} has a page of ${out.length} bytes that states ${size}`);
  return out;
}

/** Each writes into a buffer of the stated size, however much the packed bytes claim. */
const codecs: Readonly<Record<string, (packed: Uint8Array, size: number) => Uint8Array>> = {
  SNAPPY: compressors.SNAPPY!,
  ZSTD: (packed, size) => decompressZstd(packed, new Uint8Array(size)),
  // One byte more than stated shows when there is more.
  GZIP: (packed, size) => gunzipSync(packed, { out: new Uint8Array(size + 1) }),
  BROTLI: compressors.BROTLI!,
  LZ4_RAW: compressors.LZ4_RAW!,
};

const unknownEncoding = ({ name }: ColumnChunk, encoding: string): NeuralCleanseError =>
  new NeuralCleanseError('DATA_FORMAT_UNKNOWN', `${name} is encoded as ${encoding}.`, {
    hint: 'Write the file with plain or dictionary encoding, as pandas and datasets do by default.',
  });

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

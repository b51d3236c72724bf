/** What a Parquet file holds: its columns, what Hugging Face datasets notes about them, and where their values stand. */

import { parquetMetadata } from 'hyparquet/src/metadata.js';
import { z } from 'zod';
import { NeuralCleanseError } from '../errors.ts';
import { corrupt, isParquet } from './bytes.ts';
import { decodeChunk, type ParquetValue, type ValueType, valueTypes } from './parquet-pages.ts';
import { thriftEnd } from './thrift.ts';
import { type FileTree, joinPath } from './tree.ts';

/** A column without nested columns; those of a structure stand for themselves. */
export interface ParquetColumn {
  /** Its name, behind those of the structures that it is part of. */
  readonly path: readonly string[];
  readonly type: string;
  /** True for text, dates and other things that only look like bytes and whole numbers. */
  readonly annotated: boolean;
  /** True inside lists. */
  readonly repeated: boolean;
  readonly optionalLevels: number;
}

/** How Hugging Face datasets describes a column. */
export interface Feature {
  /** `Image`, `ClassLabel`, `Value` … */
  readonly kind: string;
  readonly names: readonly string[] | undefined;
}

export interface ParquetFile {
  readonly name: string;
  readonly columns: readonly ParquetColumn[];
  readonly features: ReadonlyMap<string, Feature>;
  /** Rows of each row group. */
  readonly groups: readonly number[];
  /** @throws NeuralCleanseError DATA_CORRUPT, DATA_TOO_LARGE, DATA_FORMAT_UNKNOWN */
  read(group: number, column: ParquetColumn): Promise<ParquetValue[]>;
}

/** The table of contents of even the largest files is smaller. */
const maxFooterBytes = 2 ** 24;

/** Structures in structures. */
const maxDepth = 16;

/** A part of what the table of contents tells; the parser does not check types. */
const schemaElement = z.object({
  name: z.string(),
  type: z.string().optional(),
  repetition_type: z.string().optional(),
  num_children: z.int().nonnegative().optional(),
  converted_type: z.string().optional(),
  logical_type: z.object({ type: z.string() }).optional(),
});
const rowGroup = z.object({
  num_rows: z.bigint(),
  columns: z.array(
    z.object({
      meta_data: z.object({
        type: z.string(),
        path_in_schema: z.array(z.string()),
        codec: z.string(),
        data_page_offset: z.bigint(),
        dictionary_page_offset: z.bigint().optional(),
        total_compressed_size: z.bigint(),
      }),
    }),
  ),
});
const contents = z.object({
  schema: z.array(schemaElement),
  row_groups: z.array(rowGroup),
  key_value_metadata: z.array(z.object({ key: z.string(), value: z.string().optional() })).optional(),
});
type SchemaElement = z.infer<typeof schemaElement>;
type Contents = z.infer<typeof contents>;

/** @throws NeuralCleanseError DATA_CORRUPT, DATA_TOO_LARGE */
export async function openParquet(tree: FileTree, path: string): Promise<ParquetFile> {
  const name = joinPath(tree.name, path);
  const size = await tree.size(path);
  const metadata = parseFooter(await readFooter(tree, path, size, name), name);
  const groups = metadata.row_groups.map((group) => rowsOf(group, name));
  const rows = groups.reduce((sum, count) => sum + count, 0);
  // Before anything is made for each row.
  if (rows > size) throw corrupt(`${name} claims to hold ${rows} rows in ${size} bytes`);
  return {
    name,
    columns: columnsOf(metadata.schema, name),
    features: featuresOf(metadata),
    groups,
    async read(group, column) {
      const label = `column ${column.path.join('.')} of ${name}`;
      const stored = metadata.row_groups[group]!.columns.find(
        ({ meta_data: meta }) => meta.path_in_schema.join('\0') === column.path.join('\0'),
      )?.meta_data;
      if (!stored || stored.type !== column.type) throw corrupt(`${label} is missing in a row group`);
      const first = Number(stored.dictionary_page_offset || stored.data_page_offset);
      const start = Math.min(first, Number(stored.data_page_offset));
      const end = start + Number(stored.total_compressed_size);
      if (!(start >= 0 && start <= end && end <= size)) throw corrupt(`${label} lies outside the file`);
      return decodeChunk(await tree.slice(path, start, end), {
        name: label,
        type: column.type as ValueType,
        codec: stored.codec,
        optionalLevels: column.optionalLevels,
        rows: groups[group]!,
      });
    },
  };
}

/** The file ends with a table of contents, its length and the letters that it began with. */
async function readFooter(tree: FileTree, path: string, size: number, name: string): Promise<Uint8Array> {
  const end = await tree.slice(path, Math.max(size - 8, 0), size);
  if (end.length < 8 || !isParquet(end.subarray(4))) {
    throw corrupt(`${name} does not end as a Parquet file does, so it is cut off or encrypted`);
  }
  const length = new DataView(end.buffer, end.byteOffset, 8).getUint32(0, true);
  if (length + 8 > size) throw corrupt(`${name} has ${size} bytes, but a table of contents of ${length}`);
  if (length > maxFooterBytes) {
    throw new NeuralCleanseError('DATA_TOO_LARGE', `${name} has a table of contents of ${length} bytes.`, {
      hint: `At most ${maxFooterBytes} bytes are read; write the data into several files.`,
    });
  }
  return tree.slice(path, size - 8 - length, size);
}

function parseFooter(footer: Uint8Array, name: string): Contents {
  thriftEnd(footer.subarray(0, -8), 0, name);
  try {
    return contents.parse(parquetMetadata(footer, { geoparquet: false }));
  } catch (cause) {
    throw corrupt(`${name} has a table of contents that cannot be read`, cause);
  }
}

/** The schema lists each structure before its parts. */
function columnsOf(schema: readonly SchemaElement[], name: string): ParquetColumn[] {
  const columns: ParquetColumn[] = [];
  let next = 1;
  function collect(count: number, path: readonly string[], repeated: boolean, optionalLevels: number): void {
    for (let i = 0; i < count; i++) {
      const element = schema[next++];
      if (element?.name === undefined || path.length > maxDepth) {
        throw corrupt(`${name} has a schema that contradicts itself`);
      }
      const at = [...path, element.name];
      const listed = repeated || element.repetition_type === 'REPEATED';
      const levels = optionalLevels + (element.repetition_type === 'OPTIONAL' ? 1 : 0);
      if (element.num_children) collect(element.num_children, at, listed, levels);
      else {
        const annotated = isAnnotated(element);
        columns.push({
          path: at,
          type: element.type ?? '',
          annotated,
          repeated: listed,
          optionalLevels: levels,
        });
      }
    }
  }
  collect(schema[0]?.num_children ?? 0, [], false, 0);
  return columns;
}

/** Widths of whole numbers are no other meaning. */
function isAnnotated({ type, converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  if (!valueTypes.some((known) => known === type)) return true;
  return logical ? logical.type !== 'INTEGER' : converted !== undefined && !/^U?INT_/.test(converted);
}

function rowsOf({ num_rows: rows }: z.infer<typeof rowGroup>, name: string): number {
  const count = Number(rows);
  if (!(Number.isSafeInteger(count) && count >= 0)) throw corrupt(`${name} has a row group of ${rows} rows`);
  return count;
}

/** The notes are of no other use than to name columns and classes, so what is wrong in them is passed over. */
function featuresOf({ key_value_metadata: notes = [] }: Contents): Map<string, Feature> {
  const text = notes.find(({ key }) => key === 'huggingface')?.value;
  const found = new Map<string, Feature>();
  let stored: unknown;
  try {
    stored = JSON.parse(text ?? '{}')?.info?.features;
  } catch {
    return found;
  }
  for (const [name, value] of Object.entries(Object(stored))) {
    const { _type: kind, names } = Object(value);
    const isText = Array.isArray(names) && names.every((label) => typeof label === 'string');
    found.set(name, { kind: String(kind), names: isText ? names : undefined });
  }
  return found;
}

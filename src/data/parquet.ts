/** Images in Parquet files, as Hugging Face datasets stores them: encoded images in one column, labels in another. */

import { NeuralCleanseError } from '../errors.ts';
import { corrupt } from './bytes.ts';
import { encodedSource, type ImageDecoder } from './encoded.ts';
import type { ImageEntry } from './folder.ts';
import { preferred, roleOf } from './keys.ts';
import { openParquet, type ParquetColumn, type ParquetFile } from './parquet-file.ts';
import type { ParquetValue } from './parquet-pages.ts';
import { type ImageSource, maxImages } from './source.ts';
import { baseName, type FileTree, folderOf } from './tree.ts';

/**
 * The rows of the files of one table, in order. Labels are read at once, images a row group at a time.
 *
 * @param paths the files: all parts of one table
 * @param classes of the model, which tells label columns apart
 * @throws NeuralCleanseError DATA_CORRUPT, DATA_TOO_LARGE, DATA_FORMAT_UNKNOWN, DATA_COLUMNS_AMBIGUOUS
 */
export async function parquetSource(
  tree: FileTree,
  paths: readonly string[],
  source: string,
  classes: number | undefined,
  decode: ImageDecoder,
): Promise<ImageSource> {
  refuseSeveralTables(paths, source);
  const files: ParquetFile[] = [];
  for (const path of paths) files.push(await openParquet(tree, path));
  const rows = files.flatMap(({ groups }) => groups).reduce((sum, count) => sum + count, 0);
  if (rows > maxImages) {
    throw new NeuralCleanseError('DATA_TOO_LARGE', `${source} has ${rows} rows.`, {
      hint: `Give files of at most ${maxImages} rows together; a few hundred are enough.`,
    });
  }

  const { images, labels } = chooseColumns(files[0]!, classes);
  const runs: Run[] = [];
  const entries: ImageEntry[] = [];
  for (const [i, file] of files.entries()) {
    const imageColumn = sameColumn(file, images);
    const labelColumn = labels && sameColumn(file, labels);
    let row = 0;
    for (const [group, count] of file.groups.entries()) {
      runs.push({ file, group, column: imageColumn, first: entries.length });
      const values = labelColumn && (await file.read(group, labelColumn));
      for (let n = 0; n < count; n++, row++) {
        // A row without a label is outside all classes.
        const label = values && ((values[n] as number | undefined) ?? -1);
        entries.push({ path: `${baseName(paths[i]!)}#${row}`, label });
      }
    }
  }

  const classNames = labels && files[0]!.features.get(labels.path[0]!)?.names;
  const listing = { entries, classNames, labelsFromNames: false, skipped: [] };
  return encodedSource(source, listing, rowReader(runs), decode, false);
}

/** The images of one row group. */
interface Run {
  readonly file: ParquetFile;
  readonly group: number;
  readonly column: ParquetColumn;
  /** The index of the first among all. */
  readonly first: number;
}

/** Keeps the row group that was asked for last: images are asked for in order. */
function rowReader(runs: readonly Run[]): (entry: ImageEntry, index: number) => Promise<Uint8Array> {
  let kept: { readonly run: Run; readonly values: Promise<ParquetValue[]> } | undefined;
  return async ({ path }, index) => {
    const run = runs.findLast(({ first }) => first <= index)!;
    if (kept?.run !== run) kept = { run, values: run.file.read(run.group, run.column) };
    const value = (await kept.values)[index - run.first];
    if (value instanceof Uint8Array) return value;
    throw corrupt(`${path} has no image bytes`);
  };
}

interface Columns {
  readonly images: ParquetColumn;
  readonly labels: ParquetColumn | undefined;
}

function chooseColumns(file: ParquetFile, classes: number | undefined): Columns {
  const { features, columns, name } = file;
  const kindOf = ({ path }: ParquetColumn): string | undefined => features.get(path[0]!)?.kind;
  const plain = columns.filter(({ annotated, repeated }) => !annotated && !repeated);

  const binary = plain.filter(
    ({ type, path }) =>
      type === 'BYTE_ARRAY' && (path.length === 1 || (path.length === 2 && path[1] === 'bytes')),
  );
  const marked = binary.filter((column) => kindOf(column) === 'Image');
  const images = theOne(marked.length > 0 ? marked : binary, 'images', file);
  if (images === undefined) {
    throw new NeuralCleanseError(
      'DATA_FORMAT_UNKNOWN',
      `${name} has no column of encoded images, only ${describe(columns)}.`,
      {
        hint: 'Give a column of PNG or JPEG bytes, alone or as "bytes" in a structure; lists of pixels are not read.',
        data: { columns: columns.map(({ path }) => path.join('.')) },
      },
    );
  }

  const whole = plain.filter(({ type, path }) => type.startsWith('INT') && path.length === 1);
  const classLabels = whole.filter((column) => kindOf(column) === 'ClassLabel');
  const named = whole.filter(({ path }) => roleOf(path[0]!) === 'labels');
  const fitting = classLabels.filter(({ path }) => features.get(path[0]!)?.names?.length === classes);
  const candidates = fitting.length > 0 ? fitting : classLabels.length > 0 ? classLabels : named;
  return { images, labels: theOne(candidates, 'labels', file) };
}

/** The only candidate, or the only one whose name fits. */
function theOne(
  candidates: readonly ParquetColumn[],
  role: 'images' | 'labels',
  { name }: ParquetFile,
): ParquetColumn | undefined {
  if (candidates.length <= 1) return candidates[0];
  const names = candidates.map(({ path }) => path[0]!);
  const chosen = preferred(names, role);
  const found = candidates.find(({ path }) => path[0] === chosen);
  if (found) return found;
  throw new NeuralCleanseError(
    'DATA_COLUMNS_AMBIGUOUS',
    `The ${role} of ${name} may be those of the columns ${names.join(', ')}.`,
    { hint: `Rename the right one to "${role === 'images' ? 'image' : 'label'}".`, data: { columns: names } },
  );
}

const describe = (columns: readonly ParquetColumn[]): string =>
  columns
    .map(({ path, type, repeated }) => `${path.join('.')} (${repeated ? 'list of ' : ''}${type})`)
    .join(', ') || 'an empty schema';

/** The column of another part of the table. */
function sameColumn(file: ParquetFile, { path, type }: ParquetColumn): ParquetColumn {
  const found = file.columns.find(
    (column) => column.path.join('\0') === path.join('\0') && column.type === type && !column.repeated,
  );
  if (!found) throw corrupt(`${file.name} has no column ${path.join('.')} (${type}), unlike the other files`);
  return found;
}

/** Configurations of one dataset lie in folders of their own. */
function refuseSeveralTables(paths: readonly string[], source: string): void {
  const folders = [...new Set(paths.map(folderOf))];
  if (folders.length <= 1) return;
  throw new NeuralCleanseError(
    'DATA_FORMAT_UNKNOWN',
    `${source} has Parquet files in several folders: ${folders.join(', ')}.`,
    { hint: 'Give one of them.', data: { folders } },
  );
}

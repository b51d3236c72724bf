/** Finds the images of a folder or archive and their labels, from whichever of the usual arrangements it has. */

import { NeuralCleanseError } from '../errors.ts';
import type { SkippedFile } from './dataset.ts';
import { type GtsrbRow, gtsrbRows } from './gtsrb.ts';
import { ofSplit, type Split, splitOf } from './splits.ts';
import { parseTable } from './table.ts';
import { baseName, childrenOf, type FileTree, folderOf, joinPath } from './tree.ts';

export interface ImageEntry {
  readonly path: string;
  readonly label?: number | undefined;
  /** What the GTSRB table says of the image. */
  readonly gtsrb?: GtsrbRow | undefined;
}

export interface ImageListing {
  readonly entries: readonly ImageEntry[];
  /** Names by label, where classes are folders or labels are names. */
  readonly classNames?: readonly string[] | undefined;
  /** True if the labels are places in the sorted names, so that a missing class would shift them. */
  readonly labelsFromNames: boolean;
  readonly skipped: readonly SkippedFile[];
}

const imagePattern = /\.(png|jpe?g|jfif|webp|gif|tiff?|bmp|avif|ppm|pgm|pnm)$/i;

export const isImagePath = (path: string): boolean => imagePattern.test(path);

/**
 * Lists images, in sorted order. Arrangements, in the order of trial:
 * 1. GTSRB tables (`GT-*.csv`, or `Train.csv` and `Test.csv`): their rows.
 * 2. Folders named after parts (`train`, `test`, `val`): the wanted part, then as below.
 * 3. Class folders: numbers are labels; other names are numbered in sorted order.
 * 4. A flat folder: labels from `labels.csv` or `labels.txt` (file,label) if there is one, else no labels.
 *
 * @throws NeuralCleanseError DATA_EMPTY, DATA_CORRUPT, DATA_NOT_FOUND if the wanted part is absent
 */
export async function listImages(tree: FileTree, split: Split | undefined): Promise<ImageListing> {
  const listing = (await gtsrbListing(tree, split)) ?? (await folderListing(tree, split));
  if (listing.entries.length === 0) {
    throw new NeuralCleanseError('DATA_EMPTY', `There are no images in ${tree.name}.`, {
      hint: 'Give a folder of PNG, JPEG, WebP, PPM or PGM images, flat or in class folders.',
    });
  }
  return { ...listing, skipped: [...tree.skipped, ...listing.skipped] };
}

async function gtsrbListing(tree: FileTree, split: Split | undefined): Promise<ImageListing | undefined> {
  const tables = new Map<string, GtsrbRow[]>();
  for (const path of tree.files.filter((file) => file.toLowerCase().endsWith('.csv'))) {
    const rows = gtsrbRows(parseTable(await tree.read(path)), path);
    if (rows) tables.set(path, rows);
  }
  if (tables.size === 0) return undefined;

  const present = new Set(tree.files);
  const entries = new Map<string, ImageEntry>();
  const skipped: SkippedFile[] = [];
  for (const table of ofSplit([...tables.keys()], split, tree.name)) {
    for (const row of tables.get(table)!) {
      const path = joinPath(folderOf(table), row.file);
      if (!present.has(path)) skipped.push({ path, reason: `listed in ${baseName(table)} but absent` });
      // Of two tables on the same test images only one has labels.
      else if (entries.get(path)?.label === undefined)
        entries.set(path, { path, label: row.label, gtsrb: row });
    }
  }
  return { entries: [...entries.values()], labelsFromNames: false, skipped };
}

async function folderListing(tree: FileTree, split: Split | undefined): Promise<ImageListing> {
  const { top, direct, byFolder } = descend(tree, split);
  if (byFolder.size === 0) return flatListing(tree, top, direct);

  // A class without images counts too: it keeps the numbers of the others.
  const folders = childrenOf(tree.folders, top);
  const names = folders.map(baseName);
  const { labels, classNames, labelsFromNames } = numberClasses(names);
  const entries = folders.flatMap((folder, i) =>
    (byFolder.get(folder) ?? []).map((path) => ({ path, label: labels[i]! })),
  );
  const skipped = direct.map((path) => ({ path, reason: 'outside the class folders' }));
  return { entries, classNames, labelsFromNames, skipped };
}

/** Images of one folder: those that lie in it directly, and those below each of its folders. */
interface Level {
  readonly top: string;
  readonly direct: readonly string[];
  readonly byFolder: ReadonlyMap<string, readonly string[]>;
}

function levelAt(top: string, images: readonly string[]): Level {
  const direct: string[] = [];
  const byFolder = new Map<string, string[]>();
  const start = top === '' ? 0 : top.length + 1;
  for (const path of images) {
    const slash = path.indexOf('/', start);
    if (slash < 0) {
      direct.push(path);
      continue;
    }
    const folder = path.slice(0, slash);
    const below = byFolder.get(folder);
    if (below) below.push(path);
    else byFolder.set(folder, [path]);
  }
  return { top, direct, byFolder };
}

/** Goes down through folders of parts and through wrapping folders, as archives have them. */
function descend(tree: FileTree, split: Split | undefined): Level {
  let level = levelAt('', tree.files.filter(isImagePath));
  for (;;) {
    const folders = [...level.byFolder.keys()];
    if (folders.length === 0 || level.direct.length > 0) return level;
    const parts = folders.map(baseName);
    const areParts = parts.every((part) => splitOf(part) !== undefined);
    const chosen = areParts
      ? joinPath(level.top, ofSplit(parts, split, joinPath(tree.name, level.top))[0]!)
      : folders[0]!;
    const next = levelAt(chosen, level.byFolder.get(chosen)!);
    // A lone folder wraps the classes, unless it is a class itself: a number with images in it.
    const wraps = folders.length === 1 && !(isNumber(baseName(chosen)) && next.direct.length > 0);
    if (!areParts && !wraps) return level;
    level = next;
  }
}

const isNumber = (name: string): boolean => /^\d{1,6}$/.test(name);

interface Numbering {
  /** The label of each name. */
  readonly labels: readonly number[];
  /** The name of each label. */
  readonly classNames: readonly string[];
  readonly labelsFromNames: boolean;
}

/** Numbers sorted, distinct names: by their values if all are different whole numbers, else by their places. */
function numberClasses(names: readonly string[]): Numbering {
  const numbers = names.map(Number);
  if (!names.every(isNumber) || new Set(numbers).size < names.length) {
    return { labels: names.map((_, i) => i), classNames: names, labelsFromNames: true };
  }
  const largest = numbers.reduce((most, number) => Math.max(most, number), 0);
  const classNames = Array.from({ length: largest + 1 }, (_, label) => String(label));
  names.forEach((name, i) => {
    classNames[numbers[i]!] = name;
  });
  return { labels: numbers, classNames, labelsFromNames: false };
}

async function flatListing(tree: FileTree, top: string, images: readonly string[]): Promise<ImageListing> {
  const table = childrenOf(tree.files, top).find((path) => /^labels\.(csv|txt)$/i.test(baseName(path)));
  if (table === undefined) {
    return { entries: images.map((path) => ({ path })), labelsFromNames: false, skipped: [] };
  }

  const present = new Set(images);
  const skipped: SkippedFile[] = [];
  const labelled = new Map<string, string>();
  parseTable(await tree.read(table)).forEach(([file = '', label = ''], line) => {
    const path = joinPath(top, file);
    if (present.has(path) && label !== '') labelled.set(path, label);
    // The first line may be a heading.
    else if (!present.has(path) && (line > 0 || isImagePath(file))) {
      skipped.push({ path, reason: `listed in ${baseName(table)} but absent` });
    }
  });
  for (const path of images) {
    if (!labelled.has(path)) skipped.push({ path, reason: `without a label in ${baseName(table)}` });
  }

  const names = [...new Set(labelled.values())].sort();
  // Whole numbers are labels as they stand, so that one outside the classes is noticed.
  if (names.every((name) => /^-?\d+$/.test(name))) {
    const entries = [...labelled].map(([path, label]) => ({ path, label: Number(label) }));
    return { entries, labelsFromNames: false, skipped };
  }
  const places = new Map(names.map((name, place) => [name, place]));
  const entries = [...labelled].map(([path, label]) => ({ path, label: places.get(label)! }));
  return { entries, classNames: names, labelsFromNames: true, skipped };
}

/** Trees in memory, temporary folders and the one error class, for the tests of datasets. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { onTestFinished } from 'vitest';
import { type FileTree, folderOf } from '../../src/data/tree.ts';
import { type ErrorCode, NeuralCleanseError } from '../../src/errors.ts';

export type Files = Readonly<Record<string, Uint8Array | string>>;

const bytesOf = (content: Uint8Array | string): Uint8Array =>
  typeof content === 'string' ? new TextEncoder().encode(content) : content;

/** A tree of the given files; `emptyFolders` have none. */
export function memoryTree(files: Files, emptyFolders: readonly string[] = []): FileTree {
  const folders = new Set(emptyFolders);
  for (const path of Object.keys(files)) {
    for (let folder = folderOf(path); folder !== ''; folder = folderOf(folder)) folders.add(folder);
  }
  const read = async (path: string) => bytesOf(files[path]!);
  return {
    name: 'data',
    files: Object.keys(files).sort(),
    folders: [...folders].sort(),
    skipped: [],
    read,
    slice: async (path, start, end) => (await read(path)).subarray(start, end),
    size: async (path) => (await read(path)).length,
  };
}

/** A temporary folder with the given files, removed after the test. */
export async function temporaryFolder(files: Files = {}): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'nc-data-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  return root;
}

/** The code of the error that `action` ends with; anything but an error of ours is rethrown. */
export async function codeOf(action: () => unknown): Promise<ErrorCode | undefined> {
  try {
    await action();
  } catch (error) {
    if (error instanceof NeuralCleanseError) return error.code;
    throw error;
  }
  return undefined;
}

/** A binary PPM or PGM of one colour. */
export function ppm(height: number, width: number, colour: readonly number[]): Uint8Array {
  const header = new TextEncoder().encode(`P${colour.length === 3 ? 6 : 5}\n${width} ${height}\n255\n`);
  const pixels = Uint8Array.from(
    { length: height * width * colour.length },
    (_, i) => colour[i % colour.length]!,
  );
  return new Uint8Array([...header, ...pixels]);
}

/** Asserts that `parse` of damaged copies of `valid`, and of noise, ends well or in an error of ours about the data. */
export async function expectTypedErrorsOnly(
  valid: Uint8Array,
  parse: (bytes: Uint8Array) => unknown,
  runs = 300,
): Promise<void> {
  const change = fc.tuple(fc.nat(valid.length - 1), fc.integer({ min: 0, max: 255 }));
  // Headers decide most, so half of the changes fall there.
  const early = fc.tuple(fc.nat(Math.min(valid.length - 1, 100)), fc.integer({ min: 0, max: 255 }));
  const damaged = fc
    .tuple(
      fc.array(fc.oneof(change, early), { maxLength: 4 }),
      fc.oneof(fc.constant(valid.length), fc.nat(valid.length)),
    )
    .map(([changes, length]) => {
      const bytes = valid.slice();
      for (const [at, value] of changes) bytes[at] = value;
      return bytes.subarray(0, length);
    });
  const noise = fc.tuple(fc.nat(12), fc.uint8Array({ maxLength: 200 })).map(([kept, rest]) => {
    return new Uint8Array([...valid.subarray(0, kept), ...rest]);
  });
  await fc.assert(
    fc.asyncProperty(fc.oneof(damaged, noise), async (bytes) => {
      const code = await codeOf(() => parse(bytes));
      return code === undefined || code.startsWith('DATA_');
    }),
    { seed: 1, numRuns: runs },
  );
}

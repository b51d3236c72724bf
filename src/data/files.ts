/** Datasets from the file system, in Node. */

import { open, readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { NeuralCleanseError } from '../errors.ts';
import type { ImageSet, SkippedFile } from './dataset.ts';
import { decodeImage } from './decode.ts';
import { type Hdf5File, reading } from './hdf5.ts';
import { type DatasetOptions, readDataset, readSource } from './open.ts';
import { signsSource } from './signs/source.ts';
import { isSignsSpec } from './signs/spec.ts';
import { type FileTree, isHidden, joinPath } from './tree.ts';

/**
 * Opens a dataset: a folder, an archive or a file of any format that {@link readDataset} tells by its content, or traffic
 * signs rendered on the spot (`signs:test?count=500&seed=7`, see `signs/spec.ts`).
 *
 * @throws NeuralCleanseError DATA_NOT_FOUND and any other code that begins with DATA_
 */
export async function openDataset(path: string, options: DatasetOptions = {}): Promise<ImageSet> {
  if (isSignsSpec(path)) return readSource(signsSource(path, options.split), options);
  const isFolder = (await attempt(path, () => stat(path))).isDirectory();
  const root = isFolder ? path : dirname(path);
  // The neighbours of a file may hold its labels; deeper folders do not concern it.
  const tree = await folderTree(root, { deep: isFolder });
  const platform = { decodeImage, openHdf5: (file: string) => openHdf5(join(root, file)) };
  return readDataset(tree, isFolder ? undefined : basename(path), options, platform);
}

/**
 * A folder as a tree. Links are followed, each folder once.
 *
 * @throws NeuralCleanseError DATA_NOT_FOUND
 */
export async function folderTree(root: string, { deep }: { readonly deep: boolean }): Promise<FileTree> {
  const files: string[] = [];
  const folders: string[] = [];
  const skipped: SkippedFile[] = [];
  const visited = new Set<string>();

  async function list(folder: string): Promise<void> {
    const real = await realpath(join(root, folder));
    if (visited.has(real)) return;
    visited.add(real);
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      const path = joinPath(folder, entry.name);
      if (isHidden(entry.name)) continue;
      const kind = entry.isSymbolicLink() ? await stat(join(root, path)).catch(() => undefined) : entry;
      if (kind === undefined) skipped.push({ path, reason: 'a link that leads nowhere' });
      else if (kind.isFile()) files.push(path);
      else if (kind.isDirectory()) {
        folders.push(path);
        if (deep) await list(path);
      }
    }
  }
  await attempt(root, () => list(''));

  return {
    name: root === '.' ? '' : root,
    files: files.sort(),
    folders: folders.sort(),
    skipped,
    read: (path) => attempt(join(root, path), () => readFile(join(root, path))),
    slice: (path, start, end) => attempt(join(root, path), () => readPart(join(root, path), start, end)),
    size: (path) => attempt(join(root, path), async () => (await stat(join(root, path))).size),
  };
}

async function readPart(path: string, start: number, end: number): Promise<Uint8Array> {
  const handle = await open(path);
  try {
    const length = Math.max(Math.min(end, (await handle.stat()).size) - start, 0);
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await handle.read(bytes, done, length - done, start + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  } finally {
    await handle.close();
  }
}

/** Reads from the disk as it goes: the file is not loaded as a whole. */
async function openHdf5(path: string): Promise<Hdf5File> {
  const { File, ready } = await import('h5wasm/node');
  const module = await ready;
  // Without this, failed reads are reported on stderr only and return whatever the memory held.
  module.activate_throwing_error_handler();
  return reading(path, () => new File(path, 'r'));
}

/** Turns what the file system throws into errors of ours. */
async function attempt<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? '';
    if (code === 'ERR_FS_FILE_TOO_LARGE') {
      throw new NeuralCleanseError('DATA_TOO_LARGE', `${path} is larger than 2 GiB.`, {
        hint: 'Unpack it into a folder, or save it as HDF5, which is read in parts.',
        cause,
      });
    }
    const place = (cause as NodeJS.ErrnoException).path ?? path;
    const reason = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code || cause})`;
    throw new NeuralCleanseError('DATA_NOT_FOUND', `${place} ${reason}.`, {
      hint: 'Check the path and its permissions.',
      data: { path: place },
      cause,
    });
  }
}

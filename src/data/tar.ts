/**
 * Tar archives, whose files are read where they stand.
 *
 * Source: POSIX.1-2001 pax (ustar headers, extended headers with `path` and `size`), and the long names and large sizes of
 * GNU tar. Links are left out: they are not followed.
 */

import { archiveTree, safePath } from './archive.ts';
import { corrupt } from './bytes.ts';
import type { SkippedFile } from './dataset.ts';
import { block, fields, hasChecksum, numberIn, textIn } from './tar-header.ts';
import type { FileTree } from './tree.ts';

const typeAt = 156;

/** Names and other facts of the next file may be no longer than this. */
const maxExtension = 2 ** 20;

interface TarFile {
  readonly path: string;
  /** Where its bytes stand. */
  readonly start: number;
  readonly size: number;
}

export interface TarContents {
  readonly files: readonly TarFile[];
  readonly folders: readonly string[];
  readonly skipped: readonly SkippedFile[];
}

/**
 * Lists the files.
 *
 * @throws NeuralCleanseError DATA_CORRUPT, and DATA_UNSAFE_ARCHIVE for a path that leads out of the archive
 */
export function listTar(bytes: Uint8Array): TarContents {
  const files: TarFile[] = [];
  const folders: string[] = [];
  const skipped: SkippedFile[] = [];
  /** What extended headers say of the next file. */
  let next: { path?: string; size?: number } = {};

  for (let at = 0; at < bytes.length; ) {
    const header = bytes.subarray(at, at + block);
    if (header.every((byte) => byte === 0)) break;
    if (header.length < block || !hasChecksum(header)) {
      throw corrupt(`the tar archive has no valid header at byte ${at}, after ${files.length} files`);
    }
    const type = String.fromCharCode(header[typeAt]!);
    const isExtension = 'xgLK'.includes(type);
    const size = (isExtension ? undefined : next.size) ?? numberIn(header, ...fields.size);
    const start = at + block;
    if (!(Number.isSafeInteger(size) && size >= 0 && start + size <= bytes.length)) {
      throw corrupt(
        `${fullName(header)} in the tar archive is cut off, or not of the ${size} bytes it states`,
      );
    }
    at = start + Math.ceil(size / block) * block;
    if (isExtension) {
      if (size > maxExtension) throw corrupt(`a name in the tar archive has ${size} bytes`);
      const content = bytes.subarray(start, start + size);
      if (type === 'x') next = { ...next, ...paxRecords(content) };
      if (type === 'L') next = { ...next, path: textIn(content, 0, size) };
      continue;
    }
    const path = safePath(next.path ?? fullName(header)).replace(/\/+$/, '');
    next = {};
    if (path === '' || path === '.') continue;
    if (type === '5') folders.push(path);
    else if (type === '0' || type === '\0' || type === '7') files.push({ path, start, size });
    else skipped.push({ path, reason: kinds[type] ?? `an entry of type "${type}"` });
  }
  return { files, folders, skipped };
}

const kinds: Readonly<Record<string, string>> = {
  1: 'a link, which is not followed',
  2: 'a link, which is not followed',
  3: 'a device',
  4: 'a device',
  6: 'a pipe',
  S: 'a sparse file',
};

/**
 * A tar archive as a tree.
 *
 * @throws NeuralCleanseError DATA_CORRUPT, DATA_UNSAFE_ARCHIVE
 */
export function tarTree(bytes: Uint8Array, name: string): FileTree {
  const { files, ...rest } = listTar(bytes);
  return archiveTree(name, {
    files: files.map(({ path, start, size }) => ({
      path,
      size,
      read: () => bytes.subarray(start, start + size),
    })),
    ...rest,
  });
}

function fullName(header: Uint8Array): string {
  const name = textIn(header, ...fields.name);
  // GNU tar keeps other things where ustar has the prefix.
  const prefix = textIn(header, ...fields.magic) === 'ustar' ? textIn(header, ...fields.prefix) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** Records `LENGTH KEY=VALUE\n`, of which the length counts the whole record. */
function paxRecords(content: Uint8Array): { path?: string; size?: number } {
  const found: { path?: string; size?: number } = {};
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at);
    const length = Number(new TextDecoder().decode(content.subarray(at, Math.max(space, at))));
    const end = at + length;
    if (!(length > space - at + 1 && end <= content.length)) {
      throw corrupt('an extended header of the tar archive cannot be read');
    }
    const [key, ...value] = new TextDecoder().decode(content.subarray(space + 1, end - 1)).split('=');
    if (key === 'path') found.path = value.join('=');
    if (key === 'size') found.size = Number(value.join('='));
    at = end;
  }
  return found;
}

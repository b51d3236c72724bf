/** The files beside a model that hold its tensors. */

import { closeSync, fstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, posix, relative, resolve, sep, win32 } from 'node:path';
import { NeuralCleanseError } from '../errors.ts';
import type { ExternalData, ExternalReference } from '../onnx/external-data.ts';

export interface DataFolder {
  readonly read: ExternalData;
  /** A whole file; `tensor` is the name that errors give to what lies there. */
  readWhole(location: string, tensor: string): Uint8Array;
  close(): void;
}

/** One read call takes less than 2 GiB. */
const maxReadBytes = 2 ** 30;

/**
 * Reads tensor data from the files of one folder. What a model names is not trusted: only regular files that lie in the
 * folder are opened, also after all symbolic links have been followed.
 *
 * Reading throws EXTERNAL_DATA_OUTSIDE for a path that leads elsewhere, and EXTERNAL_DATA_MISSING for a file that is
 * absent or too short.
 */
export function openDataFolder(folder: string): DataFolder {
  const root = realpathSync(folder);
  const opened = new Map<string, number>();
  const fileAt = (location: string, tensor: string): number => {
    const file = opened.get(location) ?? openInside(root, location, tensor);
    opened.set(location, file);
    return file;
  };
  return {
    read: (reference, tensor) => readRange(fileAt(reference.location, tensor), reference, tensor),
    readWhole(location, tensor) {
      const file = fileAt(location, tensor);
      return readRange(file, { location, offset: 0, length: fstatSync(file).size }, tensor);
    },
    close() {
      for (const file of opened.values()) closeSync(file);
      opened.clear();
    },
  };
}

function openInside(root: string, location: string, tensor: string): number {
  const path = resolve(root, location);
  if (posix.isAbsolute(location) || win32.isAbsolute(location) || !isInside(root, path)) {
    throw outside(location, tensor, root);
  }
  let real: string;
  let isFile: boolean;
  try {
    real = realpathSync(path);
    isFile = statSync(real).isFile();
  } catch (cause) {
    throw missing(`the file "${location}", which cannot be read`, tensor, { path }, cause);
  }
  if (!isInside(root, real)) throw outside(location, tensor, root);
  // Opening a pipe would wait for ever.
  if (!isFile) throw missing(`"${location}", which is not a file`, tensor, { path });
  return openSync(real, 'r');
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function readRange(
  file: number,
  { location, offset, length }: ExternalReference,
  tensor: string,
): Uint8Array {
  const { size } = fstatSync(file);
  if (offset + length > size) {
    const range = `bytes ${offset} to ${offset + length} of the file "${location}", which has only ${size}`;
    throw missing(range, tensor, { location, offset, length, size });
  }
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const count = readSync(file, bytes, done, Math.min(maxReadBytes, length - done), offset + done);
    if (count === 0) throw missing(`the file "${location}", which became shorter`, tensor, { location });
    done += count;
  }
  return bytes;
}

const missing = (what: string, tensor: string, data: Record<string, unknown>, cause?: unknown) =>
  new NeuralCleanseError('EXTERNAL_DATA_MISSING', `Tensor "${tensor}" lies in ${what}.`, {
    hint: 'Put the complete data file of the model beside it.',
    data: { tensor, ...data },
    cause,
  });

const outside = (location: string, tensor: string, folder: string) =>
  new NeuralCleanseError(
    'EXTERNAL_DATA_OUTSIDE',
    `Tensor "${tensor}" lies in "${location}", outside the folder of the model.`,
    {
      hint: 'Such a model could read any file; put the data file itself, not a link, beside the model.',
      data: { tensor, location, folder },
    },
  );

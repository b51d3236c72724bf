/** Saved triggers in a folder: see {@link triggerContents}. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NeuralCleanseError } from '../errors.ts';
import { type Tensor, toFloat32 } from '../onnx/tensor.ts';
import { corrupt } from './bytes.ts';
import { decodeImage } from './decode.ts';
import { parseNpy } from './npy.ts';
import type { Raster } from './raster.ts';
import { replaceFiles, wholeFile } from './replace-files.ts';
import {
  originalPrefix,
  type TriggerArrays,
  type TriggerImages,
  type TriggerKey,
  triggerContents,
  triggerFileName,
} from './trigger-contents.ts';

export type { TriggerArrays, TriggerImages, TriggerKey } from './trigger-contents.ts';

/** What a folder holds of one trigger. */
export interface StoredTrigger {
  readonly images: Pick<TriggerImages, 'mask' | 'pattern'>;
  /** Absent in folders that the original wrote. */
  readonly arrays: TriggerArrays | undefined;
}

const maskName = /^(.*)_mask_label_(\d+)\.png$/;

/**
 * Writes the pictures and arrays of a trigger into an existing folder, replacing older ones.
 *
 * @returns the names of the files
 * @throws NeuralCleanseError FILE_NOT_WRITTEN
 */
export async function writeTrigger(
  folder: string,
  key: TriggerKey,
  images: TriggerImages,
  arrays: TriggerArrays,
  prefix = originalPrefix,
): Promise<string[]> {
  const contents = triggerContents(key, images, arrays, prefix);
  await replaceFiles([...contents].map(([name, bytes]) => wholeFile(join(folder, name), bytes)));
  return [...contents.keys()];
}

/** A mask picture in a folder. */
interface MaskFile {
  readonly name: string;
  readonly prefix: string;
  readonly label: number;
}

/**
 * Reads the trigger of one label, written by {@link writeTrigger} or by the original, whatever the prefix.
 *
 * @throws NeuralCleanseError TRIGGERS_NOT_FOUND, TRIGGERS_AMBIGUOUS, DATA_CORRUPT
 */
export async function readTrigger(folder: string, label: number): Promise<StoredTrigger> {
  const files = await listMasks(folder);
  const file = files.find((candidate) => candidate.label === label);
  if (!file) {
    throw new NeuralCleanseError(
      'TRIGGERS_NOT_FOUND',
      `The folder ${folder} holds no trigger of label ${label}.`,
      {
        hint: `It holds those of labels ${files.map((known) => known.label).join(', ')}.`,
      },
    );
  }
  const path = (kind: keyof TriggerImages, extension: 'png' | 'npy') =>
    join(folder, triggerFileName(file.prefix, kind, { label }, extension));
  const [mask, pattern] = [await readPng(path('mask', 'png')), await readPng(path('pattern', 'png'))];
  const [exactMask, exactPattern] = [
    await readNpy(path('mask', 'npy')),
    await readNpy(path('pattern', 'npy')),
  ];
  const arrays = exactMask && exactPattern ? { mask: exactMask, pattern: exactPattern } : undefined;
  return { images: { mask, pattern }, arrays };
}

/** The size of a saved mask. */
export interface MaskNorm {
  readonly label: number;
  /**
   * Mask / 255, summed over height and width; the mean of the channels if the picture has three. In pixels.
   */
  readonly l1: number;
  readonly height: number;
  readonly width: number;
}

/**
 * Norms of all mask pictures in a folder, by label in ascending order. These are norms of 8-bit masks: the
 * original's outlier script works on the same.
 *
 * @throws NeuralCleanseError TRIGGERS_NOT_FOUND, TRIGGERS_AMBIGUOUS, TRIGGER_SIZE_MISMATCH, DATA_CORRUPT
 */
export async function readOriginalMasks(folder: string): Promise<MaskNorm[]> {
  const norms: MaskNorm[] = [];
  for (const { name, label } of await listMasks(folder)) {
    const { height, width, channels, data } = await readPng(join(folder, name));
    const sum = data.reduce((total, value) => total + value, 0);
    norms.push({ label, l1: sum / (255 * channels), height, width });
    const first = norms[0]!;
    if (height !== first.height || width !== first.width) {
      throw new NeuralCleanseError(
        'TRIGGER_SIZE_MISMATCH',
        `The mask of label ${label} has ${width}×${height} pixels, and that of label ${first.label} ${first.width}×${first.height}.`,
        { hint: 'Keep the masks of one model in a folder; norms of different image sizes do not compare.' },
      );
    }
  }
  return norms;
}

/** The mask pictures in a folder, one a label, in ascending order of labels. */
async function listMasks(folder: string): Promise<MaskFile[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    throw new NeuralCleanseError('TRIGGERS_NOT_FOUND', `The folder ${folder} cannot be read.`, {
      hint: 'Give a run folder, or a folder of saved masks.',
      cause,
    });
  }
  const files = names
    .map((name) => ({ name, match: maskName.exec(name) }))
    .flatMap(({ name, match }) => (match ? [{ name, prefix: match[1]!, label: Number(match[2]) }] : []))
    .sort((a, b) => a.label - b.label);
  if (files.length === 0) {
    throw new NeuralCleanseError('TRIGGERS_NOT_FOUND', `The folder ${folder} holds no saved masks.`, {
      hint: `They are named like ${triggerFileName(originalPrefix, 'mask', { label: 0 }, 'png')}.`,
    });
  }
  const twice = files.find((file, i) => file.label === files[i - 1]?.label);
  if (twice) {
    throw new NeuralCleanseError(
      'TRIGGERS_AMBIGUOUS',
      `The folder ${folder} holds several masks of label ${twice.label}.`,
      {
        hint: 'Keep the triggers of one run in a folder.',
        data: { files: files.filter((file) => file.label === twice.label).map((file) => file.name) },
      },
    );
  }
  return files;
}

async function readPng(path: string): Promise<Raster<Uint8Array>> {
  const bytes = await readIfPresent(path);
  if (bytes) return parsed(path, () => decodeImage(bytes));
  throw new NeuralCleanseError('TRIGGERS_NOT_FOUND', `The picture ${path} does not exist.`, {
    hint: 'A trigger needs its mask and its pattern.',
  });
}

async function readNpy(path: string): Promise<Tensor<'float32'> | undefined> {
  const bytes = await readIfPresent(path);
  return bytes && parsed(path, () => toFloat32(parseNpy(bytes)));
}

/** Says which file it is that cannot be parsed. */
async function parsed<T>(path: string, parse: () => T | Promise<T>): Promise<T> {
  try {
    return await parse();
  } catch (cause) {
    throw corrupt(
      `the file ${path} cannot be read: ${cause instanceof Error ? cause.message : cause}`,
      cause,
    );
  }
}

async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new NeuralCleanseError('DATA_NOT_FOUND', `The file ${path} cannot be read.`, {
      hint: 'Check its permissions.',
      cause,
    });
  }
}

/** From the description of a trigger to what it does to images of one shape. */

import type { Channels, Raster } from '../data/raster.ts';
import type { StoredTrigger } from '../data/trigger-files.ts';
import { NeuralCleanseError } from '../errors.ts';
import { float32 } from '../onnx/tensor.ts';
import type { AttackTrigger } from './attack-trigger.ts';
import { type ImageShape, noiseSquare, solidSquare } from './patterns.ts';
import { boxAt, type Place } from './place.ts';
import { restoreTrigger } from './render.ts';
import type { TriggerSpec } from './spec.ts';
import { makeTrigger, type PatchBox, type Trigger } from './trigger.ts';
import { warpField } from './warp.ts';

/** Opens the files that a description names. */
export interface TriggerFiles {
  /** A picture, with as many channels as asked for. */
  picture(path: string, channels: Channels): Promise<Raster<Uint8Array>>;
  /** The saved trigger of a label, or the only one of the folder. */
  saved(folder: string, label: number | undefined): Promise<StoredTrigger>;
}

/**
 * Makes the trigger that `spec` describes, for images of one shape.
 *
 * @throws NeuralCleanseError TRIGGER_BOX_OUTSIDE, TRIGGER_SIZE_MISMATCH, TRIGGER_INVALID, and what `files` throws
 */
export async function buildTrigger(
  spec: TriggerSpec,
  image: ImageShape,
  files: TriggerFiles,
): Promise<AttackTrigger> {
  const [height, width, channels] = image;
  switch (spec.kind) {
    case 'square':
      return patch(solidSquare(image, boxOf(spec, image), spec.colour));
    case 'noise':
      return patch(noiseSquare(image, boxOf(spec, image), spec.seed));
    case 'image': {
      const pattern = await files.picture(spec.pattern, colours(channels));
      const mask = spec.mask === undefined ? undefined : await files.picture(spec.mask, 1);
      return patch(placePicture(image, pattern, mask, spec));
    }
    case 'saved': {
      const trigger = restoreTrigger(await files.saved(spec.folder, spec.label));
      checkSize(`The trigger in ${spec.folder}`, trigger.pattern.dims, image);
      return patch(trigger);
    }
    case 'blend': {
      const full: PatchBox = [0, 0, height, width];
      const { pattern } =
        spec.pattern === undefined
          ? noiseSquare(image, full, spec.seed)
          : await fullPicture(spec.pattern, image, files);
      return patch(
        makeTrigger(float32([height, width], new Float32Array(height * width).fill(spec.alpha)), pattern),
      );
    }
    case 'sinusoid':
      return { kind: 'additive', signal: sinusoid(image, spec.delta, spec.frequency) };
    case 'warp':
      return { kind: 'warp', field: warpField([height, width], spec), channels };
  }
}

const patch = (trigger: Trigger): AttackTrigger => ({ kind: 'patch', trigger });

const colours = (channels: number): Channels => (channels === 1 ? 1 : 3);

interface Placed {
  readonly size: number | [number, number];
  readonly at: Place;
  readonly margin: number;
}

function boxOf({ size, at, margin }: Placed, image: ImageShape): PatchBox {
  return boxAt(image, typeof size === 'number' ? [size, size] : size, at, margin);
}

/** Δ·sin(2πfx/W) in every row and channel (Barni et al. 2019, eq. 2, with f counted over the width). */
export function sinusoid([height, width, channels]: ImageShape, delta: number, frequency: number) {
  const signal = new Float32Array(height * width * channels);
  for (let i = 0; i < signal.length; i++) {
    const x = Math.floor(i / channels) % width;
    signal[i] = delta * Math.sin((2 * Math.PI * frequency * x) / width);
  }
  return float32([height, width, channels], signal);
}

/** Pictures as large as the image cover it; smaller ones lie at a place. */
function placePicture(
  image: ImageShape,
  pattern: Raster<Uint8Array>,
  mask: Raster<Uint8Array> | undefined,
  { pattern: path, at, margin }: { pattern: string; at: Place; margin: number },
): Trigger {
  const [height, width, channels] = image;
  const [rows, columns] = [pattern.height, pattern.width];
  if (mask && (mask.height !== rows || mask.width !== columns)) {
    throw new NeuralCleanseError(
      'TRIGGER_INVALID',
      `The mask of ${path} has ${mask.width}×${mask.height} pixels, and the pattern ${columns}×${rows}.`,
      { hint: 'Give a mask of the size of its pattern.' },
    );
  }
  if (rows > height || columns > width) {
    throw new NeuralCleanseError(
      'TRIGGER_SIZE_MISMATCH',
      `The patch ${path} has ${columns}×${rows} pixels, and the images ${width}×${height}.`,
      { hint: 'Give a patch that is at most as large as the images.' },
    );
  }
  const whole = rows === height && columns === width;
  const box: PatchBox = whole ? [0, 0, rows, columns] : boxAt(image, [rows, columns], at, margin);
  // Checks the box, and gives the mask of an opaque patch.
  const opaque = solidSquare(image, box);
  const values = { mask: opaque.mask.data.slice(), pattern: new Float32Array(height * width * channels) };
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const [from, to] = [y * columns + x, (box[0] + y) * width + box[1] + x];
      if (mask) values.mask[to] = mask.data[from]! / 255;
      for (let c = 0; c < channels; c++) {
        values.pattern[to * channels + c] = pattern.data[from * channels + c]!;
      }
    }
  }
  return makeTrigger(float32([height, width], values.mask), float32(image, values.pattern));
}

async function fullPicture(path: string, image: ImageShape, files: TriggerFiles) {
  const { height, width, channels, data } = await files.picture(path, colours(image[2]));
  checkSize(`The pattern ${path}`, [height, width, channels], image);
  return { pattern: float32(image, Float32Array.from(data)) };
}

function checkSize(what: string, dims: readonly number[], image: ImageShape): void {
  if (dims.join() === image.join()) return;
  throw new NeuralCleanseError(
    'TRIGGER_SIZE_MISMATCH',
    `${what} is for images of ${dims.join('×')}, and these have ${image.join('×')}.`,
    { hint: 'Sizes are height×width×channels. Give one made for these images.' },
  );
}

/** Triggers as 8-bit pictures, and back. Pictures are rounded: the exact values are saved beside them. */

import type { Channels, Raster } from '../data/raster.ts';
import type { StoredTrigger, TriggerImages } from '../data/trigger-files.ts';
import { NeuralCleanseError } from '../errors.ts';
import { float32 } from '../onnx/tensor.ts';
import { makeTrigger, type Trigger } from './trigger.ts';

/**
 * The pictures of a trigger, rounded to the nearest byte. (The original cuts off instead, which takes half a
 * grey level from every soft pixel: about 2 pixels of the norm of a 32×32 mask.)
 *
 * @throws NeuralCleanseError TRIGGER_INVALID for a pattern that has neither 1 nor 3 channels
 */
export function renderTrigger({ mask, pattern }: Trigger): TriggerImages {
  const [height = 0, width = 0, channels = 0] = pattern.dims;
  if (channels !== 1 && channels !== 3) {
    throw new NeuralCleanseError('TRIGGER_INVALID', `A pattern of ${channels} channels is no picture.`, {
      hint: 'Only grayscale and RGB patterns can be shown.',
    });
  }
  const raster = (channels: Channels, value: (i: number) => number): Raster<Uint8Array> => ({
    height,
    width,
    channels,
    data: Uint8Array.from({ length: height * width * channels }, (_, i) => Math.round(value(i))),
  });
  return {
    mask: raster(1, (i) => 255 * mask.data[i]!),
    pattern: raster(channels, (i) => pattern.data[i]!),
    fusion: raster(channels, (i) => mask.data[Math.floor(i / channels)]! * pattern.data[i]!),
  };
}

/**
 * The trigger that a folder holds: exactly as it was, or from its pictures where there are no arrays. A mask
 * picture of three channels is averaged, as some tools save gray as RGB.
 *
 * @throws NeuralCleanseError TRIGGER_INVALID
 */
export function restoreTrigger({ images, arrays }: StoredTrigger): Trigger {
  if (arrays) return makeTrigger(arrays.mask, arrays.pattern);
  const { mask, pattern } = images;
  const values = new Float32Array(mask.height * mask.width);
  for (let i = 0; i < values.length; i++) {
    const channels = mask.data.subarray(i * mask.channels, (i + 1) * mask.channels);
    values[i] = channels.reduce((sum, value) => sum + value, 0) / (255 * mask.channels);
  }
  return makeTrigger(
    float32([mask.height, mask.width], values),
    float32([pattern.height, pattern.width, pattern.channels], Float32Array.from(pattern.data)),
  );
}

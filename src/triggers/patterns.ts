/** The triggers that published attacks use: opaque squares of one colour or of noise. */

import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { NeuralCleanseError } from '../errors.ts';
import { float32 } from '../onnx/tensor.ts';
import { makeTrigger, type PatchBox, type Trigger } from './trigger.ts';

/** [height, width, channels] of the images a trigger is for. */
export type ImageShape = readonly [height: number, width: number, channels: number];

/**
 * A square in the bottom right corner. With the defaults, the place of the trigger in the attack that the
 * authors released: 4×4, one pixel from the edges.
 */
export const cornerBox = ([height, width]: ImageShape, size = 4, margin = 1): PatchBox => [
  height - size - margin,
  width - size - margin,
  size,
  size,
];

/**
 * An opaque rectangle of one colour.
 *
 * @param colour one value a channel, or one for all, in [0, 255]. @default 255, white
 * @throws NeuralCleanseError TRIGGER_BOX_OUTSIDE, TRIGGER_INVALID
 */
export function solidSquare(
  image: ImageShape,
  box: PatchBox,
  colour: number | readonly number[] = 255,
): Trigger {
  const channels = image[2];
  if (typeof colour !== 'number' && colour.length !== channels) {
    throw new NeuralCleanseError(
      'TRIGGER_INVALID',
      `The colour [${colour}] is for ${colour.length} channels.`,
      {
        hint: `Give ${channels === 1 ? 'one value' : `${channels} values`}, one a channel.`,
      },
    );
  }
  return square(image, box, (channel) => (typeof colour === 'number' ? colour : colour[channel]!));
}

/**
 * An opaque rectangle of uniform noise, the same for the same seed.
 *
 * @throws NeuralCleanseError TRIGGER_BOX_OUTSIDE
 */
export function noiseSquare(image: ImageShape, box: PatchBox, seed: number): Trigger {
  const random = xoroshiro128plus(seed);
  return square(image, box, () => uniformInt(random, 0, 255));
}

/** Outside of the box the mask is 0 and the pattern black. */
function square(
  [height, width, channels]: ImageShape,
  box: PatchBox,
  value: (channel: number) => number,
): Trigger {
  const [top, left, boxHeight, boxWidth] = box;
  const [bottom, right] = [top + boxHeight, left + boxWidth];
  const inside = top >= 0 && left >= 0 && boxHeight > 0 && boxWidth > 0 && bottom <= height && right <= width;
  if (!(box.every(Number.isSafeInteger) && inside)) {
    throw new NeuralCleanseError(
      'TRIGGER_BOX_OUTSIDE',
      `The box [${box}] does not lie in a ${height}×${width} image.`,
      {
        hint: 'A box is row, column, height, width in whole pixels, rows and columns counted from 0.',
      },
    );
  }
  const mask = new Float32Array(height * width);
  const pattern = new Float32Array(height * width * channels);
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const pixel = y * width + x;
      mask[pixel] = 1;
      for (let c = 0; c < channels; c++) pattern[pixel * channels + c] = value(c);
    }
  }
  return makeTrigger(float32([height, width], mask), float32([height, width, channels], pattern));
}

/** Small random changes of training images that leave their class as it is. */

import { type RandomStream, randomStream } from '../random.ts';
import type { TrainingSet } from './training-set.ts';

export interface AugmentationSettings {
  /** Largest shift along each axis, in pixels. */
  readonly shift: number;
  /** Largest rotation to either side, in degrees. */
  readonly rotation: number;
  /** Largest relative change of brightness: pixels are multiplied by a factor in 1 ± brightness. */
  readonly brightness: number;
  /** Mirror every other image, left to right. */
  readonly flip: boolean;
}

/**
 * The set with images that differ from epoch to epoch. What happens to an image follows from seed, epoch and index alone,
 * so neither the order of reading nor a resumed run changes it. Epoch 0 is left as it is.
 */
export function augmented(set: TrainingSet, settings: AugmentationSettings, seed: number): TrainingSet {
  const plain = new Float32Array(set.height * set.width * set.channels);
  return {
    ...set,
    label: (index, epoch) => set.label(index, epoch),
    read(index, epoch, into) {
      if (epoch === 0) return set.read(index, epoch, into);
      set.read(index, epoch, plain);
      transform(plain, into, set, draw(settings, randomStream(seed, 0x617567, epoch, index)));
    },
  };
}

/** What is done to one image. */
interface Change {
  /** Pixels to the right and down. */
  readonly shift: readonly [x: number, y: number];
  /** Radians. */
  readonly rotation: number;
  readonly factor: number;
  readonly mirrored: boolean;
}

function draw({ shift, rotation, brightness, flip }: AugmentationSettings, random: RandomStream): Change {
  const within = (most: number): number => most * (2 * random.next() - 1);
  return {
    shift: [within(shift), within(shift)],
    rotation: (within(rotation) * Math.PI) / 180,
    factor: 1 + within(brightness),
    mirrored: flip && random.next() < 0.5,
  };
}

/**
 * Takes each pixel of the result from where it came from, bilinearly; outside the image its edge goes on.
 *
 * @param from, into [height, width, channels]
 */
function transform(
  from: Float32Array,
  into: Float32Array,
  { height, width, channels }: TrainingSet,
  { shift, rotation, factor, mirrored }: Change,
): void {
  const [cos, sin] = [Math.cos(rotation), Math.sin(rotation)];
  const [centreX, centreY] = [(width - 1) / 2, (height - 1) / 2];
  const clamp = (v: number, most: number): number => Math.min(Math.max(v, 0), most);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const dx = (mirrored ? width - 1 - x : x) - centreX - shift[0];
      const dy = y - centreY - shift[1];
      const sourceX = clamp(cos * dx + sin * dy + centreX, width - 1);
      const sourceY = clamp(cos * dy - sin * dx + centreY, height - 1);
      const [left, top] = [Math.floor(sourceX), Math.floor(sourceY)];
      const [right, bottom] = [Math.min(left + 1, width - 1), Math.min(top + 1, height - 1)];
      const [toRight, down] = [sourceX - left, sourceY - top];
      for (let c = 0; c < channels; c++) {
        const at = (row: number, column: number): number => from[(row * width + column) * channels + c]!;
        const above = at(top, left) * (1 - toRight) + at(top, right) * toRight;
        const below = at(bottom, left) * (1 - toRight) + at(bottom, right) * toRight;
        const value = factor * (above * (1 - down) + below * down);
        into[(y * width + x) * channels + c] = clamp(value, 255);
      }
    }
  }
}

/** Blur of the lens and of motion: the photo folded with a small kernel. */

import { rotation } from './camera.ts';
import { newPhoto, type Photo } from './photo.ts';
import type { ImageRandom } from './random.ts';

/** Weights at whole pixels around a pixel, `reach` to each side; they sum to 1. */
interface Kernel {
  readonly reach: number;
  /** [2·reach + 1, 2·reach + 1] */
  readonly weights: Float64Array;
}

/** A disc of `radius` pixels, as an aperture makes it, with a soft edge of one pixel. */
function discKernel(radius: number): Kernel {
  const reach = Math.ceil(radius);
  return kernel(reach, (x, y) => Math.min(Math.max(radius + 0.5 - Math.sqrt(x * x + y * y), 0), 1));
}

/** A line of `length` pixels through the middle in direction (dx, dy), one pixel wide. */
function lineKernel(length: number, dx: number, dy: number): Kernel {
  const reach = Math.ceil(length / 2);
  return kernel(reach, (x, y) => {
    const along = Math.abs(x * dx + y * dy);
    const across = Math.abs(x * dy - y * dx);
    return Math.max(1 - across, 0) * Math.min(Math.max((length + 1) / 2 - along, 0), 1);
  });
}

function kernel(reach: number, weight: (x: number, y: number) => number): Kernel {
  const weights = new Float64Array((2 * reach + 1) ** 2);
  let sum = 0;
  for (let y = -reach, at = 0; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) sum += weights[at++] = weight(x, y);
  }
  return { reach, weights: weights.map((w) => w / sum) };
}

/** Out of focus a little or much, and sometimes moved while the shutter was open. */
export function blur(photo: Photo, random: ImageRandom): Photo {
  const radius =
    (random.chance(0.85) ? random.between(0.3, 0.75) : random.between(0.75, 1.3)) * (photo.side / 32);
  const focused = fold(photo, discKernel(radius));
  if (!random.chance(0.2)) return focused;
  const [dx, dy] = rotation(random.between(-1, 1));
  return fold(focused, lineKernel(random.between(1, 4) * (photo.side / 32), dx, dy));
}

/** Beyond the edge the nearest pixel is repeated. */
function fold({ side, light }: Photo, { reach, weights }: Kernel): Photo {
  const blurred = newPhoto(side);
  const out = blurred.light;
  const width = 2 * reach + 1;
  const last = side - 1;
  const row = side * 3;
  for (let k = 0; k < weights.length; k++) {
    const weight = weights[k]!;
    if (weight === 0) continue;
    const dx = (k % width) - reach;
    const dy = Math.floor(k / width) - reach;
    for (let y = 0; y < side; y++) {
      const from = Math.min(Math.max(y + dy, 0), last) * row;
      for (let x = 0; x < side; x++) {
        const at = from + Math.min(Math.max(x + dx, 0), last) * 3;
        const to = y * row + x * 3;
        out[to]! += weight * light[at]!;
        out[to + 1]! += weight * light[at + 1]!;
        out[to + 2]! += weight * light[at + 2]!;
      }
    }
  }
  return blurred;
}

/** From light to bytes: exposure, colour cast, haze, tone curve, noise. */

import type { Raster } from '../raster.ts';
import type { Lighting } from './lighting.ts';
import type { Photo } from './photo.ts';
import type { ImageRandom } from './random.ts';

/**
 * Exposes automatically, so that the mean light comes to the target. Bytes go with the square root of the light, which
 * also makes the noise of photons the same at all levels; it is the stronger, the less light there was to begin with.
 */
export function develop({ side, light }: Photo, lighting: Lighting, random: ImageRandom): Raster<Uint8Array> {
  const { cast, exposure, haze } = lighting;
  let sum = 0;
  for (let i = 0; i < light.length; i++) sum += light[i]!;
  const gain = (exposure * (1 - haze) * light.length) / sum;
  const air = exposure * haze * random.between(1, 2);
  const grain = (random.between(0.5, 2.5) + (random.chance(0.1) ? random.between(2, 7) : 0)) / 255;
  const colourGrain = grain * random.between(0.2, 0.8);
  const contrast = random.between(1, 1.45);
  const data = new Uint8Array(light.length);
  for (let at = 0; at < light.length; at += 3) {
    const shared = grain * random.normal();
    for (let c = 0; c < 3; c++) {
      const shown = Math.sqrt((light[at + c]! * gain + air) * cast[c]!);
      const noisy = 0.35 + (shown - 0.35) * contrast + shared + colourGrain * random.normal();
      data[at + c] = Math.round(255 * Math.min(Math.max(noisy, 0), 1));
    }
  }
  return { height: side, width: side, channels: 3, data };
}

/**
 * One rendered photograph of a traffic sign.
 *
 * Rendering uses integers, + − × ÷ and square roots only, whose results IEEE 754 fixes to the last bit. So the bytes are the
 * same on every machine and in every JavaScript engine, which sines and powers would not guarantee.
 */

import type { Raster } from '../raster.ts';
import { resizeBilinear } from '../resize.ts';
import type { Split } from '../splits.ts';
import { paintBackground } from './background.ts';
import { drawView, paintSign } from './camera.ts';
import { signClasses } from './catalogue.ts';
import { inkMap } from './ink-map.ts';
import { blur } from './lens.ts';
import { drawLighting, drawPaints } from './lighting.ts';
import { paintOcclusion } from './occlusion.ts';
import { brighter, newPhoto, shade } from './photo.ts';
import { ImageRandom } from './random.ts';
import { develop } from './sensor.ts';

/** Width and height of the images in pixels. */
export const signSide = 32;

/** Which image: the same name always has the same bytes, on every machine, whatever was rendered before. */
export interface SignName {
  readonly seed: number;
  readonly split: Split;
  /** From 0 on. */
  readonly index: number;
}

const splitNumbers: Readonly<Record<Split, number>> = { train: 1, test: 2 };

/** Classes take turns, so any run of 43 images has one of each. */
export const signLabel = (index: number): number => index % signClasses.length;

const maps = new Map<number, Uint8Array>();

/** Drawn when a class is first needed. */
function mapOf(label: number): Uint8Array {
  const known = maps.get(label);
  if (known) return known;
  const map = inkMap(signClasses[label]!.layers);
  maps.set(label, map);
  return map;
}

/** @returns [32, 32, 3] */
export function renderSign({ seed, split, index }: SignName): Raster<Uint8Array> {
  const random = new ImageRandom(seed, splitNumbers[split], index);
  // A distant sign covers few pixels of the camera, and its cut-out is enlarged.
  const photo = newPhoto(random.chance(0.16) ? 18 + random.below(10) : 28 + random.below(18));
  const view = drawView(random);
  const lighting = drawLighting(random);
  const { gain } = lighting;

  paintBackground(photo, random);
  const paints = drawPaints(random).map((paint) => brighter(paint, gain));
  paintSign(photo, view, mapOf(signLabel(index)), paints, lighting.onSign);
  if (lighting.shadow) shade(photo, lighting.shadow);
  if (random.chance(0.12)) paintOcclusion(photo, view, gain, random);

  const taken = develop(blur(photo, random), lighting, random);
  return resizeBilinear(taken, signSide, signSide);
}

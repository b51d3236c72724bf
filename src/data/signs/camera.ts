/** Where the camera stands to a sign, and the sign as it falls on the pixels. */

import { inkMapSide } from './ink-map.ts';
import type { Colour, Field, Photo } from './photo.ts';
import type { ImageRandom } from './random.ts';

type Vector = readonly [number, number, number];

type Homography = readonly [number, number, number, number, number, number, number, number, number];

/** Where a place of the image lies on the plane of the sign: its plate reaches from -1 to 1. */
export interface View {
  /**
   * The homography from the image (u, v in [0, 1]) to the sign, row by row:
   * x = (h0·u + h1·v + h2) / (h6·u + h7·v + h8), y = (h3·u + h4·v + h5) / (h6·u + h7·v + h8).
   */
  readonly toSign: Homography;
}

/**
 * A pinhole camera looks at the plate, which is turned about all three axes and out of the middle of the image.
 *
 * Angles are drawn as tangents t of their half, since cos = (1 − t²)/(1 + t²) and sin = 2t/(1 + t²) need no tables.
 */
export function drawView(random: ImageRandom): View {
  const radius = random.between(0.33, 0.46);
  const centreU = 0.5 + 0.07 * random.centred();
  const centreV = 0.5 + 0.07 * random.centred();
  const [cosRoll, sinRoll] = rotation(0.12 * random.centred());
  const [cosPitch, sinPitch] = rotation(0.16 * random.centred());
  const [cosYaw, sinYaw] = rotation(0.4 * random.centred());
  // Distance in radii of the plate.
  const distance = random.between(3.5, 12);

  // The images of the sign's x and y axes in the camera: yaw, then pitch, then roll.
  const turn = (x: number, y: number, z: number): Vector => [
    cosRoll * x - sinRoll * y,
    sinRoll * x + cosRoll * y,
    z,
  ];
  const axisX = turn(cosYaw, sinYaw * sinPitch, sinYaw * cosPitch);
  const axisY = turn(0, cosPitch, -sinPitch);
  const focal = radius * distance;
  const column = (axis: Vector): Vector => [
    focal * axis[0] + centreU * axis[2],
    focal * axis[1] + centreV * axis[2],
    axis[2],
  ];
  const [a, d, g] = column(axisX);
  const [b, e, h] = column(axisY);
  const [c, f, i] = [centreU * distance, centreV * distance, distance];
  // The adjugate is the inverse up to a factor, which a homography does not mind.
  return {
    toSign: [
      e * i - f * h,
      c * h - b * i,
      b * f - c * e,
      f * g - d * i,
      a * i - c * g,
      c * d - a * f,
      d * h - e * g,
      b * g - a * h,
      a * e - b * d,
    ],
  };
}

/** Cosine and sine of the angle whose half has the tangent `t`. */
export const rotation = (t: number): readonly [cos: number, sin: number] => [
  (1 - t * t) / (1 + t * t),
  (2 * t) / (1 + t * t),
];

/** The same view of a field over the sign's plane. */
export function onSign({ toSign }: View, field: Field): Field {
  const [h0, h1, h2, h3, h4, h5, h6, h7, h8] = toSign;
  return (u, v) => {
    const w = 1 / (h6 * u + h7 * v + h8);
    return field((h0 * u + h1 * v + h2) * w, (h3 * u + h4 * v + h5) * w);
  };
}

/** Samples a pixel along each axis. */
const samples = 4;

/**
 * Puts the sign before what the photo shows.
 *
 * @param map inks of the plate, see `inkMap`
 * @param paints the colour of each ink, in the light that falls on the sign
 * @param lighting further factor of that light over the image
 */
export function paintSign(
  { side, light }: Photo,
  { toSign }: View,
  map: Uint8Array,
  paints: readonly Colour[],
  lighting: Field,
): void {
  const [h0, h1, h2, h3, h4, h5, h6, h7, h8] = toSign;
  const half = inkMapSide / 2;
  const counts = new Int32Array(paints.length);
  for (let y = 0, at = 0; y < side; y++) {
    for (let x = 0; x < side; x++, at += 3) {
      const u = (x + 0.5) / side;
      const v = (y + 0.5) / side;
      const w = 1 / (h6 * u + h7 * v + h8);
      const signX = (h0 * u + h1 * v + h2) * w;
      const signY = (h3 * u + h4 * v + h5) * w;
      if (Math.abs(signX) > reach || Math.abs(signY) > reach) continue;

      // Within a pixel the view is as good as linear: texels from one sample to the next along u and along v.
      const scale = (w * half) / (side * samples);
      const columnU = (h0 - signX * h6) * scale;
      const columnV = (h1 - signX * h7) * scale;
      const rowU = (h3 - signY * h6) * scale;
      const rowV = (h4 - signY * h7) * scale;
      const first = (1 - samples) / 2;
      counts.fill(0);
      for (let j = 0; j < samples; j++) {
        let column = (signX + 1) * half + first * columnU + (first + j) * columnV;
        let row = (signY + 1) * half + first * rowU + (first + j) * rowV;
        for (let i = 0; i < samples; i++, column += columnU, row += rowU) {
          if (column < 0 || row < 0 || column >= inkMapSide || row >= inkMapSide) continue;
          counts[map[(row | 0) * inkMapSide + (column | 0)]!]!++;
        }
      }
      blend(light, at, counts, paints, lighting(u, v));
    }
  }
}

/** Pixels whose centre is further out than this on the sign's plane touch no part of the plate. */
const reach = 1.4;

/** Counts of ink 0, where the plate ends, are not among the samples that cover the pixel. */
function blend(
  light: Float32Array,
  at: number,
  counts: Int32Array,
  paints: readonly Colour[],
  gain: number,
): void {
  let covered = 0;
  let red = 0;
  let green = 0;
  let blue = 0;
  for (let ink = 1; ink < counts.length; ink++) {
    const count = counts[ink]!;
    if (count === 0) continue;
    covered += count;
    const paint = paints[ink]!;
    red += count * paint[0];
    green += count * paint[1];
    blue += count * paint[2];
  }
  if (covered === 0) return;
  const share = gain / samples ** 2;
  const rest = 1 - covered / samples ** 2;
  light[at] = light[at]! * rest + red * share;
  light[at + 1] = light[at + 1]! * rest + green * share;
  light[at + 2] = light[at + 2]! * rest + blue * share;
}

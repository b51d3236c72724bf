/** The artwork of a sign, and its map of inks that the camera looks at. */

import type { Shape } from './shapes.ts';

/** The colours that signs are made of. 0 is where the plate ends. */
export const inks = { white: 1, red: 2, blue: 3, yellow: 4, black: 5, grey: 6, green: 7 } as const;

export type Ink = keyof typeof inks;

/** A shape of one colour; the plate lies within the square from -1 to 1. */
export interface Layer {
  readonly ink: Ink;
  readonly shape: Shape;
}

/** Side of an ink map in texels: several to a pixel at the sharpest resolution of the camera. */
export const inkMapSide = 160;

/**
 * The ink at each texel centre: the topmost layer that covers it. Edges are hard; the camera softens them by taking several
 * samples a pixel.
 *
 * @param layers the lowest first
 * @returns [inkMapSide, inkMapSide], row by row
 */
export function inkMap(layers: readonly Layer[]): Uint8Array {
  const map = new Uint8Array(inkMapSide * inkMapSide);
  const downwards = [...layers].reverse();
  for (let row = 0; row < inkMapSide; row++) {
    for (let column = 0; column < inkMapSide; column++) {
      const x = (2 * column + 1) / inkMapSide - 1;
      const y = (2 * row + 1) / inkMapSide - 1;
      const top = downwards.find(({ shape }) => shape(x, y) < 0);
      if (top) map[row * inkMapSide + column] = inks[top.ink];
    }
  }
  return map;
}

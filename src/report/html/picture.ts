/** Pictures inside of a report: small PNG files as data URIs. */

import { z } from 'zod';
import { encodePng } from '../../data/png.ts';
import type { Raster } from '../../data/raster.ts';
import { resizeBilinear } from '../../data/resize.ts';

/** Height and width are those of the file in `uri`, in pixels. */
export const picture = z.strictObject({
  uri: z.string().regex(/^data:image\/png;base64,[A-Za-z0-9+/]+={0,2}$/),
  height: z.int().positive(),
  width: z.int().positive(),
});

export type Picture = z.infer<typeof picture>;

/** @param edge longest edge in pixels; what is larger is made smaller */
export function pictureOf(raster: Raster<Uint8Array>, edge: number): Picture {
  const scale = Math.min(1, edge / Math.max(raster.height, raster.width));
  const size = (length: number): number => Math.max(1, Math.round(length * scale));
  const small = resizeBilinear(raster, size(raster.height), size(raster.width));
  return {
    uri: `data:image/png;base64,${base64(encodePng(small))}`,
    height: small.height,
    width: small.width,
  };
}

/** In pieces, since a call takes a limited number of arguments. */
function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
}

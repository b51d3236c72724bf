/** Sets of square grey images. */

import { imageSet, type LabelledImageSet, requireClasses } from '../../src/data/dataset.ts';

/** @param pixels of all images in turn, `side`×`side` each, in [0, 255]; the images are of the classes in turn */
export function greyImages(
  pixels: Uint8Array,
  side: number,
  classes: number,
  source: string,
): LabelledImageSet {
  const count = pixels.length / side ** 2;
  return requireClasses(
    imageSet({
      images: pixels,
      height: side,
      width: side,
      channels: 1,
      range: [0, 255],
      labels: Int32Array.from({ length: count }, (_, i) => i % classes),
      classes,
      source,
    }),
  );
}

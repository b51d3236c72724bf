/** What detection builds in front of a classifier that sees raw pixels: a trigger. */

import type { GraphBuilder } from '../onnx/builder.ts';

/** Names of what detection adds to a model. */
export const detectPrefix = 'nc/detect/';

/** `(1 − mask)·pixels + mask·pattern`, on raw pixels (Wang et al. 2019, eq. 1), as one multiply-add. */
export const stamp = (b: GraphBuilder, pixels: string, mask: string, pattern: string): string =>
  b.add(pixels, b.mul(mask, b.sub(pattern, pixels)));

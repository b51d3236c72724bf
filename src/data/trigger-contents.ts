/**
 * What a saved trigger consists of: pictures named as the original names them, and the exact values in .npy files beside
 * them.
 *
 * `{prefix}_{mask,pattern,fusion}_label_{i}.png` and `{prefix}_{mask,pattern}_label_{i}.npy`; what is for images of one class only has
 * `label_{i}_source_{j}` instead, which nobody takes for the trigger of the label.
 */

import type { Tensor } from '../onnx/tensor.ts';
import { writeNpy } from './npy.ts';
import { encodePng } from './png.ts';
import type { Raster } from './raster.ts';

/** The pictures of a trigger. */
export interface TriggerImages {
  /** One channel: mask · 255. */
  readonly mask: Raster<Uint8Array>;
  readonly pattern: Raster<Uint8Array>;
  /** mask · pattern: what the trigger looks like on black. */
  readonly fusion: Raster<Uint8Array>;
}

/** The exact values of a trigger. */
export interface TriggerArrays {
  /** [H, W] in [0, 1] */
  readonly mask: Tensor<'float32'>;
  /** [H, W, C] in [0, 255] */
  readonly pattern: Tensor<'float32'>;
}

/** The prefix in the original's names: with it, the original's outlier script reads our folders too. */
export const originalPrefix = 'gtsrb_visualize';

/** Which trigger it is. */
export interface TriggerKey {
  readonly label: number;
  /** The class whose images it is for, if it is for one only. */
  readonly source?: number | undefined;
}

export const triggerFileName = (
  prefix: string,
  kind: keyof TriggerImages,
  { label, source }: TriggerKey,
  extension: 'png' | 'npy',
): string =>
  `${prefix}_${kind}_label_${label}${source === undefined ? '' : `_source_${source}`}.${extension}`;

/** Files of a trigger, by name, in the order in which they are to be written. */
export function triggerContents(
  key: TriggerKey,
  images: TriggerImages,
  arrays: TriggerArrays,
  prefix = originalPrefix,
): Map<string, Uint8Array> {
  const contents = new Map<string, Uint8Array>();
  for (const kind of ['pattern', 'mask'] as const) {
    contents.set(triggerFileName(prefix, kind, key, 'npy'), writeNpy(arrays[kind]));
  }
  // The mask picture comes last: by it the trigger is found.
  for (const kind of ['fusion', 'pattern', 'mask'] as const) {
    contents.set(triggerFileName(prefix, kind, key, 'png'), encodePng(images[kind]));
  }
  return contents;
}

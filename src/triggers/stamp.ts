/** Puts a trigger on images. */

import { NeuralCleanseError } from '../errors.ts';
import { float32, type Tensor } from '../onnx/tensor.ts';
import type { Trigger } from './trigger.ts';

/**
 * Stamps every image: x' = (1 − m)·x + m·p. Stamping belongs in front of the preprocessing, on raw pixels.
 *
 * @param images [N, H, W, C], raw pixels in [0, 255]
 * @returns [N, H, W, C], new values in [0, 255], not rounded
 * @throws NeuralCleanseError TRIGGER_SIZE_MISMATCH
 */
export function stamp(
  images: Tensor<'float32'> | Tensor<'uint8'>,
  { mask, pattern }: Trigger,
): Tensor<'float32'> {
  if (images.dims.slice(1).join() !== pattern.dims.join()) {
    throw new NeuralCleanseError(
      'TRIGGER_SIZE_MISMATCH',
      `A trigger [${pattern.dims}] cannot be stamped on images [${images.dims}].`,
      { hint: `It takes images of shape [N, ${pattern.dims.join(', ')}]: batch, height, width, channels.` },
    );
  }
  const size = pattern.data.length;
  const out = Float32Array.from(images.data);
  for (let at = 0; at < out.length; at += size) stampPixels({ mask, pattern }, out.subarray(at, at + size));
  return float32(images.dims, out);
}

/**
 * Stamps one image in place: x' = (1 − m)·x + m·p.
 *
 * @param image [H, W, C] as the pattern, raw pixels in [0, 255]
 */
export function stampPixels({ mask, pattern }: Trigger, image: Float32Array): void {
  const channels = pattern.dims[2]!;
  for (let pixel = 0, i = 0; pixel < mask.data.length; pixel++) {
    const m = mask.data[pixel]!;
    if (m === 0) i += channels;
    else for (const end = i + channels; i < end; i++) image[i] = (1 - m) * image[i]! + m * pattern.data[i]!;
  }
}

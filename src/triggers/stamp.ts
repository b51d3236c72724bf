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
  const channels = pattern.dims[2]!;
  const size = pattern.data.length;
  const out = new Float32Array(images.data.length);
  for (let i = 0; i < out.length; i++) {
    const at = i % size;
    const m = mask.data[Math.floor(at / channels)]!;
    out[i] = (1 - m) * images.data[i]! + m * pattern.data[at]!;
  }
  return float32(images.dims, out);
}

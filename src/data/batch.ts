/** Batches for a model: float32 raw pixels in the layout that its input has. */

import type { Tensor } from '../onnx/tensor.ts';
import { checkIndex, type ImageSet } from './dataset.ts';

export type Layout = 'NCHW' | 'NHWC';

/**
 * The images at `indices` as one tensor of raw pixels in [0, 255], whatever range the set stores.
 *
 * @returns [indices.length, C, H, W] or [indices.length, H, W, C]
 * @throws NeuralCleanseError DATA_SHAPE_MISMATCH if there is no such image
 */
export function toBatch(set: ImageSet, indices: ArrayLike<number>, layout: Layout): Tensor<'float32'> {
  const { height, width, channels, images } = set;
  const area = height * width;
  const size = area * channels;
  const scale = 255 / set.range[1];
  // Distance in the batch between neighbouring pixels, and between neighbouring channels of one pixel.
  const [pixelStep, channelStep] = layout === 'NHWC' ? [channels, 1] : [1, area];
  const data = new Float32Array(indices.length * size);
  for (let i = 0; i < indices.length; i++) {
    checkIndex(set, indices[i]!);
    let from = indices[i]! * size;
    for (let p = 0; p < area; p++) {
      let to = i * size + p * pixelStep;
      for (let c = 0; c < channels; c++, to += channelStep) data[to] = images[from++]! * scale;
    }
  }
  const dims =
    layout === 'NHWC' ? [indices.length, height, width, channels] : [indices.length, channels, height, width];
  return { dtype: 'float32', dims, data };
}

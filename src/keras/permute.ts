/** Reordering the axes of weights. */

import { float32, type Tensor } from '../onnx/tensor.ts';

/** The tensor with axis `axes[i]` of the old one at place `i`. */
export function permuted(tensor: Tensor<'float32'>, axes: readonly number[]): Tensor<'float32'> {
  return gathered(tensor, axes, (index) => index);
}

/** The tensor with the given axes reversed. */
export const flipped = (tensor: Tensor<'float32'>, axes: readonly number[]): Tensor<'float32'> =>
  gathered(
    tensor,
    tensor.dims.map((_, axis) => axis),
    (index, axis) => (axes.includes(axis) ? tensor.dims[axis]! - 1 - index : index),
  );

function gathered(
  { dims, data }: Tensor<'float32'>,
  axes: readonly number[],
  at: (index: number, axis: number) => number,
): Tensor<'float32'> {
  const strides = dims.map((_, axis) => dims.slice(axis + 1).reduce((n, d) => n * d, 1));
  const target = axes.map((axis) => dims[axis]!);
  const out = new Float32Array(data.length);
  let next = 0;
  const fill = (place: number, offset: number): void => {
    const axis = axes[place];
    if (axis === undefined) {
      out[next++] = data[offset]!;
      return;
    }
    for (let i = 0; i < dims[axis]!; i++) fill(place + 1, offset + at(i, axis) * strides[axis]!);
  };
  fill(0, 0);
  return float32(target, out);
}

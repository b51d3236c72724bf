/** Linear maps along one axis by constant matrices. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import { float32, sizeOf } from '../../onnx/tensor.ts';
import { range, view } from './shape.ts';

/** A shape as three axes, the middle one being the axis of interest. */
export type Rows = readonly [outer: number, size: number, inner: number];

export const aroundAxis = (shape: readonly number[], axis: number): Rows => [
  sizeOf(shape.slice(0, axis)),
  shape[axis]!,
  sizeOf(shape.slice(axis + 1)),
];

/**
 * Multiplies every vector along an axis from the left: `value [.., n, ..] -> W · value [to]`.
 *
 * @param value any number of axes may stand for the mapped one; those before and after it are as in `to`
 * @param matrix W [to[axis], n], row-major
 */
export function mapAxis(
  b: GraphBuilder,
  value: string,
  matrix: Float32Array,
  to: readonly number[],
  axis: number,
): string {
  const [outer, size, inner] = aroundAxis(to, axis);
  const n = matrix.length / size;
  if (inner > 1) {
    const rows = b.reshape(value, [outer, n, inner]);
    const product = b.op('MatMul', [b.constant(float32([size, n], matrix)), rows]);
    return view(b, product, [outer, size, inner], to);
  }
  const transposed = range(n).flatMap((column) => range(size).map((row) => matrix[row * n + column]!));
  const rows = b.reshape(value, [outer, n]);
  return view(b, b.op('MatMul', [rows, b.constant(float32([n, size], transposed))]), [outer, size], to);
}

/** Small helpers over shapes that several families share. */

import type { GraphBuilder } from '../../onnx/builder.ts';

/** `[0, 1, …, n − 1]`. */
export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** A reshape, or `value` itself where it already has that shape. */
export function view(b: GraphBuilder, value: string, from: readonly number[], to: readonly number[]): string {
  return from.length === to.length && from.every((d, i) => d === to[i]) ? value : b.reshape(value, to);
}

/** Elements between neighbours along each axis of a row-major tensor. */
export function strides(dims: readonly number[]): number[] {
  const result = new Array<number>(dims.length);
  let stride = 1;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    result[axis] = stride;
    stride *= dims[axis]!;
  }
  return result;
}

import type { Tensor } from '../../src/onnx/tensor.ts';
import type { Fetches } from '../../src/runtime/session.ts';

/** The largest difference of any element, relative to the largest element of its tensor. Infinity if shapes or names differ. */
export function largestDifference(actual: Fetches, expected: Fetches): number {
  if (Object.keys(actual).toSorted().join() !== Object.keys(expected).toSorted().join()) return Infinity;
  return Math.max(...Object.entries(expected).map(([name, tensor]) => difference(actual[name]!, tensor)));
}

function difference(actual: Tensor, expected: Tensor): number {
  if (actual.dims.join() !== expected.dims.join()) return Infinity;
  const [a, b] = [actual.data as Float32Array, expected.data as Float32Array];
  const scale = Math.max(...b.map(Math.abs), 1e-6);
  // NaN compares false with everything, so it must not enter a maximum.
  return b.reduce((worst, value, i) => {
    const error = Math.abs(a[i]! - value) / scale;
    return error <= worst ? worst : Number.isNaN(error) ? Infinity : error;
  }, 0);
}

/** Constants that an exporter repeated for every sample of its batch, such as a class token. */

import { sizeOf, type Tensor } from '../../onnx/tensor.ts';
import type { Location } from './context.ts';

/**
 * The part that each sample of a batch has of a constant, if it is the same for all.
 *
 * [.., outer·batch·inner, ..] -> [.., outer·inner, ..]
 */
export function commonPart(
  tensor: Tensor,
  { axis, outer, inner }: Location,
  batch: number,
): Tensor | undefined {
  if (tensor.dtype === 'string' || tensor.dtype === 'opaque') return undefined;
  const { dims } = tensor;
  const runs = sizeOf(dims.slice(0, axis)) * outer;
  const length = inner * sizeOf(dims.slice(axis + 1));
  const all = tensor.data as Float32Array;
  const part = all.slice(0, runs * length);
  for (let run = 0; run < runs; run++) {
    const first = all.subarray(run * batch * length, (run * batch + 1) * length);
    for (let sample = 1; sample < batch; sample++) {
      const start = (run * batch + sample) * length;
      if (first.some((value, k) => !Object.is(value, all[start + k]))) return undefined;
    }
    part.set(first, run * length);
  }
  return { ...tensor, dims: dims.with(axis, outer * inner), data: part };
}

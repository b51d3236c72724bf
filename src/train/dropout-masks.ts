/** Which elements a mini-batch drops, the same for every run with one seed. */

import { float32, sizeOf, type Tensor } from '../onnx/tensor.ts';
import type { DropoutMask } from '../passes/training-form.ts';
import { randomStream } from '../random.ts';

/** Name of the random stream, after the seed. */
const dropoutStream = 2;

/**
 * Masks of one step: each element is 1 / keep with probability `keep`, rounded to 16 bits, else 0.
 *
 * @param step over the whole run
 */
export function drawMasks(
  masks: readonly DropoutMask[],
  seed: number,
  step: number,
): Record<string, Tensor<'float32'>> {
  const { bits } = randomStream(seed, dropoutStream, step);
  return Object.fromEntries(
    masks.map(({ input, dims, keep }) => {
      const data = new Float32Array(sizeOf(dims));
      fill(data, keep, [bits(), bits(), bits(), bits()]);
      return [input, float32(dims, data)];
    }),
  );
}

/**
 * Draws by sfc32 (Doty-Humphrey, PractRand) with all its state in local integers and without branches: a step of the
 * traffic-sign network needs 337,000 elements, and calls of a generator for them took a fifteenth of its time.
 */
function fill(
  data: Float32Array,
  keep: number,
  [s0, s1, s2, s3]: readonly [number, number, number, number],
): void {
  const [scale, limit] = [1 / keep, Math.round(keep * 0x10000)];
  let [a, b, c, d] = [s0 | 0, s1 | 0, s2 | 0, s3 | 0];
  for (let i = 0; i < data.length; i += 2) {
    const word = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + word) | 0;
    // Half the bits for each of two elements; the sign of the difference is 1 below the limit. Writes past the end vanish.
    data[i] = (((word & 0xffff) - limit) >>> 31) * scale;
    data[i + 1] = (((word >>> 16) - limit) >>> 31) * scale;
  }
}

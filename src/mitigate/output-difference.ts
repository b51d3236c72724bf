/** Whether a model with additions answers as it did without them. */

import { batchDims, type ImageInput } from '../model/image-input.ts';
import type { Model } from '../onnx/graph.ts';
import { sizeOf, type Tensor, toFloat32 } from '../onnx/tensor.ts';
import { randomStream } from '../random.ts';
import type { Runtime } from '../runtime/session.ts';

/**
 * Runs two models on the same noise.
 *
 * @param input what both take, with the height and width that they may leave open
 * @param batch images in the run
 * @returns how far the first outputs are apart at most; 0 if they are equal bit for bit
 * @throws NeuralCleanseError RUNTIME_FAILED
 */
export async function outputDifference(
  runtime: Runtime,
  models: readonly [Model, Model],
  input: ImageInput,
  batch: number,
): Promise<number> {
  const feeds = models.map(({ graph }) => {
    const { name, dtype } = graph.inputs[0]!;
    return { [name]: noise(dtype === 'float16' || dtype === 'float64' ? dtype : 'float32', input, batch) };
  });
  const outputs: Float32Array[] = [];
  for (const [i, model] of models.entries()) {
    const session = await runtime.open(model, { provider: 'cpu' });
    try {
      const { name } = model.graph.outputs[0]!;
      outputs.push(toFloat32((await session.run(feeds[i]!))[name]!).data);
    } finally {
      await session.release();
    }
  }
  const [before, after] = outputs as [Float32Array, Float32Array];
  return before.reduce(
    (most, value, i) => (Object.is(value, after[i]) ? most : Math.max(most, Math.abs(value - after[i]!))),
    0,
  );
}

/** Values in [0, 1). */
function noise(dtype: 'float16' | 'float32' | 'float64', input: ImageInput, batch: number): Tensor {
  const random = randomStream(0);
  const dims = batchDims(input, batch);
  const length = sizeOf(dims);
  if (dtype === 'float32') return { dtype, dims, data: Float32Array.from({ length }, () => random.next()) };
  if (dtype === 'float64') return { dtype, dims, data: Float64Array.from({ length }, () => random.next()) };
  // As bits, from 2^-5 to 1.
  return {
    dtype,
    dims,
    data: Uint16Array.from({ length }, () => 0x2800 + Math.floor(random.next() * 0x1400)),
  };
}

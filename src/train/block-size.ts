/** How many channels make a block of ONNX Runtime's blocked layout on this machine. */

import { NeuralCleanseError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { canonicalModel } from '../onnx/model.ts';
import { float32 } from '../onnx/tensor.ts';
import { BlockedLayout, withBlockedOperators } from '../passes/blocked-convolution.ts';
import type { Runtime, SessionOptions } from '../runtime/session.ts';

/** A multiple of every size there is (8 and 16). */
const channels = 32;

/**
 * Converts two pixels and looks how many channels of the first stand before the second.
 *
 * @returns `undefined` where the provider has no such layout
 */
export async function blockSizeOf(runtime: Runtime, session: SessionOptions): Promise<number | undefined> {
  const { provider } = await runtime.choose(session.provider);
  if (provider !== 'cpu') return undefined;
  const b = new GraphBuilder(undefined, 'nc/');
  const dims = [1, channels, 1, 2];
  const x = b.input('x', 'float32', dims);
  b.output(new BlockedLayout(b, channels).from(x), 'float32', dims, 'blocked');
  try {
    const opened = await runtime.open(withBlockedOperators(canonicalModel(b.build())), session);
    const pixels = float32(
      dims,
      Float32Array.from({ length: 2 * channels }, (_, i) => i % 2),
    );
    const { blocked } = await opened.run({ x: pixels });
    await opened.release();
    return (blocked!.data as Float32Array).indexOf(1);
  } catch (error) {
    // Processors without such kernels have no such operators either.
    if (error instanceof NeuralCleanseError && error.code === 'RUNTIME_FAILED') return undefined;
    throw error;
  }
}

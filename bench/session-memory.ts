/**
 * Memory of the process while sessions come and go: opens, runs and releases a 4 MB graph again and again.
 *
 *     npm run bench:memory -- [cycles] [every] [provider]
 */

import { GraphBuilder } from '../src/onnx/builder.ts';
import { canonicalModel } from '../src/onnx/model.ts';
import { float32 } from '../src/onnx/tensor.ts';
import { nodeRuntime } from '../src/runtime/node.ts';
import type { Provider } from '../src/runtime/session.ts';

const [cycles = '500', every = '50', provider = 'cpu'] = process.argv.slice(2);
const size = 512;

const b = new GraphBuilder();
let value = b.input('x', 'float32', [1, size]);
for (let layer = 0; layer < 4; layer++) {
  const weights = Float32Array.from({ length: size * size }, (_, i) => Math.sin(i + layer) / size);
  value = b.op('MatMul', [value, b.constant(float32([size, size], weights))]);
}
b.output(value, 'float32', [1, size], 'y');
const model = canonicalModel(b.build());
const x = float32([1, size], new Float32Array(size).fill(1));

console.log('cycle   RSS [MB]');
for (let cycle = 1; cycle <= Number(cycles); cycle++) {
  const session = await nodeRuntime.open(model, { provider: provider as Provider });
  await session.run({ x });
  await session.release();
  if (cycle % Number(every) === 0) {
    const megabytes = process.memoryUsage.rss() / 1e6;
    console.log(`${String(cycle).padStart(5)}   ${megabytes.toFixed(0).padStart(8)}`);
  }
}

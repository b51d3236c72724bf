import { expect, it } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { Gate, pausable } from '../../src/runtime/pausable.ts';

it('sessions wait while the gate is closed', async () => {
  const gate = new Gate();
  const b = new GraphBuilder();
  b.output(b.op('Neg', [b.input('x', 'float32', [1])]), 'float32', [1], 'y');
  const session = await pausable(nodeRuntime, gate).open(canonicalModel(b.build()), { provider: 'cpu' });
  const done: number[] = [];
  const run = async (x: number): Promise<void> => {
    const { y } = await session.run({ x: float32([1], [x]) });
    done.push((y!.data as Float32Array)[0]!);
  };
  await run(1);
  gate.close();
  gate.close();
  const [second, third] = [run(2), run(3)];
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect([gate.closed, done]).toEqual([true, [-1]]);
  gate.reopen();
  await Promise.all([second, third]);
  expect([gate.closed, done]).toEqual([false, [-1, -2, -3]]);
  await session.release();
});

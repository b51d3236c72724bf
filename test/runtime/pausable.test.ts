import { expect, it } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { Gate, pausable } from '../../src/runtime/pausable.ts';
import type { Session } from '../../src/runtime/session.ts';

/** A session that answers `y`, −x, and `z`, |x|. */
function openPausable(gate: Gate): Promise<Session> {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [1]);
  b.output(b.op('Neg', [x]), 'float32', [1], 'y');
  b.output(b.op('Abs', [x]), 'float32', [1], 'z');
  return pausable(nodeRuntime, gate).open(canonicalModel(b.build()), { provider: 'cpu' });
}

it('sessions wait while the gate is closed', async () => {
  const gate = new Gate();
  const session = await openPausable(gate);
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

it('sessions compute the outputs that are asked for, into memory that is given', async () => {
  const session = await openPausable(new Gate());
  const given = float32([1], [0]);
  const results = await session.run({ x: float32([1], [5]) }, ['y'], { y: given });
  expect(Object.keys(results)).toEqual(['y']);
  expect(given.data[0]).toBe(-5);
  await session.release();
});

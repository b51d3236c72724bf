/** Tasks that behave and misbehave, for the tests of the pools. */

import { NeuralCleanseError } from '../../src/errors.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32, type Tensor } from '../../src/onnx/tensor.ts';
import type { Provider } from '../../src/runtime/session.ts';
import { defineTask, type TaskContext, throwIfCancelled } from '../../src/runtime/task.ts';

const here = import.meta.url;

export interface Square {
  readonly provider: Provider;
  readonly y: Tensor;
  readonly pid: number;
}

/** Squares a tensor with a session of its own. */
export const square = defineTask(here, 'square', async (x: Tensor, context: TaskContext): Promise<Square> => {
  const b = new GraphBuilder();
  const input = b.input('x', 'float32', x.dims);
  b.output(b.mul(input, input), 'float32', x.dims, 'y');
  const session = await context.runtime.open(canonicalModel(b.build()));
  const { y } = await session.run({ x });
  await session.release();
  return { provider: session.provider, y: y!, pid: process.pid };
});

export const pid = defineTask(here, 'pid', async (_: undefined, _context: TaskContext) => process.pid);

/** Returns the product of the payload and the number shared by all tasks. */
export const scale = defineTask(
  here,
  'scale',
  async (factor: number, { shared }: TaskContext<never, number>) => factor * shared,
);

/** Reports every step, then waits for the signal. */
export const countUntilCancelled = defineTask(
  here,
  'countUntilCancelled',
  async (_: undefined, { report, signal }: TaskContext<number>): Promise<number> => {
    for (let step = 0; ; step++) {
      throwIfCancelled(signal);
      report(step);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  },
);

/** Runs a session again and again without ever looking up. */
export const runForever = defineTask(
  here,
  'runForever',
  async (_: undefined, { runtime, report, signal }: TaskContext<string>): Promise<void> => {
    const b = new GraphBuilder();
    b.output(b.op('Relu', [b.input('x', 'float32', [64, 64])]), 'float32', [64, 64], 'y');
    const session = await runtime.open(canonicalModel(b.build()));
    report('started');
    const x = float32([64, 64], new Float32Array(64 * 64));
    while (!signal.aborted) await session.run({ x });
    await session.release();
  },
);

/** Never returns to the event loop. */
export const spin = defineTask(
  here,
  'spin',
  async (_: undefined, { report }: TaskContext<string>): Promise<void> => {
    report('spinning');
    await new Promise((resolve) => setTimeout(resolve, 20));
    for (;;);
  },
);

export const failKnown = defineTask(
  here,
  'failKnown',
  async (_: undefined, _context: TaskContext): Promise<void> => {
    throw new NeuralCleanseError('SHAPE_MISMATCH', 'Shapes differ.', {
      hint: 'Reshape one.',
      node: 'add_1',
      op: 'Add',
      data: { left: [1, 2], right: [3] },
      cause: new RangeError('inner'),
    });
  },
);

export const failUnknown = defineTask(
  here,
  'failUnknown',
  async (_: undefined, _context: TaskContext): Promise<void> => {
    throw new TypeError('not a function');
  },
);

export const returnFunction = defineTask(
  here,
  'returnFunction',
  async (_: undefined, _context: TaskContext): Promise<() => void> =>
    () =>
      undefined,
);

export const exit = defineTask(here, 'exit', async (code: number, _context: TaskContext): Promise<void> => {
  process.exit(code);
});

/** Ends as native code does that meets a fault. */
export const abort = defineTask(here, 'abort', async (_: number, _context: TaskContext): Promise<void> => {
  process.kill(process.pid, 'SIGABRT');
  await new Promise((resolve) => setTimeout(resolve, 1000));
});

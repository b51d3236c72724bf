/** Checks a gradient rule against central differences. */

import { differentiate, gradientName } from '../../src/autodiff/gradient.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Attributes } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32, sizeOf, type Tensor } from '../../src/onnx/tensor.ts';
import { lower } from '../../src/passes/lower.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import type { Session } from '../../src/runtime/session.ts';

export interface OpCase {
  readonly op: string;
  readonly attributes?: Attributes;
  /** `null` leaves an optional input out. */
  readonly inputs: readonly (Tensor | null)[];
  /** Indices of inputs fed at run time and differentiated; all others become constants. @default [0] */
  readonly wrt?: readonly number[];
  /** @default 1 */
  readonly outputs?: number;
  /** Which outputs enter the loss. @default all float outputs */
  readonly lossOutputs?: readonly number[];
}

export interface CheckOptions {
  /** Largest accepted error of the directional derivative, relative to the gradient's norm. @default 2e-3 */
  readonly tolerance?: number;
  /** Step of the five-point stencil, in units of the inputs. Keep inputs this far (×2) from kinks. @default 0.02 */
  readonly step?: number;
  /** Whether backward operators may be lowered to scatters. @default true */
  readonly scatter?: boolean;
  /** Whether to lower for the blocked convolution layout. @default false */
  readonly blocked?: boolean;
}

interface Prepared {
  readonly forward: Session;
  readonly backward: Session;
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Weight of each output in the loss. */
  readonly weights: ReadonlyMap<string, Tensor<'float32'>>;
}

/** Builds the operator and its gradient for the loss `sum of weight · y` and hands both sessions to `use`. */
async function withSessions<T>(
  test: OpCase,
  options: CheckOptions,
  weigh: (dims: readonly number[]) => Tensor<'float32'>,
  use: (prepared: Prepared) => Promise<T>,
): Promise<T> {
  const wrt = test.wrt ?? [0];
  const b = new GraphBuilder(undefined, 'test/');
  const names = test.inputs.map((t, i) => {
    if (!t) return '';
    return wrt.includes(i) ? b.input(`x${i}`, t.dtype, t.dims) : b.initializer(`x${i}`, t);
  });
  const outputs = b.ops(test.op, names, test.outputs ?? 1, test.attributes ?? {});
  const forwardGraph = { ...b.build(), outputs: outputs.map((name) => ({ name, dtype: null, dims: null })) };
  const forward = await nodeRuntime.open(canonicalModel(forwardGraph), { optimization: 'disabled' });
  let backward: Session | undefined;
  try {
    const feeds = Object.fromEntries(wrt.map((i) => [`x${i}`, test.inputs[i]!]));
    const y0 = await forward.run(feeds);
    const lossOutputs = (test.lossOutputs ?? outputs.map((_, i) => i)).filter(
      (i) => y0[outputs[i]!]!.dtype === 'float32',
    );
    const weights = new Map(lossOutputs.map((i) => [outputs[i]!, weigh(y0[outputs[i]!]!.dims)]));

    // Each weight is the gradient that enters the reverse sweep at its output.
    const lb = new GraphBuilder({ ...forwardGraph, outputs: [] }, 'loss/');
    const loss = new Map([...weights].map(([y, w]) => [y, lb.constant(w)]));
    const known: [string, Tensor][] = Object.entries(y0);
    test.inputs.forEach((t, i) => {
      if (t) known.push([names[i]!, t]);
    });
    const types = {
      shapes: new Map(known.map(([name, t]) => [name, t.dims])),
      dtypes: new Map(known.map(([name, t]) => [name, t.dtype])),
    };
    const differentiated = differentiate(lb.build(), types, { loss, wrt: wrt.map((i) => `x${i}`) });
    const gradientGraph = lower(differentiated, {
      scatter: options.scatter ?? true,
      blocked: options.blocked ?? false,
    });
    backward = await nodeRuntime.open(canonicalModel(gradientGraph), { optimization: 'disabled' });
    return await use({ forward, backward, feeds, weights });
  } finally {
    await forward.release();
    await backward?.release();
  }
}

/** The gradients of the plain sum of all outputs, one for each entry of `wrt`. */
export async function gradientsOf(test: OpCase, options: CheckOptions = {}): Promise<Tensor<'float32'>[]> {
  const ones = (dims: readonly number[]): Tensor<'float32'> =>
    float32(dims, new Float32Array(sizeOf(dims)).fill(1));
  return withSessions(test, options, ones, async ({ backward, feeds }) => {
    const gradients = await backward.run(feeds);
    return (test.wrt ?? [0]).map((i) => gradients[gradientName(`x${i}`)] as Tensor<'float32'>);
  });
}

/**
 * Compares the rule's gradient with the five-point central difference along random directions.
 *
 * The loss is a random linear form of the outputs, summed here in double precision, so that only the
 * operator itself runs in float32. Also checks that each gradient has the shape of its value.
 */
export async function checkGradient(test: OpCase, seed = 1, options: CheckOptions = {}): Promise<void> {
  const { tolerance = 2e-3, step = 0.02 } = options;
  const random = generator(seed);
  const weigh = (dims: readonly number[]): Tensor<'float32'> => randomTensor(random, dims);
  await withSessions(test, options, weigh, async ({ forward, backward, feeds, weights }) => {
    const gradients = await backward.run(feeds);
    for (const i of test.wrt ?? [0]) {
      const x = test.inputs[i] as Tensor<'float32'>;
      const gradient = gradients[gradientName(`x${i}`)]!;
      if (gradient.dims.join() !== x.dims.join()) {
        throw new Error(`gradient of input ${i} has shape [${gradient.dims}], not [${x.dims}]`);
      }
      const g = gradient.data as Float32Array;
      for (let trial = 0; trial < 2; trial++) {
        const v = randomTensor(random, x.dims).data;
        /** The loss at x + h·v. */
        const at = async (h: number): Promise<number> => {
          const moved = float32(
            x.dims,
            x.data.map((value, k) => value + h * v[k]!),
          );
          const y = await forward.run({ ...feeds, [`x${i}`]: moved });
          let sum = 0;
          for (const [name, w] of weights) {
            const data = y[name]!.data as Float32Array;
            for (let k = 0; k < data.length; k++) sum += data[k]! * w.data[k]!;
          }
          return sum;
        };
        const near = (await at(step)) - (await at(-step));
        const far = (await at(2 * step)) - (await at(-2 * step));
        const numeric = (8 * near - far) / (12 * step);
        let analytic = 0;
        let norm = 0;
        for (let k = 0; k < g.length; k++) {
          analytic += g[k]! * v[k]!;
          norm += g[k]! ** 2;
        }
        const scale = Math.max(Math.sqrt(norm), Math.abs(numeric), 1e-2);
        const error = Math.abs(analytic - numeric) / scale;
        if (!(error <= tolerance)) {
          throw new Error(
            `${test.op} ${JSON.stringify(test.attributes ?? {})}, input ${i} [${x.dims}]: analytic ${analytic}, numeric ${numeric}, relative error ${error.toExponential(2)}`,
          );
        }
      }
    }
  });
}

/** A small deterministic generator, uniform in [0, 1) (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Uniform in [low, high). */
export function randomTensor(
  random: () => number,
  dims: readonly number[],
  low = -1,
  high = 1,
): Tensor<'float32'> {
  return float32(
    dims,
    Float32Array.from({ length: sizeOf(dims) }, () => low + (high - low) * random()),
  );
}

/** Values at least `gap` apart from each other, shuffled: for operators that pick a maximum. */
export function distinctTensor(random: () => number, dims: readonly number[], gap = 0.15): Tensor<'float32'> {
  const n = sizeOf(dims);
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return float32(
    dims,
    Float32Array.from(order, (k) => (k - n / 2) * gap + gap / 3),
  );
}

/** Uniform in [low, high) but at least `gap` away from each of `kinks`. */
export function awayFrom(
  random: () => number,
  dims: readonly number[],
  kinks: readonly number[],
  low = -2,
  high = 2,
  gap = 0.1,
): Tensor<'float32'> {
  return float32(
    dims,
    Float32Array.from({ length: sizeOf(dims) }, () => {
      for (;;) {
        const value = low + (high - low) * random();
        if (kinks.every((k) => Math.abs(value - k) > gap)) return value;
      }
    }),
  );
}

/** The gradient graph of one operator with nothing run: for forms that are refused, and for inputs fed at run time. */

import { differentiate } from '../../src/autodiff/gradient.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Attributes, Graph } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import type { DType, Tensor } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import type { Feeds, Fetches } from '../../src/runtime/session.ts';

export interface Fed {
  readonly dims: readonly number[];
  /** @default 'float32' */
  readonly dtype?: DType;
}

export interface Produced extends Fed {
  /** Whether a loss reaches it, through the input `dy<i>`. @default true */
  readonly used?: boolean;
  /** `''` leaves it unnamed. @default `y<i>` */
  readonly name?: string;
}

export interface SingleOp {
  readonly op: string;
  readonly attributes?: Attributes;
  /** Tensors are constants; what has only a shape is fed as `x<i>`; `null` is absent. */
  readonly inputs: readonly (Tensor | Fed | null)[];
  readonly outputs: readonly Produced[];
  /** @default [0] */
  readonly wrt?: readonly number[];
}

/** A graph with inputs `x<i>` and `dy<i>` and an output `grad:x<i>` for each of `wrt`. */
export function gradientGraph({ op, attributes = {}, inputs, outputs, wrt = [0] }: SingleOp): Graph {
  const b = new GraphBuilder(undefined, 'test/');
  const shapes = new Map<string, readonly number[]>();
  const dtypes = new Map<string, DType>();
  const declare = (name: string, { dims, dtype = 'float32' }: Fed): void => {
    shapes.set(name, dims);
    dtypes.set(name, dtype);
  };
  const names = inputs.map((input, i) => {
    if (!input) return '';
    declare(`x${i}`, input);
    return 'data' in input
      ? b.initializer(`x${i}`, input)
      : b.input(`x${i}`, input.dtype ?? 'float32', input.dims);
  });
  const loss = new Map<string, string>();
  const results = outputs.map(({ name, used = true, ...type }, i) => {
    const y = name ?? `y${i}`;
    declare(y, type);
    if (used) loss.set(y, b.input(`dy${i}`, 'float32', type.dims));
    return y;
  });
  b.ops(op, names, results.length, attributes, { outputs: results });
  return differentiate(b.build(), { shapes, dtypes }, { loss, wrt: wrt.map((i) => `x${i}`) });
}

/** Runs a graph once. */
export async function runOnce(graph: Graph, feeds: Feeds): Promise<Fetches> {
  const session = await nodeRuntime.open(canonicalModel(graph), { optimization: 'disabled' });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

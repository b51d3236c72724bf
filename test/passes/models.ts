/** Small models, run before and after a pass. */

import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Attributes, Graph, Model } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { type Tensor, toNumbers } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import type { Feeds, Fetches } from '../../src/runtime/session.ts';

export interface OldNode {
  readonly op: string;
  readonly version: number;
  readonly domain?: string;
  readonly attributes?: Attributes;
  /** The first is fed, all others are initializers; `null` is absent. */
  readonly inputs: readonly (Tensor | null)[];
  /** @default 1 */
  readonly outputs?: number;
}

/** A graph whose every listed value is an output of unknown shape. */
export const withOutputs = (graph: Graph, names: readonly string[]): Graph => ({
  ...graph,
  outputs: names.map((name) => ({ name, dtype: 'float32', dims: null })),
});

/** A model of one node; its outputs are y0, y1, … */
export function oldModel(node: OldNode): Model {
  const b = new GraphBuilder();
  const inputs = node.inputs.map((t, i) => {
    if (!t) return '';
    return i === 0
      ? b.input(
          'x',
          t.dtype,
          t.dims.map((_, k) => `d${k}`),
        )
      : b.initializer(`c${i}`, t);
  });
  const outputs = Array.from({ length: node.outputs ?? 1 }, (_, i) => `y${i}`);
  b.ops(node.op, inputs, outputs.length, node.attributes ?? {}, { outputs, domain: node.domain ?? '' });
  // Element types of outputs are inferred by ONNX Runtime where they are not declared.
  const graph = { ...b.build(), outputs: outputs.map((name) => ({ name, dtype: null, dims: null })) };
  return modelOf(graph, node.version);
}

export const modelOf = (graph: Graph, version: number): Model => ({
  ...canonicalModel(graph),
  irVersion: 8,
  opsets: new Map([
    ['', version],
    ['com.microsoft', 1],
  ]),
});

export async function runModel(model: Model, feeds: Feeds): Promise<Fetches> {
  const session = await nodeRuntime.open(model, { optimization: 'disabled' });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

/** Largest absolute difference of two results; throws where shapes, types or names differ. */
export function largestDifference(a: Fetches, b: Fetches): number {
  if (Object.keys(a).join() !== Object.keys(b).join()) throw new Error('the outputs have other names');
  let largest = 0;
  for (const [name, x] of Object.entries(a)) {
    const y = b[name]!;
    if (x.dtype !== y.dtype || x.dims.join() !== y.dims.join()) {
      throw new Error(`${name}: ${x.dtype}[${x.dims}] became ${y.dtype}[${y.dims}]`);
    }
    const [p, q] = [x.data as ArrayLike<number>, y.data as ArrayLike<number>];
    for (let i = 0; i < p.length; i++) {
      const difference = Object.is(p[i], q[i]) ? 0 : Math.abs(Number(p[i]) - Number(q[i]));
      if (Number.isNaN(difference)) throw new Error(`${name}[${i}]: ${p[i]} became ${q[i]}`);
      largest = Math.max(largest, difference);
    }
  }
  return largest;
}

/** Shapes of every value in one run. */
export async function shapesOf(model: Model, feeds: Feeds): Promise<Map<string, readonly number[]>> {
  const b = new GraphBuilder({ ...model.graph, outputs: [] }, 'shapes/');
  const values = model.graph.nodes.flatMap((n) => n.outputs).filter(Boolean);
  const outputs = new Map(values.map((value) => [value, b.output(b.op('Shape', [value]), 'int64', [null])]));
  const results = await runModel({ ...model, graph: b.build() }, feeds);
  const made = Array.from(outputs, ([value, output]) => [value, toNumbers(results[output]!)] as const);
  const given = [...Object.entries(feeds), ...model.graph.initializers].map(
    ([name, t]) => [name, t.dims] as const,
  );
  return new Map([...given, ...made]);
}

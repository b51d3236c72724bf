/** Gradients of small graphs, where one operator is not enough to show a property. */

import { differentiate, gradientName } from '../../src/autodiff/gradient.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { type DType, float32, sizeOf, type Tensor } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import type { Feeds, Fetches } from '../../src/runtime/session.ts';

export interface GraphCase {
  /** Float inputs by name; all are differentiated. */
  readonly inputs: Readonly<Record<string, Tensor<'float32'>>>;
  /** Adds the nodes and returns the result. */
  readonly build: (b: GraphBuilder) => string;
  /** Gradient that enters at the result. @default all ones */
  readonly dy?: Tensor<'float32'>;
  /** Values of 4-bit types: ONNX Runtime's JavaScript API cannot return them (it ends the process). */
  readonly packed?: readonly string[];
}

/** The gradients of `sum of dy · result`, by name of the input. */
export async function graphGradients(test: GraphCase): Promise<Record<string, number[]>> {
  const b = new GraphBuilder(undefined, 'test/');
  for (const [name, t] of Object.entries(test.inputs)) b.input(name, t.dtype, t.dims);
  const result = test.build(b);
  const graph = b.build();
  const types = await typesOf(graph, test);

  const dims = types.shapes.get(result)!;
  const weight = b.constant(test.dy ?? float32(dims, new Float32Array(sizeOf(dims)).fill(1)));
  const wrt = Object.keys(test.inputs);
  const backward = differentiate(b.build(), types, { loss: new Map([[result, weight]]), wrt });
  const gradients = await runOnce(backward, test.inputs);
  return Object.fromEntries(
    wrt.map((name) => [name, Array.from(gradients[gradientName(name)]!.data as Float32Array)]),
  );
}

/** Shapes and element types of all values, read off a forward run. */
async function typesOf(graph: Graph, { inputs, packed = [] }: GraphCase) {
  const b = new GraphBuilder({ ...graph, outputs: [] }, 'shape/');
  const readable = graph.nodes.flatMap((n) => n.outputs).filter((name) => !packed.includes(name));
  const unpacked = packed.map((name) => b.cast(name, 'int8'));
  const outputs = [...readable, ...unpacked].map((name) => ({ name, dtype: null, dims: null }));
  const values = await runOnce({ ...b.build(), outputs }, inputs);

  const shapes = new Map<string, readonly number[]>();
  const dtypes = new Map<string, DType>();
  const known = [...readable.map((name) => [name, values[name]!] as const), ...Object.entries(inputs)];
  for (const [name, t] of [...known, ...graph.initializers]) {
    shapes.set(name, t.dims);
    dtypes.set(name, t.dtype);
  }
  packed.forEach((name, i) => {
    shapes.set(name, values[unpacked[i]!]!.dims);
    dtypes.set(name, 'opaque');
  });
  return { shapes, dtypes };
}

async function runOnce(graph: Graph, feeds: Feeds): Promise<Fetches> {
  const session = await nodeRuntime.open(canonicalModel(graph), { optimization: 'disabled' });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

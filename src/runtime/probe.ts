/** Learns every concrete shape of a graph by running it once, so that no shape inference has to be written by hand. */

import type { ValueTypes } from '../autodiff/rule.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { inferDTypes } from '../onnx/dtypes.ts';
import type { Model } from '../onnx/graph.ts';
import { type Tensor, toNumbers } from '../onnx/tensor.ts';
import { findFixed } from '../passes/specialize.ts';
import type { Feeds, Runtime, SessionOptions } from './session.ts';

/** Shapes and element types of every value, and those that are the same for every feed of these shapes. */
export interface Probe extends ValueTypes {
  /** Values that follow from shapes and constants alone, where the rest of the graph reads them. */
  readonly fixed: ReadonlyMap<string, Tensor>;
}

export interface ProbeOptions {
  /** Initializers that will change (weights under training): nothing that depends on their values counts as fixed. */
  readonly variables?: ReadonlySet<string>;
  readonly session?: SessionOptions;
}

/**
 * Runs `model` once on `feeds` with the Shape of every value as output; activations themselves are never copied.
 *
 * @throws NeuralCleanseError RUNTIME_FAILED if ONNX Runtime refuses the graph or the feeds
 */
export async function probe(
  runtime: Runtime,
  model: Model,
  feeds: Feeds,
  options: ProbeOptions = {},
): Promise<Probe> {
  const { graph } = model;
  const dtypes = inferDTypes(graph);
  const { fixed, frontier } = findFixed(graph, options.variables ?? new Set());

  const b = new GraphBuilder({ ...graph, outputs: [] }, 'nc/probe/');
  const shapeOf = new Map<string, string>();
  for (const name of graph.nodes.flatMap((n) => n.outputs)) {
    if (name && !fixed.has(name)) shapeOf.set(name, b.output(b.op('Shape', [name]), 'int64', [null]));
  }
  for (const name of frontier) b.output(name, dtypes.get(name) ?? 'float32', null);

  const session = await runtime.open(
    { ...model, graph: b.build() },
    { optimization: 'disabled', ...options.session },
  );
  try {
    const results = await session.run(feeds);
    const values = new Map(frontier.map((name) => [name, results[name]!]));
    const shapes = new Map<string, readonly number[]>();
    for (const [name, tensor] of [...graph.initializers, ...Object.entries(feeds), ...values]) {
      shapes.set(name, tensor.dims);
    }
    for (const [name, shape] of shapeOf) shapes.set(name, toNumbers(results[shape]!));
    return { shapes, dtypes, fixed: values };
  } finally {
    await session.release();
  }
}

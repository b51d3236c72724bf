/** From a forward graph to a session that returns its outputs and gradients. */

import { differentiate } from '../autodiff/gradient.ts';
import { checkGraph } from '../onnx/check.ts';
import type { Graph } from '../onnx/graph.ts';
import { canonicalModel } from '../onnx/model.ts';
import { type LowerOptions, lower } from '../passes/lower.ts';
import { reluThroughMaxPool } from '../passes/relu-through-max-pool.ts';
import { specialize } from '../passes/specialize.ts';
import { probe } from '../runtime/probe.ts';
import type { Feeds, Provider, Runtime, Session, SessionOptions } from '../runtime/session.ts';

export interface CompileOptions extends SessionOptions {
  /** A scalar value of the graph. */
  readonly loss: string;
  /** Inputs and initializers to differentiate with respect to. */
  readonly wrt: readonly string[];
  /** Feeds of the shapes that will be used; their values do not matter. */
  readonly example: Feeds;
  /** See {@link LowerOptions}; the model of the graph then needs {@link withBlockedOperators}. */
  readonly blockSize?: number | undefined;
}

/** How to lower for a provider. */
const loweringFor = (provider: Provider): LowerOptions => ({
  scatter: provider === 'cpu' || provider === 'wasm',
  blocked: provider === 'cpu',
});

/**
 * Differentiates a graph for one set of input shapes.
 *
 * @param graph canonical form (see {@link prepareClassifier}); its outputs are kept and `grad:<name>` ones are added
 * @throws NeuralCleanseError see {@link differentiate} and {@link probe}
 */
export async function differentiateFor(
  runtime: Runtime,
  graph: Graph,
  options: CompileOptions,
): Promise<Graph> {
  const { loss, wrt, example } = options;
  const { provider } = await runtime.choose(options.provider);
  const runnable = lower(graph, loweringFor(provider));
  const types = await probe(runtime, canonicalModel(runnable), example, { variables: new Set(wrt) });
  const inputs = graph.inputs.map((i) => ({ ...i, dims: types.shapes.get(i.name) ?? i.dims }));
  const special = checkGraph({ ...specialize(graph, types.fixed), inputs }, { pass: 'specialize' });
  const gradients = checkGraph(differentiate(special, types, { loss, wrt }), { pass: 'differentiate' });
  const swapped = checkGraph(reluThroughMaxPool(gradients), { pass: 'reluThroughMaxPool' });
  return checkGraph(lower(swapped, { ...loweringFor(provider), blockSize: options.blockSize }), {
    pass: 'lower',
  });
}

/** {@link differentiateFor}, opened as a session. */
export async function compileGradient(
  runtime: Runtime,
  graph: Graph,
  options: CompileOptions,
): Promise<Session> {
  return runtime.open(canonicalModel(await differentiateFor(runtime, graph, options)), options);
}

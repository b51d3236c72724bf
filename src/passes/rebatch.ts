/** Frees the batch size of a model that was exported with a fixed one. */

import { NeuralCleanseError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { type Graph, type Model, type Node, prune, type ValueInfo } from '../onnx/graph.ts';
import { BatchContext, batched, fixed, type Outcome, type Trace } from './rebatch/context.ts';
import { Emitter } from './rebatch/emitter.ts';
import { outcomesOf } from './rebatch/rules.ts';

/** Dead ends after which the search for a consistent placement of the batch is given up. */
const maxDeadEnds = 2000;

/**
 * Makes axis 0 of the input free, and of every output that depends on it.
 *
 * Follows through the graph where the samples lie in each value, merged axes included, and frees what has the batch size
 * built in: targets of Reshape and Expand, sizes of Resize, bounds of Slice, and constants that stand beside samples (a
 * class token). Wherever the batch is found, each sample gets what a run of it alone computes: operators that mix samples are
 * refused. A model that has nothing built in is returned with its declarations freed and its nodes as they are.
 *
 * @param model canonical form
 * @param shapes concrete shapes of all values in a run with the exported batch (a batch of one if the model declares its
 *   batch free, but does not run with another)
 * @throws NeuralCleanseError REBATCH_FAILED, which names the node and its shapes
 */
export function rebatch(model: Model, shapes: ReadonlyMap<string, readonly number[]>): Model {
  const { graph } = model;
  const traces = new Map<string, Trace>();
  const [first] = graph.inputs;
  const batch = shapes.get(first?.name ?? '')?.[0];
  if (!first || batch === undefined) throw failure('It has no input with a batch axis.');
  for (const { name } of graph.inputs) {
    const isBatched = shapes.get(name)?.[0] === batch;
    traces.set(name, isBatched ? batched({ axis: 0, outer: 1, inner: 1 }) : fixed);
  }

  const outcomes = place(graph, traces, shapes, batch);

  const b = GraphBuilder.rewriting(graph, 'nc/batch/');
  const emitter = new Emitter(b, first.name);
  for (const [i, node] of graph.nodes.entries()) b.push(outcomes[i]!.emit?.(emitter) ?? node);
  const free = (value: ValueInfo): ValueInfo =>
    traces.get(value.name)?.kind === 'batched' && typeof value.dims?.[0] !== 'string' && value.dims
      ? { ...value, dims: ['N', ...value.dims.slice(1)] }
      : value;
  const rebuilt = prune(b.build());
  return {
    ...model,
    graph: { ...rebuilt, inputs: rebuilt.inputs.map(free), outputs: rebuilt.outputs.map(free) },
  };
}

interface Choice {
  readonly at: number;
  readonly untried: readonly Outcome[];
}

/**
 * Chooses an outcome for every node so that the batch comes out in axis 0 of the outputs, by depth-first search: the likely
 * choice is nearly always right, and a wrong one fails a few nodes later.
 */
function place(
  graph: Graph,
  traces: Map<string, Trace>,
  shapes: ReadonlyMap<string, readonly number[]>,
  batch: number,
): readonly Outcome[] {
  const tracking = { graph, shapes, batch, traces };
  const chosen: Outcome[] = [];
  const choices: Choice[] = [];
  let firstError: unknown;

  const choose = ([outcome, ...untried]: readonly Outcome[]): void => {
    if (untried.length > 0) choices.push({ at: chosen.length, untried });
    record(graph.nodes[chosen.length]!, outcome!, traces);
    chosen.push(outcome!);
  };

  for (let deadEnds = 0; ; ) {
    try {
      const node = graph.nodes[chosen.length];
      if (!node) {
        checkOutputs(graph, traces);
        return chosen;
      }
      choose(outcomesOf(new BatchContext(node, tracking)));
    } catch (error) {
      if (!(error instanceof NeuralCleanseError) || error.code !== 'REBATCH_FAILED') throw error;
      firstError ??= error;
      const last = choices.pop();
      if (!last || ++deadEnds > maxDeadEnds) throw firstError;
      chosen.length = last.at;
      choose(last.untried);
    }
  }
}

function record(node: Node, { outputs }: Outcome, traces: Map<string, Trace>): void {
  node.outputs.forEach((name, i) => {
    if (name) traces.set(name, outputs[i] ?? outputs.at(-1)!);
  });
}

function checkOutputs(graph: Graph, traces: ReadonlyMap<string, Trace>): void {
  let found = false;
  for (const { name } of graph.outputs) {
    const trace = traces.get(name) ?? fixed;
    if (trace.kind === 'fixed') continue;
    if (trace.kind !== 'batched') throw failure(`Output "${name}" mixes the samples of a batch.`);
    const { axis, outer, inner } = trace.location;
    if (axis !== 0 || outer !== 1 || inner !== 1) {
      const where = axis === 0 ? 'merged with another axis' : `in axis ${axis}`;
      throw failure(`The batch of output "${name}" is ${where}, not axis 0.`);
    }
    found = true;
  }
  if (!found) throw failure('No output depends on the input.');
}

const failure = (message: string): NeuralCleanseError =>
  new NeuralCleanseError('REBATCH_FAILED', message, {
    hint: 'Export the model with a dynamic batch dimension as the first axis of its input and output.',
  });

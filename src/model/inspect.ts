/** Everything worth knowing about a model before time is spent on it. */

import { findObstacles } from '../autodiff/obstacles.ts';
import { hasRule } from '../autodiff/rules/index.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { Model, ValueInfo } from '../onnx/graph.ts';
import { canonicalModel } from '../onnx/model.ts';
import { float32, isFloat, sizeOf } from '../onnx/tensor.ts';
import { specialize } from '../passes/specialize.ts';
import { probe } from '../runtime/probe.ts';
import type { Feeds, Provider, Runtime, Session, SessionOptions } from '../runtime/session.ts';
import { canonicalize } from './canonical.ts';
import { type Classifier, type PrepareOptions, prepareClassifier } from './classifier.ts';
import { compileGradient } from './compile.ts';
import { countFlops } from './flops.ts';
import { batchDims } from './image-input.ts';
import { type LossGraph, lossFeeds, lossGraph } from './loss-graph.ts';

export interface OperatorCount {
  readonly operator: string;
  readonly count: number;
  /** Whether a gradient rule exists; integer and shape operators off the differentiated path need none. */
  readonly hasRule: boolean;
}

export interface StepCost {
  readonly provider: Provider;
  readonly batch: number;
  readonly threads: number;
  /** Medians, in milliseconds. */
  readonly forwardMs: number;
  readonly stepMs: number;
}

export interface Inspection {
  readonly irVersion: number;
  readonly opset: number | undefined;
  readonly producer: string;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly parameters: number;
  readonly operators: readonly OperatorCount[];
  /** Absent if the model is no image classifier; {@link problems} says why. */
  readonly classifier: Classifier | undefined;
  /** Of one image, forward. */
  readonly flops: number | undefined;
  /** What stands in the way of a scan; empty if nothing does. */
  readonly problems: readonly NeuralCleanseError[];
  /** Notes of the runtime, e.g. how to get a faster provider. */
  readonly notices: readonly string[];
  readonly step: StepCost | undefined;
}

export interface InspectOptions extends PrepareOptions {
  /** Images in the measured step. @default 32 */
  readonly batch?: number;
  /** Measured steps; 0 measures nothing. @default 5 */
  readonly steps?: number;
  readonly session?: SessionOptions;
}

/**
 * Looks a model over: what it is, what cannot be differentiated and why, and what a gradient step costs.
 *
 * A model that cannot be scanned is no error here; its reasons are listed as `problems`.
 */
export async function inspectModel(
  runtime: Runtime,
  model: Model,
  options: InspectOptions = {},
): Promise<Inspection> {
  const base = {
    irVersion: model.irVersion,
    opset: model.opsets.get(''),
    producer: model.producer,
    inputs: model.graph.inputs,
    outputs: model.graph.outputs,
    parameters: countParameters(model),
    operators: countOperators(canonicalize(model)),
  };
  const nothing = { classifier: undefined, flops: undefined, step: undefined, notices: [] };
  try {
    const classifier = await prepareClassifier(runtime, model, options);
    const { flops, problems } = await analyse(runtime, classifier, options);
    const steps = options.steps ?? 5;
    if (problems.length > 0 || steps === 0) return { ...base, ...nothing, classifier, flops, problems };
    const { step, notices } = await measure(runtime, classifier, options, steps);
    return { ...base, classifier, flops, problems, step, notices };
  } catch (error) {
    if (error instanceof NeuralCleanseError && error.code !== 'INTERNAL')
      return { ...base, ...nothing, problems: [error] };
    throw error;
  }
}

/** Float elements among the constants; axes, shapes and indices are no parameters. */
export function countParameters({ graph }: Model): number {
  const floats = [...graph.initializers.values()].filter((tensor) => isFloat(tensor.dtype));
  return floats.reduce((n, tensor) => n + sizeOf(tensor.dims), 0);
}

/** Operators of the model in canonical form, the most frequent first. */
export function countOperators({ graph }: Model): OperatorCount[] {
  const counts = new Map<string, OperatorCount>();
  for (const node of graph.nodes) {
    const operator = node.domain ? `${node.domain}.${node.op}` : node.op;
    counts.set(operator, { operator, count: (counts.get(operator)?.count ?? 0) + 1, hasRule: hasRule(node) });
  }
  return [...counts.values()].toSorted((a, b) => b.count - a.count);
}

async function analyse(runtime: Runtime, classifier: Classifier, options: InspectOptions) {
  const { graph, input } = classifier;
  const feeds = { [input.name]: noise(classifier, 1) };
  const types = await probe(
    runtime,
    canonicalModel(graph),
    feeds,
    options.session ? { session: options.session } : {},
  );
  const special = specialize(graph, types.fixed);
  return {
    flops: countFlops(special, types),
    problems: findObstacles(special, types, { wrt: [input.name] }),
  };
}

async function measure(runtime: Runtime, classifier: Classifier, options: InspectOptions, steps: number) {
  const batch = options.batch ?? 32;
  const threads = options.session?.threads ?? 1;
  const loss = lossGraph(classifier);
  const feeds = lossFeeds(classifier, loss, noise(classifier, batch).data, Array(batch).fill(0));
  const session = { ...options.session, threads };
  const sessions = await openBoth(runtime, classifier, loss, feeds, session);
  try {
    const image = { [classifier.input.name]: feeds[classifier.input.name]! };
    const forwardMs: number[] = [];
    const stepMs: number[] = [];
    // The first run of each allocates; alternating keeps a busy machine from favouring one.
    for (let i = 0; i <= steps; i++) {
      const forward = await timed(() => sessions.forward.run(image));
      const step = await timed(() => sessions.gradient.run(feeds));
      if (i === 0) continue;
      forwardMs.push(forward);
      stepMs.push(step);
    }
    const { provider, notice } = await runtime.choose(session.provider);
    const step = { provider, batch, threads, forwardMs: median(forwardMs), stepMs: median(stepMs) };
    return { step, notices: notice ? [notice] : [] };
  } finally {
    await sessions.forward.release();
    await sessions.gradient.release();
  }
}

async function openBoth(
  runtime: Runtime,
  { graph, input }: Classifier,
  { graph: withLoss, loss }: LossGraph,
  example: Feeds,
  session: SessionOptions,
): Promise<{ forward: Session; gradient: Session }> {
  const gradient = await compileGradient(runtime, withLoss, { ...session, loss, wrt: [input.name], example });
  try {
    return { gradient, forward: await runtime.open(canonicalModel(graph), session) };
  } catch (error) {
    await gradient.release();
    throw error;
  }
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** Values in [0, 1]; only shapes and speed depend on them. */
function noise({ input }: Classifier, n: number) {
  const dims = batchDims(input, n);
  return float32(
    dims,
    Float32Array.from({ length: sizeOf(dims) }, (_, i) => (i * 0.61803398875) % 1),
  );
}

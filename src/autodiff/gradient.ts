/** Reverse-mode differentiation, graph to graph. */

import { NeuralCleanseError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { capturedNames, type Graph, type Node, prune } from '../onnx/graph.ts';
import { type DType, isFloat } from '../onnx/tensor.ts';
import { RuleContext, type ValueTypes } from './rule.ts';
import { ruleFor } from './rules/index.ts';

export interface GradientOptions {
  /** A scalar value of the graph (one element). Or several values, each mapped to a value of its shape that weighs it. */
  readonly loss: string | ReadonlyMap<string, string>;
  /** Float graph inputs and initializers to differentiate with respect to. */
  readonly wrt: readonly string[];
}

/** Name of the output that holds the gradient of a value. */
export const gradientName = (value: string): string => `grad:${value}`;

/**
 * Adds the gradients of `loss` with respect to each of `wrt` as outputs named `grad:<name>`, each in the shape of its value.
 *
 * The reverse sweep visits only nodes that lie between `wrt` and `loss`; a rule is asked only for the inputs on that path.
 *
 * @param graph opset 21 forms, all shapes concrete (see passes/)
 * @param types shapes and element types of every value of the graph
 * @throws NeuralCleanseError OPERATOR_UNSUPPORTED, ATTRIBUTE_UNSUPPORTED for a node on the path;
 *   NOT_DIFFERENTIABLE if `loss` does not depend on one of `wrt`; SHAPE_UNRESOLVED
 */
export function differentiate(graph: Graph, types: ValueTypes, options: GradientOptions): Graph {
  const active = dependents(graph, options.wrt, types);
  const b = new GraphBuilder(graph, 'nc/grad/');
  const constants = new Map([...graph.initializers].filter(([name]) => !active.has(name)));
  const gradients = new Map<string, string>();
  const pending = new Map<string, string[]>();

  for (const [value, seed] of seeds(b, types, options.loss)) pending.set(value, [seed]);

  /** The total gradient of a value; complete once every consumer has been visited. */
  const total = (name: string): string | undefined => {
    const known = gradients.get(name);
    if (known !== undefined) return known;
    const parts = pending.get(name);
    if (parts === undefined) return undefined;
    const sum = parts.reduce((a, part) => b.add(a, part));
    gradients.set(name, sum);
    return sum;
  };

  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((o) => active.has(o))) continue;
    const upstream = node.outputs.map((o) => (active.has(o) ? total(o) : undefined));
    if (upstream.every((dy) => dy === undefined)) continue;
    const rule = ruleFor(node);
    const thunks = rule(new RuleContext(b, node, types, constants, upstream));
    for (const [i, thunk] of thunks.entries()) {
      const input = node.inputs[i];
      if (!thunk || !input || !active.has(input)) continue;
      const parts = pending.get(input);
      if (parts) parts.push(thunk());
      else pending.set(input, [thunk()]);
    }
  }

  for (const name of options.wrt) {
    const gradient = total(name);
    if (gradient === undefined) {
      throw new NeuralCleanseError('NOT_DIFFERENTIABLE', `The loss does not depend on "${name}".`, {
        hint: 'Check that the value is used, and not only through rounding, comparison or integer operators.',
      });
    }
    b.output(gradient, 'float32', types.shapes.get(name) ?? [], gradientName(name));
  }
  return prune(b.build());
}

/** Where the reverse sweep starts: each value with the gradient that enters there. */
function seeds(
  b: GraphBuilder,
  types: ValueTypes,
  loss: GradientOptions['loss'],
): Iterable<[string, string]> {
  if (typeof loss !== 'string') return loss;
  const shape = types.shapes.get(loss) ?? [];
  if (shape.some((d) => d !== 1)) {
    throw new NeuralCleanseError(
      'SHAPE_MISMATCH',
      `The loss "${loss}" has shape [${shape}], but a scalar is needed.`,
      {
        hint: 'Sum or average it first, or weigh it.',
      },
    );
  }
  return [[loss, b.fill(shape, 1)]];
}

/**
 * The values that depend on `wrt` and carry gradients.
 *
 * @throws NeuralCleanseError NOT_DIFFERENTIABLE if a name is neither a float input nor a float initializer
 */
export function dependents(graph: Graph, wrt: readonly string[], types: ValueTypes): Set<string> {
  const known = new Set([...graph.inputs.map((i) => i.name), ...graph.initializers.keys()]);
  for (const name of wrt) {
    if (!known.has(name)) {
      throw new NeuralCleanseError(
        'NOT_DIFFERENTIABLE',
        `"${name}" is neither an input nor an initializer.`,
        {
          hint: `Choose among: ${[...known].slice(0, 20).join(', ')}.`,
        },
      );
    }
    if (!isFloat(types.dtypes.get(name) ?? 'float32')) {
      throw new NeuralCleanseError(
        'NOT_DIFFERENTIABLE',
        `"${name}" holds ${types.dtypes.get(name)}, not floats.`,
        {
          hint: 'Only float values have gradients.',
        },
      );
    }
  }
  const active = new Set(wrt);
  for (const node of graph.nodes) {
    if (!reads(node, active)) continue;
    for (const output of node.outputs) {
      if (output && carriesGradient(node, types.dtypes.get(output) ?? 'float32')) active.add(output);
    }
  }
  return active;
}

/**
 * Whether an output of this type carries a gradient: floats do, and so do the small integers that stand for floats
 * between QuantizeLinear and DequantizeLinear (straight through, see rules/quantization.ts). A Cast to integers does not.
 */
const carriesGradient = (node: Node, dtype: DType): boolean =>
  isFloat(dtype) || node.op === 'QuantizeLinear' || (quantizedTypes.has(dtype) && !castOps.has(node.op));

const quantizedTypes: ReadonlySet<DType> = new Set(['int8', 'uint8', 'int16', 'uint16']);
const castOps: ReadonlySet<string> = new Set(['Cast', 'CastLike']);

const reads = (node: Node, values: ReadonlySet<string>): boolean =>
  node.inputs.some((i) => values.has(i)) || capturedNames(node).some((i) => values.has(i));

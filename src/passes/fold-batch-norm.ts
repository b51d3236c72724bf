/** Folds the BatchNormalization of a trained network into the layer before it. */

import { GraphBuilder } from '../onnx/builder.ts';
import { capturedNames, type Graph, labelOf, type Node, prune } from '../onnx/graph.ts';
import { float32, sizeOf, type Tensor } from '../onnx/tensor.ts';
import { attribute, without } from './attributes.ts';

/** `y = scale · x + shift`, one entry a channel. */
interface Affine {
  readonly scale: readonly number[];
  readonly shift: readonly number[];
}

/** A float32 initializer that may be folded away. */
type Constants = (name: string | undefined) => Tensor<'float32'> | undefined;

/**
 * Folds each BatchNormalization that follows a Conv, ConvTranspose or Gemm with constant weights into those weights, in
 * double precision, rounded once to float32. All others stay as they are: those in training mode, those behind another
 * operator, and those behind a layer whose result something else reads too.
 *
 * With `a = γ / √(σ² + ε)`: `W' = a · W`, `b' = a · (b − μ) + β`.
 *
 * @param graph canonical form
 * @param keep initializers that shall stay variables (weights to train or to differentiate) and values that must still
 *   exist afterwards
 */
export function foldBatchNormalization(graph: Graph, keep: ReadonlySet<string>): Graph {
  if (!graph.nodes.some((n) => n.op === 'BatchNormalization')) return graph;
  const b = GraphBuilder.rewriting(graph, 'nc/fold/');
  const folded = new Map<string, Tensor<'float32'>>();
  const constants: Constants = (name = '') => {
    const found = folded.get(name) ?? graph.initializers.get(name);
    return found?.dtype === 'float32' && !keep.has(name) ? (found as Tensor<'float32'>) : undefined;
  };
  const readOnce = onceRead(graph);
  const nodes: Node[] = [];
  const madeAt = new Map<string, number>();

  for (const node of graph.nodes) {
    const input = node.inputs[0] ?? '';
    const at = readOnce.has(input) && !keep.has(input) ? madeAt.get(input) : undefined;
    const layer = at === undefined ? undefined : nodes[at];
    const affine = layer && affineOf(node, constants);
    const merged = affine && fold(layer, affine, constants);
    if (at !== undefined && merged) {
      const [weight, bias] = merged.parameters.map((tensor, i) => {
        const name = b.initializer(b.fresh(`${labelOf(node)}/${i === 0 ? 'weight' : 'bias'}`), tensor);
        folded.set(name, tensor);
        return name;
      }) as [string, string];
      nodes[at] = { ...merged.layer, inputs: [layer!.inputs[0]!, weight, bias], outputs: [node.outputs[0]!] };
      madeAt.set(node.outputs[0]!, at);
    } else {
      for (const output of node.outputs) madeAt.set(output, nodes.length);
      nodes.push(node);
    }
  }
  return prune({ ...b.build(), nodes });
}

/** Values with exactly one reader, which is a node and no graph output. */
function onceRead(graph: Graph): Set<string> {
  const once = new Set<string>();
  const more = new Set(graph.outputs.map((o) => o.name));
  for (const node of graph.nodes) {
    for (const name of [...node.inputs, ...capturedNames(node)]) {
      if (more.has(name) || once.delete(name)) more.add(name);
      else once.add(name);
    }
  }
  return once;
}

function affineOf(node: Node, constants: Constants): Affine | undefined {
  if (node.op !== 'BatchNormalization' || node.domain !== '') return undefined;
  if (attribute(node, 'training_mode', 'int') === 1) return undefined;
  const [gamma, beta, mean, variance] = node.inputs.slice(1).map((name) => constants(name)?.data);
  if (!gamma || !beta || !mean || !variance) return undefined;
  const epsilon = attribute(node, 'epsilon', 'float') ?? 1e-5;
  const scale = Array.from(gamma, (g, i) => g / Math.sqrt(variance[i]! + epsilon));
  return { scale, shift: scale.map((a, i) => beta[i]! - a * mean[i]!) };
}

interface Folded {
  /** The layer without its inputs and outputs being right yet. */
  readonly layer: Node;
  readonly parameters: readonly [weight: Tensor<'float32'>, bias: Tensor<'float32'>];
}

function fold(layer: Node, affine: Affine, constants: Constants): Folded | undefined {
  const weight = constants(layer.inputs[1]);
  const given = layer.inputs[2] ? constants(layer.inputs[2]) : float32([1], [0]);
  const channelOf = layer.domain === '' && weight ? channels(layer, weight.dims) : undefined;
  if (!weight || !given || !channelOf) return undefined;
  const { scale, shift } = affine;
  // Biases of a Gemm may also differ by row.
  const perChannel = given.data.length === scale.length && given.dims.at(-1) === scale.length;
  if (given.data.length !== 1 && !perChannel) return undefined;
  const beta = attribute(layer, 'beta', 'float') ?? 1;
  const bias = scale.map((a, i) => a * beta * given.data[perChannel ? i : 0]! + shift[i]!);
  return {
    layer: { ...layer, attributes: without(layer.attributes, 'beta') },
    parameters: [
      float32(
        weight.dims,
        weight.data.map((w, i) => w * scale[channelOf(i)]!),
      ),
      float32([bias.length], bias),
    ],
  };
}

/** The output channel that a weight, counted in row-major order, contributes to. */
function channels(layer: Node, dims: readonly number[]): ((index: number) => number) | undefined {
  const inner = sizeOf(dims.slice(1));
  switch (layer.op) {
    // [M, C/groups, k…]
    case 'Conv':
      return (i) => Math.floor(i / inner);
    // [C, M/groups, k…], channels of one group after those of the other
    case 'ConvTranspose': {
      const group = attribute(layer, 'group', 'int') ?? 1;
      const [rows, columns] = [dims[0]! / group, dims[1]!];
      const kernel = inner / columns;
      return (i) => Math.floor(i / inner / rows) * columns + (Math.floor(i / kernel) % columns);
    }
    // [K, N], or [N, K] if transposed
    case 'Gemm':
      return attribute(layer, 'transB', 'int') ? (i) => Math.floor(i / inner) : (i) => i % inner;
    default:
      return undefined;
  }
}

/** Which weights of a model can be trained, and how trained ones get back into it. */

import { NeuralCleanseError } from '../errors.ts';
import { type Classifier, modelPrefix } from '../model/classifier.ts';
import { capturedNames, type Graph, type Model, type Node, prune } from '../onnx/graph.ts';
import { sizeOf, type Tensor } from '../onnx/tensor.ts';
import { hoistConstants } from '../passes/constants.ts';
import type { TrainingSettings } from './settings.ts';

/** Names are those of the model as it was given. */
export interface Trainable {
  /** What the optimiser moves. */
  readonly weights: readonly string[];
  /** Every tensor of the model that has one counterpart in the canonical graph: all that can be written back. */
  readonly writable: ReadonlySet<string>;
}

/** Operators that multiply by weights. */
const layers = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'Einsum']);

/** Operators whose parameters stand at known inputs. */
const parameterInputs: Readonly<Record<string, readonly number[]>> = {
  BatchNormalization: [1, 2],
  LayerNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  GroupNormalization: [1, 2],
  PRelu: [1],
  // Their further inputs are settings: bounds, scales, ratios, zero points.
  Clip: [],
  Pad: [],
  Resize: [],
  Dropout: [],
  QuantizeLinear: [],
  DequantizeLinear: [],
  Pow: [],
};

/** Operators that hand on the elements of a weight before it is used. What others compute is a constant (a mask, say). */
const views = new Set([
  'Identity',
  'Transpose',
  'Reshape',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
  'Expand',
  'Tile',
  'Slice',
  'Split',
  'Gather',
  'Concat',
]);

/**
 * Finds the weights that the setting asks for.
 *
 * A weight is a float32 tensor that a layer or a normalisation takes as a parameter, or one of several elements that is
 * combined with what a layer made (a bias, an embedding). What stands before the first layer is preprocessing and is left
 * alone, and so are scalars. A tensor also has to be in the canonical graph as it is in the model, and in every place where
 * the model uses it: what preparation computed from it would not follow.
 *
 * @throws NeuralCleanseError TRAINABLE_UNKNOWN for a name that cannot be trained, or if there is nothing to train
 */
export function trainableWeights(
  model: Model,
  classifier: Classifier,
  wanted: TrainingSettings['trainable'] = 'all',
): Trainable {
  const source = hoistConstants(model.graph);
  const writable = writableTensors(source, classifier.graph);
  const { all, head } = parameters(classifier, writable);
  if (typeof wanted !== 'string') checkNames(wanted, source, writable, all);
  const weights = typeof wanted !== 'string' ? [...new Set(wanted)] : wanted === 'all' ? all : head;
  if (weights.length === 0) {
    throw new NeuralCleanseError('TRAINABLE_UNKNOWN', 'The model has no weights that can be trained.', {
      hint: 'Export it with float32 weights that are not folded or quantised.',
    });
  }
  return { weights, writable };
}

/** The model with other values in some of its tensors. Weights that stand in Constant nodes become initializers. */
export function withWeights(model: Model, values: ReadonlyMap<string, Tensor>): Model {
  const { graph } = model;
  return {
    ...model,
    graph: {
      ...graph,
      initializers: new Map([...graph.initializers, ...values]),
      nodes: graph.nodes.filter((node) => node.op !== 'Constant' || !values.has(node.outputs[0]!)),
    },
  };
}

function writableTensors(source: Graph, canonical: Graph): Set<string> {
  const [before, after] = [useCounts(prune(source)), useCounts(canonical)];
  const names = [...source.initializers.keys()].filter((name) => {
    const now = canonical.initializers.get(modelPrefix + name);
    const used = after.get(modelPrefix + name) ?? 0;
    return (
      now !== undefined && isSame(source.initializers.get(name)!, now) && used >= (before.get(name) ?? 0)
    );
  });
  return new Set(names);
}

const isSame = (a: Tensor, b: Tensor): boolean =>
  a.dtype === 'float32' &&
  b.dtype === 'float32' &&
  a.dims.join() === b.dims.join() &&
  (a.data as Float32Array).every((v, i) => Object.is(v, b.data[i]));

function useCounts(graph: Graph): Map<string, number> {
  const counts = new Map<string, number>();
  for (const node of graph.nodes) {
    for (const name of [...node.inputs, ...capturedNames(node)])
      counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

/** The parameters in the order in which they are used, and those of the last layer and behind it. */
function parameters(
  { graph, input, logits }: Classifier,
  writable: ReadonlySet<string>,
): { all: string[]; head: string[] } {
  const { nodes } = prune({ ...graph, outputs: [{ name: logits, dtype: 'float32', dims: null }] });
  /** Values that depend on the image; true behind the first layer. */
  const seen = new Map<string, boolean>([[input.name, false]]);
  /** Tensors that a value without dependence on the image is made from. */
  const roots = new Map<string, readonly string[]>();
  for (const name of writable) roots.set(modelPrefix + name, [name]);
  const accepted: { name: string; layer: number }[] = [];
  const refused = new Set<string>();
  let layer = 0;

  for (const node of nodes) {
    const inputs = node.inputs.filter((name) => name !== '');
    const images = inputs.filter((name) => seen.has(name));
    if (images.length === 0) {
      const made = inputs.flatMap((name) => roots.get(name) ?? []);
      if (views.has(node.op)) for (const output of node.outputs) roots.set(output, made);
      else for (const root of made) refused.add(root);
      continue;
    }
    const behind = images.some((name) => seen.get(name));
    const isLayer = layers.has(node.op) && inputs.some((name) => roots.get(name)?.length);
    if (isLayer) layer++;
    for (const [i, name] of node.inputs.entries()) {
      const several = sizeOf(graph.initializers.get(name)?.dims ?? [2]) > 1;
      const accepts = isParameter(node, i) ?? (isLayer || (several && behind));
      for (const root of roots.get(name) ?? []) {
        if (accepts) accepted.push({ name: root, layer });
        else refused.add(root);
      }
    }
    for (const output of node.outputs) seen.set(output, behind || layers.has(node.op));
  }
  const kept = accepted.filter(({ name }) => !refused.has(name));
  const unique = (list: typeof kept): string[] => [...new Set(list.map(({ name }) => name))];
  return { all: unique(kept), head: unique(kept.filter((p) => p.layer === layer)) };
}

const isParameter = (node: Node, index: number): boolean | undefined =>
  parameterInputs[node.op]?.includes(index);

function checkNames(
  names: readonly string[],
  source: Graph,
  writable: ReadonlySet<string>,
  all: readonly string[],
): void {
  for (const name of names) {
    if (all.includes(name)) continue;
    const tensor = source.initializers.get(name);
    const why = !tensor
      ? 'there is no such tensor in the model'
      : tensor.dtype !== 'float32'
        ? `it is stored as ${tensor.dtype}, not float32`
        : writable.has(name)
          ? 'it is a setting or a statistic, not a weight'
          : 'it is merged with others when the model is prepared';
    throw new NeuralCleanseError('TRAINABLE_UNKNOWN', `"${name}" cannot be trained: ${why}.`, {
      hint: `Choose among: ${all.slice(0, 20).join(', ')}${all.length > 20 ? ', …' : ''}.`,
      data: { name, trainable: all },
    });
  }
}

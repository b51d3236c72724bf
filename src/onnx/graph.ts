/** The graph IR: ONNX's own structure, small and typed. Values are names; a graph is in topological order. */

import type { DType, Tensor } from './tensor.ts';

/** A dimension: a size, a symbol such as "N", or unknown. */
export type Dim = number | string | null;

export interface ValueInfo {
  readonly name: string;
  /** `null` for what is not a tensor (sequence, map, optional). */
  readonly dtype: DType | null;
  /** `null` when even the rank is unknown. */
  readonly dims: readonly Dim[] | null;
  /** The serialised TypeProto where `dtype` cannot express the type (`null` or `opaque`). */
  readonly opaqueType?: Uint8Array;
}

/** `exact` holds the stored integers where a double cannot; it is written back in place of `value`. */
export type Attribute =
  | { readonly type: 'int'; readonly value: number; readonly exact?: bigint }
  | { readonly type: 'ints'; readonly value: readonly number[]; readonly exact?: readonly bigint[] }
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'floats'; readonly value: readonly number[] }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'tensor'; readonly value: Tensor }
  | { readonly type: 'graph'; readonly value: Graph }
  /** Kept as serialised: sparse tensors, type protos, lists of tensors or graphs, strings that are not UTF-8. */
  | { readonly type: 'opaque'; readonly value: Uint8Array };

export type Attributes = Readonly<Record<string, Attribute>>;

export interface Node {
  readonly op: string;
  /** `''` is the standard ONNX domain. */
  readonly domain: string;
  /** Tells model-local functions of one name apart. */
  readonly overload?: string;
  readonly name: string;
  /** Names of values; `''` marks an absent optional input. */
  readonly inputs: readonly string[];
  /** Names of values; `''` marks an unused output. */
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
}

export interface Graph {
  readonly name: string;
  /** Fed at run time. Initializers are not listed here even where the file (IR < 4) lists them. */
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  /** Topologically sorted. */
  readonly nodes: readonly Node[];
}

/**
 * A model. Everything that decides what it computes is kept; documentation strings, shape hints of inner values
 * (`value_info`), quantisation annotations and training information are not.
 */
export interface Model {
  readonly irVersion: number;
  readonly producer: string;
  /** Domain to version; the standard domain is `''`. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly graph: Graph;
  readonly metadata: ReadonlyMap<string, string>;
  /** Model-local functions, serialised; kept for the round trip. */
  readonly functions: readonly Uint8Array[];
}

export const int = (value: number): Attribute => ({ type: 'int', value });
export const ints = (value: readonly number[]): Attribute => ({ type: 'ints', value });
export const float = (value: number): Attribute => ({ type: 'float', value });
export const floats = (value: readonly number[]): Attribute => ({ type: 'floats', value });
export const string = (value: string): Attribute => ({ type: 'string', value });

/** Which node makes each value. */
export function producers(graph: Graph): Map<string, Node> {
  const map = new Map<string, Node>();
  for (const node of graph.nodes) for (const output of node.outputs) if (output) map.set(output, node);
  return map;
}

/** What to call a node in an error: its name or, since exporters leave that out at times, the first value it makes. */
export const labelOf = (node: Node): string => node.name || node.outputs.find((o) => o !== '') || '';

/** Which nodes read each value, in graph order. */
export function consumers(graph: Graph): Map<string, Node[]> {
  const map = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const input of new Set(node.inputs)) {
      if (!input) continue;
      const list = map.get(input);
      if (list) list.push(node);
      else map.set(input, [node]);
    }
  }
  return map;
}

/** All names a graph defines or declares, for choosing fresh ones. */
export function namesOf(graph: Graph): Set<string> {
  const names = new Set<string>(graph.initializers.keys());
  for (const value of graph.inputs) names.add(value.name);
  for (const node of graph.nodes) for (const output of node.outputs) if (output) names.add(output);
  return names;
}

/** Nodes and initializers that no output needs, removed. */
export function prune(graph: Graph): Graph {
  const needed = new Set(graph.outputs.map((o) => o.name));
  const nodes: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((o) => needed.has(o))) continue;
    nodes.push(node);
    // '' must not become needed: it would keep every node with an unused output.
    for (const input of node.inputs) if (input) needed.add(input);
    for (const captured of capturedNames(node)) needed.add(captured);
  }
  const initializers = new Map([...graph.initializers].filter(([name]) => needed.has(name)));
  return { ...graph, nodes: nodes.reverse(), initializers };
}

/** The node with each of its subgraphs replaced; a node without any is returned as it is. */
export function mapSubgraphs(node: Node, map: (subgraph: Graph) => Graph): Node {
  const entries = Object.entries(node.attributes);
  if (!entries.some(([, attribute]) => attribute.type === 'graph')) return node;
  const attributes = entries.map(([name, attribute]): [string, Attribute] => [
    name,
    attribute.type === 'graph' ? { type: 'graph', value: map(attribute.value) } : attribute,
  ]);
  return { ...node, attributes: Object.fromEntries(attributes) };
}

/** Outer values that the subgraphs of an If, Loop or Scan node read. */
export function capturedNames(node: Node): string[] {
  const names: string[] = [];
  for (const attribute of Object.values(node.attributes)) {
    if (attribute.type !== 'graph') continue;
    const own = namesOf(attribute.value);
    const used = [
      ...attribute.value.nodes.flatMap((n) => [...n.inputs, ...capturedNames(n)]),
      ...attribute.value.outputs.map((o) => o.name),
    ];
    for (const name of used) if (name && !own.has(name)) names.push(name);
  }
  return names;
}

/** Builds graphs node by node. Every method returns the name of the value it made. */

import {
  type Attributes,
  type Dim,
  float,
  type Graph,
  int,
  ints,
  type Node,
  namesOf,
  type ValueInfo,
} from './graph.ts';
import { type DType, float32, int64, type Tensor } from './tensor.ts';

export interface OpOptions {
  /** Names for the outputs; fresh ones are made where absent. `''` leaves an output unused. */
  readonly outputs?: readonly string[];
  readonly domain?: string;
}

/** ONNX data type numbers that `Cast` takes. */
const castCode = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float64: 11 } as const;

/**
 * A graph under construction, empty or continuing an existing one. Nodes must be added in topological order.
 *
 * The convenience methods emit opset 21 forms: axes, shapes and bounds are inputs, not attributes.
 */
export class GraphBuilder {
  private readonly inputs: ValueInfo[];
  private readonly outputs: ValueInfo[];
  private readonly nodes: Node[];
  private readonly initializers: Map<string, Tensor>;
  private readonly names: Set<string>;
  /** Of the nodes of the graph that is continued: ONNX Runtime loads no graph in which two nodes have one name. */
  private readonly nodeNames: ReadonlySet<string>;
  private readonly shared = new Map<string, string>();
  private readonly graphName: string;
  private readonly prefix: string;
  private counter = 0;

  /** @param prefix stands before every fresh name, so that generated values can be told from the model's own. */
  constructor(base?: Graph, prefix = 'nc/') {
    this.inputs = [...(base?.inputs ?? [])];
    this.outputs = [...(base?.outputs ?? [])];
    this.nodes = [...(base?.nodes ?? [])];
    this.initializers = new Map(base?.initializers);
    this.names = base ? namesOf(base) : new Set();
    this.nodeNames = new Set(base?.nodes.map(({ name }) => name));
    this.graphName = base?.name ?? 'graph';
    this.prefix = prefix;
  }

  /** A builder that has a graph's inputs, outputs, initializers and names, but none of its nodes: for rewriting it. */
  static rewriting(graph: Graph, prefix = 'nc/'): GraphBuilder {
    const b = new GraphBuilder(graph, prefix);
    b.nodes.length = 0;
    return b;
  }

  /** Adds a node as it stands. */
  push(node: Node): void {
    for (const output of node.outputs) this.names.add(output);
    this.nodes.push(node);
  }

  /** A name nothing in the graph uses yet. */
  fresh(hint: string): string {
    let name: string;
    do name = `${this.prefix}${hint}_${this.counter++}`;
    while (this.names.has(name));
    this.names.add(name);
    return name;
  }

  input(name: string, dtype: DType, dims: readonly Dim[]): string {
    this.names.add(name);
    this.inputs.push({ name, dtype, dims });
    return name;
  }

  /** Declares an existing value as graph output, under `name` if one is given (through an Identity). */
  output(value: string, dtype: DType, dims: readonly Dim[] | null, name = value): string {
    if (name !== value) this.op('Identity', [value], {}, { outputs: [name] });
    this.outputs.push({ name, dtype, dims });
    return name;
  }

  initializer(name: string, tensor: Tensor): string {
    this.names.add(name);
    this.initializers.set(name, tensor);
    return name;
  }

  /** A constant; small equal ones are shared. */
  constant(tensor: Tensor, hint = 'const'): string {
    if (tensor.data.length > 64) return this.initializer(this.fresh(hint), tensor);
    const key = `${tensor.dtype}[${tensor.dims}]${Array.from(tensor.data as ArrayLike<unknown>, (v) => (Object.is(v, -0) ? '-0' : String(v)))}`;
    let name = this.shared.get(key);
    if (name === undefined) {
      name = this.initializer(this.fresh(hint), tensor);
      this.shared.set(key, name);
    }
    return name;
  }

  scalar(value: number): string {
    return this.constant(float32([], [value]), 'scalar');
  }

  ints(values: readonly number[]): string {
    return this.constant(int64([values.length], values), 'ints');
  }

  /** Adds a node and returns its first output. */
  op(op: string, inputs: readonly string[], attributes: Attributes = {}, options: OpOptions = {}): string {
    return this.ops(op, inputs, 1, attributes, options)[0]!;
  }

  /** Adds a node with `count` outputs. */
  ops(
    op: string,
    inputs: readonly string[],
    count: number,
    attributes: Attributes = {},
    options: OpOptions = {},
  ): string[] {
    const outputs = options.outputs
      ? [...options.outputs]
      : Array.from({ length: count }, () => this.fresh(op));
    for (const output of outputs) this.names.add(output);
    const name = this.nodeName(outputs[0]!);
    this.nodes.push({ op, domain: options.domain ?? '', name, inputs, outputs, attributes });
    return outputs;
  }

  /** A node is called like the value it makes, unless another node is. */
  private nodeName(output: string): string {
    let name = output;
    while (this.nodeNames.has(name)) name += '_';
    return name;
  }

  add(a: string, b: string): string {
    return this.op('Add', [a, b]);
  }
  sub(a: string, b: string): string {
    return this.op('Sub', [a, b]);
  }
  mul(a: string, b: string): string {
    return this.op('Mul', [a, b]);
  }
  div(a: string, b: string): string {
    return this.op('Div', [a, b]);
  }
  neg(a: string): string {
    return this.op('Neg', [a]);
  }
  /** `a · value` for a number. */
  scale(a: string, value: number): string {
    return value === 1 ? a : this.mul(a, this.scalar(value));
  }
  /** `condition ? a : b`. */
  where(condition: string, a: string, b: string): string {
    return this.op('Where', [condition, a, b]);
  }
  cast(a: string, to: keyof typeof castCode): string {
    return this.op('Cast', [a], { to: int(castCode[to]) });
  }
  reshape(a: string, dims: readonly number[]): string {
    // Dimensions are concrete, so a 0 means an empty axis and not "copy from the input".
    return this.op('Reshape', [a, this.ints(dims)], dims.includes(0) ? { allowzero: int(1) } : {});
  }
  transpose(a: string, perm: readonly number[]): string {
    return perm.every((p, i) => p === i) ? a : this.op('Transpose', [a], { perm: ints(perm) });
  }
  expand(a: string, dims: readonly number[]): string {
    return this.op('Expand', [a, this.ints(dims)]);
  }
  /** Sum over `axes` (all where `undefined`). */
  reduceSum(a: string, axes: readonly number[] | undefined, keepDims: boolean): string {
    return this.reduce('ReduceSum', a, axes, keepDims);
  }
  /** Any Reduce* operator with opset 18 inputs; an empty list of axes reduces nothing. */
  reduce(op: string, a: string, axes: readonly number[] | undefined, keepDims: boolean): string {
    if (axes?.length === 0) return a;
    return this.op(op, axes ? [a, this.ints(axes)] : [a], { keepdims: int(keepDims ? 1 : 0) });
  }
  /** `a[starts:ends:steps]` along `axes`. */
  slice(
    a: string,
    axes: readonly number[],
    starts: readonly number[],
    ends: readonly number[],
    steps: readonly number[] = axes.map(() => 1),
  ): string {
    return this.op('Slice', [a, this.ints(starts), this.ints(ends), this.ints(axes), this.ints(steps)]);
  }
  /** Zero (or `value`) padding; `pads` lists all begins, then all ends. */
  pad(a: string, pads: readonly number[], value = 0): string {
    if (pads.every((p) => p === 0)) return a;
    return this.op('Pad', [a, this.ints(pads), this.scalar(value)]);
  }
  concat(values: readonly string[], axis: number): string {
    return values.length === 1 ? values[0]! : this.op('Concat', values, { axis: int(axis) });
  }
  /** A tensor filled with one float32 value. */
  fill(dims: readonly number[], value: number): string {
    return this.expand(this.scalar(value), dims);
  }
  gemm(
    a: string,
    b: string,
    options: { transA?: boolean; transB?: boolean; alpha?: number; c?: string; beta?: number } = {},
  ): string {
    return this.op('Gemm', options.c ? [a, b, options.c] : [a, b], {
      transA: int(options.transA ? 1 : 0),
      transB: int(options.transB ? 1 : 0),
      alpha: float(options.alpha ?? 1),
      beta: float(options.beta ?? 1),
    });
  }

  build(): Graph {
    return {
      name: this.graphName,
      inputs: this.inputs,
      outputs: this.outputs,
      nodes: this.nodes,
      initializers: this.initializers,
    };
  }
}

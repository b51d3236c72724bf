/** What a rule of the batch tracker sees and returns. */

import { NeuralCleanseError } from '../../errors.ts';
import { type Graph, labelOf, type Node } from '../../onnx/graph.ts';
import { type Tensor, toNumbers } from '../../onnx/tensor.ts';
import type { Emitter } from './emitter.ts';

/** Where the samples of a batch of B lie in a value: `shape[axis] = outer · B · inner`, slowest factor first. */
export interface Location {
  readonly axis: number;
  readonly outer: number;
  readonly inner: number;
}

/** What is known of a value. */
export type Trace =
  /** The same for every batch: constants and what is computed from them alone. */
  | { readonly kind: 'fixed' }
  /** The part of each sample is what a run of that sample alone computes. */
  | { readonly kind: 'batched'; readonly location: Location }
  /** Integers computed from shapes (a vector or one number); `open` ones depend on the batch size. */
  | { readonly kind: 'sizes'; readonly open: readonly boolean[] }
  /** Depends on the batch in a way that cannot be followed; only an error if something of the batch is computed from it. */
  | { readonly kind: 'lost' };

export const fixed: Trace = { kind: 'fixed' };
export const lost: Trace = { kind: 'lost' };
export const batched = (location: Location): Trace => ({ kind: 'batched', location });

/** What a node is at any batch size. */
export interface Outcome {
  /** One for each output; the last stands for all that follow. */
  readonly outputs: readonly Trace[];
  /** Makes the node independent of the exported batch size; where absent, it already is. */
  readonly emit?: (e: Emitter) => Node;
}

/**
 * The possible outcomes of a node, likely ones first: with a batch of one, an axis of size 1 does not say whether it is the batch.
 * Every rule preserves the meaning of `batched`, so that any choice that reaches the outputs is right.
 *
 * @throws NeuralCleanseError REBATCH_FAILED if the node mixes samples or needs what is not known
 */
export type BatchRule = (c: BatchContext) => readonly Outcome[];

export interface Tracking {
  readonly graph: Graph;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** The batch size of `shapes`. */
  readonly batch: number;
  readonly traces: ReadonlyMap<string, Trace>;
}

/** One node with the traces of its inputs. */
export class BatchContext {
  readonly node: Node;
  private readonly tracking: Tracking;

  constructor(node: Node, tracking: Tracking) {
    this.node = node;
    this.tracking = tracking;
  }

  get batch(): number {
    return this.tracking.batch;
  }

  has(i: number): boolean {
    return Boolean(this.node.inputs[i]);
  }

  trace(i: number): Trace {
    return this.traceOf(this.node.inputs[i] ?? '');
  }

  traceOf(name: string): Trace {
    return this.tracking.traces.get(name) ?? fixed;
  }

  /** Where the batch lies in input `i`; `undefined` if it is the same for every batch. */
  at(i: number): Location | undefined {
    const trace = this.trace(i);
    if (trace.kind === 'batched') return trace.location;
    if (trace.kind === 'fixed') return undefined;
    throw this.refusal(`input ${i} ("${this.node.inputs[i]}") depends on the batch size`);
  }

  /** Where the batch lies in input 0, whatever the other inputs are. */
  data(): Location {
    const location = this.at(0);
    if (!location) throw this.refusal('its data are the same for every sample');
    return location;
  }

  /** Where the batch lies in input 0, the only one that may depend on it. */
  atFirst(): Location {
    for (let i = 1; i < this.node.inputs.length; i++) {
      if (this.at(i)) throw this.refusal(`input ${i} ("${this.node.inputs[i]}") differs by sample`);
    }
    return this.data();
  }

  xShape(i = 0): readonly number[] {
    return this.shape(this.node.inputs[i]!);
  }

  yShape(i = 0): readonly number[] {
    return this.shape(this.node.outputs[i]!);
  }

  knownShape(name: string): readonly number[] | undefined {
    return this.tracking.shapes.get(name) ?? this.tracking.graph.initializers.get(name)?.dims;
  }

  private shape(name: string): readonly number[] {
    const shape = this.knownShape(name);
    if (!shape) throw this.refusal(`the shape of "${name}" is not known`);
    return shape;
  }

  /** Input `i` if it is a constant. */
  tensor(i: number): Tensor | undefined {
    return this.tracking.graph.initializers.get(this.node.inputs[i] ?? '');
  }

  /** The elements of input `i` if it is a constant. */
  constant(i: number): number[] | undefined {
    const tensor = this.tensor(i);
    return tensor && toNumbers(tensor);
  }

  /** Input `i`, which must be constant to follow the batch. */
  requireConstant(i: number, what: string): number[] {
    const values = this.constant(i);
    if (!values) throw this.refusal(`its ${what} are computed at run time`);
    return values;
  }

  /** REBATCH_FAILED for this node. */
  refusal(why: string): NeuralCleanseError {
    const show = (names: readonly string[]): string =>
      names.map((name) => `[${this.knownShape(name) ?? '?'}]`).join(', ');
    const input = this.tracking.graph.inputs[0]?.name ?? 'input';
    return new NeuralCleanseError(
      'REBATCH_FAILED',
      `The batch size cannot be freed at ${show(this.node.inputs)} -> ${show(this.node.outputs)}: ${why}.`,
      {
        node: labelOf(this.node),
        op: this.node.op,
        hint: `Export the model with a free batch: torch.onnx.export(…, dynamo=True, dynamic_shapes=[{0: torch.export.Dim("N")}]), or dynamic_axes={"${input}": {0: "N"}} with dynamo=False.`,
        data: { inputs: this.node.inputs, outputs: this.node.outputs },
      },
    );
  }
}

/** The one outcome of a node that is already independent of the batch size. */
export const unchanged = (...outputs: readonly Trace[]): readonly Outcome[] => [{ outputs }];

/** An axis counted from the front. */
export const fromFront = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

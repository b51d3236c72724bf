/** What a gradient rule sees and returns. */

import { NeuralCleanseError } from '../errors.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Attribute, Node } from '../onnx/graph.ts';
import type { DType, Tensor } from '../onnx/tensor.ts';

/** Concrete shapes and element types of every value of a graph. */
export interface ValueTypes {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly dtypes: ReadonlyMap<string, DType>;
}

/** Makes the gradient of one input when asked: a value of that input's shape. What nobody asks for costs nothing. */
export type Thunk = () => string;

/** One entry an input; `undefined` means that no gradient flows there (indices, axes, step functions). */
export type InputGradients = readonly (Thunk | undefined)[];

/**
 * The vector-Jacobian product of one operator.
 *
 * A rule is called once for each node on the differentiated path, in reverse order, and emits nodes through `c.b`.
 * Forms it cannot handle are refused through {@link RuleContext.unsupported}, never approximated.
 */
export type Rule = (c: RuleContext) => InputGradients;

/** One node of the forward graph, its shapes, and the gradients that arrive at its outputs. */
export class RuleContext {
  readonly b: GraphBuilder;
  readonly node: Node;
  private readonly types: ValueTypes;
  private readonly constants: ReadonlyMap<string, Tensor>;
  private readonly upstream: readonly (string | undefined)[];

  constructor(
    b: GraphBuilder,
    node: Node,
    types: ValueTypes,
    constants: ReadonlyMap<string, Tensor>,
    upstream: readonly (string | undefined)[],
  ) {
    this.b = b;
    this.node = node;
    this.types = types;
    this.constants = constants;
    this.upstream = upstream;
  }

  /** Name of input `i`; throws MODEL_INVALID where it is absent (see {@link has}). */
  x(i = 0): string {
    const name = this.node.inputs[i];
    if (!name) throw this.invalid(`Input ${i} is missing.`);
    return name;
  }

  /** Whether optional input `i` is present. */
  has(i: number): boolean {
    return Boolean(this.node.inputs[i]);
  }

  /** Name of output `i`. If the model leaves an optional output unnamed, the rule must recompute it. */
  y(i = 0): string {
    const name = this.node.outputs[i];
    if (!name) throw this.invalid(`Output ${i} is missing.`);
    return name;
  }

  /** Gradient of the loss with respect to output `i`; output 0 always has one unless others were used alone. */
  dy(i = 0): string {
    const name = this.upstream[i];
    if (name === undefined) throw this.unsupported(`only a secondary output of it is used`);
    return name;
  }

  /** Gradient of output `i`, or `undefined` where no loss reaches it. */
  maybeDy(i: number): string | undefined {
    return this.upstream[i];
  }

  /** Concrete shape of any forward value. @throws SHAPE_UNRESOLVED */
  shape(name: string): readonly number[] {
    const shape = this.types.shapes.get(name);
    if (!shape) {
      throw new NeuralCleanseError('SHAPE_UNRESOLVED', `The shape of value "${name}" is not known.`, {
        node: this.node.name,
        op: this.node.op,
        hint: 'Give concrete input dimensions.',
      });
    }
    return shape;
  }

  /** Shape of input `i`. */
  xShape(i = 0): readonly number[] {
    return this.shape(this.x(i));
  }

  /** Shape of output `i`. */
  yShape(i = 0): readonly number[] {
    return this.shape(this.y(i));
  }

  dtype(name: string): DType {
    return this.types.dtypes.get(name) ?? 'float32';
  }

  /** The value of input `i` if it is a constant of the graph, else `undefined`. */
  constant(i: number): Tensor | undefined {
    const name = this.node.inputs[i];
    return name ? this.constants.get(name) : undefined;
  }

  /** The value of input `i`, which must be constant for this operator to be differentiated. */
  requireConstant(i: number, what: string): Tensor {
    const value = this.constant(i);
    if (!value) throw this.unsupported(`its ${what} (input ${i}) is computed at run time`);
    return value;
  }

  int(name: string, fallback: number): number;
  int(name: string): number | undefined;
  int(name: string, fallback?: number): number | undefined {
    return this.attribute(name, 'int')?.value ?? fallback;
  }

  ints(name: string): readonly number[] | undefined;
  ints(name: string, fallback: readonly number[]): readonly number[];
  ints(name: string, fallback?: readonly number[]): readonly number[] | undefined {
    return this.attribute(name, 'ints')?.value ?? fallback;
  }

  float(name: string, fallback: number): number {
    return this.attribute(name, 'float')?.value ?? fallback;
  }

  string(name: string, fallback: string): string {
    return this.attribute(name, 'string')?.value ?? fallback;
  }

  private attribute<T extends Attribute['type']>(
    name: string,
    type: T,
  ): Extract<Attribute, { type: T }> | undefined {
    const value = this.node.attributes[name];
    if (value === undefined) return undefined;
    if (value.type !== type) throw this.invalid(`Attribute "${name}" is of type ${value.type}, not ${type}.`);
    return value as Extract<Attribute, { type: T }>;
  }

  /** An axis counted from the front. */
  axis(axis: number, rank: number): number {
    if (axis < -rank || axis >= rank) throw this.invalid(`Axis ${axis} is outside a tensor of rank ${rank}.`);
    return axis < 0 ? axis + rank : axis;
  }

  /** An error that says which form of this operator has no gradient rule. */
  unsupported(why: string): NeuralCleanseError {
    return new NeuralCleanseError(
      'ATTRIBUTE_UNSUPPORTED',
      `${this.node.op} cannot be differentiated: ${why}.`,
      {
        node: this.node.name,
        op: this.node.op,
        hint: 'Export the model in evaluation mode with constant shapes, or replace this layer.',
      },
    );
  }

  private invalid(why: string): NeuralCleanseError {
    return new NeuralCleanseError('MODEL_INVALID', why, {
      node: this.node.name,
      op: this.node.op,
      hint: 'The model file violates the ONNX specification; export it again.',
    });
  }
}

/** An operator through which no gradient flows: comparisons, rounding, indices. */
export const zero: Rule = () => [];

/**
 * Sums a gradient over the axes along which `to` was broadcast to `from` (numpy rules).
 *
 * `dy [from] -> dx [to]`
 */
export function unbroadcast(
  b: GraphBuilder,
  dy: string,
  from: readonly number[],
  to: readonly number[],
): string {
  if (from.length === to.length && from.every((d, i) => d === to[i])) return dy;
  const lead = from.length - to.length;
  const axes = from.map((_, i) => i).filter((i) => i < lead || (to[i - lead] === 1 && from[i] !== 1));
  const summed = b.reduceSum(dy, axes, true);
  return lead === 0 ? summed : b.reshape(summed, to);
}

/** One call of one layer: what its rule reads, and how it adds nodes. */

import { NeuralCleanseError } from '../../errors.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Attributes } from '../../onnx/graph.ts';
import { float32, type Tensor } from '../../onnx/tensor.ts';
import type { LayerSpec } from '../architecture.ts';
import type { Call } from '../calls.ts';
import { type Fields, invalidConfig } from '../fields.ts';
import { permuted } from '../permute.ts';
import { axisIn, type Order, orderOf, permutationTo, type Shape, type Value } from '../value.ts';
import { mismatch, type StoredArray } from '../weights.ts';

/** How a kind of layer becomes ONNX. */
export interface LayerRule {
  /** Its weights in Keras's order, by the names of Keras 2. */
  weights?(config: Fields): readonly string[];
  build(call: LayerCall): Value;
}

/** More elements in one tensor of one image than this is no image classifier, but a trap for the memory. */
const maxElements = 2 ** 28;

export class LayerCall {
  readonly b: GraphBuilder;
  readonly layer: LayerSpec;
  /** Name of the layer behind those of the models around it; stands before the names of its weights and nodes. */
  readonly path: string;
  readonly inputs: readonly Value[];
  /** The notation of the call itself, for operations. */
  readonly call: Call;
  private readonly weights: readonly StoredArray[];
  private readonly names: readonly string[];
  private readonly made: Map<string, string>;

  constructor(options: {
    readonly b: GraphBuilder;
    readonly layer: LayerSpec;
    readonly path: string;
    readonly inputs: readonly Value[];
    readonly call: Call;
    /** Arrays and their names, in the same order. */
    readonly weights: readonly StoredArray[];
    readonly names: readonly string[];
    /** Initializers by key, shared by all calls of a model, so that a layer called twice has its weights once. */
    readonly made: Map<string, string>;
  }) {
    this.b = options.b;
    this.layer = options.layer;
    this.path = options.path;
    this.inputs = options.inputs;
    this.call = options.call;
    this.weights = options.weights;
    this.names = options.names;
    this.made = options.made;
  }

  get config(): Fields {
    return this.layer.config;
  }

  /** The only input, or the first. */
  get input(): Value {
    const [value] = this.inputs;
    if (!value) throw invalidConfig(`${this.config.owner} is called without an input.`);
    return value;
  }

  /** The only input, of a rank that the layer takes. */
  inputOfRank(rank: number): Value {
    const { input } = this;
    if (input.shape.length !== rank) {
      throw invalidConfig(
        `${this.config.owner} takes ${rank} dimensions with the batch, but gets the shape ${show(input.shape)}.`,
      );
    }
    return input;
  }

  /** Adds a node, named after the layer. */
  emit(op: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.b.op(op, inputs, attributes, { outputs: [this.b.fresh(`${this.path}/${op}`)] });
  }

  /** The name of a value in an order, turned if need be. */
  in(value: Value, order: Order): string {
    const kept =
      value.names.get(order) ?? (value.shape.length < 3 ? [...value.names.values()][0] : undefined);
    if (kept !== undefined) return kept;
    const other = value.names.get(order === 'moved' ? 'keras' : 'moved')!;
    const turned = this.b.transpose(other, permutationTo(order, value.shape.length));
    value.names.set(order, turned);
    return turned;
  }

  /** A new value. @throws NeuralCleanseError KERAS_CONFIG_INVALID for an empty one, MODEL_TOO_LARGE */
  out(name: string, shape: Shape, order: Order = 'keras'): Value {
    if (shape.some((dim, axis) => axis > 0 && dim !== null && dim < 1)) {
      throw invalidConfig(`${this.config.owner} would make a tensor of the shape ${show(shape)}.`);
    }
    checkElements(shape, this.config.owner);
    return { shape, names: new Map([[order, name]]) };
  }

  /** Applies a function of single elements, in whichever order the value stands. */
  map(value: Value, apply: (name: string, order: Order) => string): Value {
    const order = orderOf(value);
    return this.out(apply(this.in(value, order), order), value.shape, order);
  }

  /**
   * A weight as an initializer.
   *
   * @param dims what the architecture asks for, in Keras's order; `null` for a size that only the file tells
   * @param form the axes to reorder, and the final shape if another
   * @throws NeuralCleanseError KERAS_WEIGHTS_MISMATCH, KERAS_FILE_INVALID
   */
  weight(
    name: string,
    dims: Shape,
    form: { readonly axes?: readonly number[]; readonly dims?: readonly number[] } = {},
  ): string {
    return this.initializer(name, form, () => {
      const tensor = this.tensor(name, dims);
      const ordered = form.axes ? permuted(tensor, form.axes) : tensor;
      return form.dims ? float32(form.dims, ordered.data) : ordered;
    });
  }

  /** The values of a weight in Keras's order, after its shape was checked. */
  tensor(name: string, dims: Shape): Tensor<'float32'> {
    const stored = this.weights[this.names.indexOf(name)];
    if (!stored) throw mismatch(`${this.config.owner} has a weight "${name}", which the file lacks.`);
    const fits =
      stored.dims.length === dims.length && dims.every((d, i) => d === null || d === stored.dims[i]);
    if (!fits) {
      throw mismatch(
        `${this.config.owner} needs "${name}" of shape ${show(dims)}, but "${stored.name}" has the shape ${show(stored.dims)}.`,
      );
    }
    return stored.read();
  }

  /** An initializer of the layer, made once however often the layer is called. */
  initializer(name: string, form: unknown, make: () => Tensor): string {
    const key = JSON.stringify([this.path, name, form]);
    const known = this.made.get(key);
    if (known !== undefined) return known;
    const plain = `${this.path}/${name}`;
    const isTaken = [...this.made.values()].includes(plain);
    const made = this.b.initializer(isTaken ? this.b.fresh(plain) : plain, make());
    this.made.set(key, made);
    return made;
  }

  /** The shape of a list along an axis of the Keras tensor: `size` where the axis stands in an order, 1 elsewhere. */
  alongAxis(order: Order, axis: number, rank: number, size: number): number[] {
    const place = axisIn(order, axis, rank);
    return Array.from({ length: rank }, (_, i) => (i === place ? size : 1));
  }

  /** KERAS_OPTION_UNSUPPORTED. `what` follows the name of the layer. */
  unsupported(what: string): NeuralCleanseError {
    return new NeuralCleanseError('KERAS_OPTION_UNSUPPORTED', `${this.config.owner} ${what}.`, {
      hint: 'Export the model to ONNX with tf2onnx, or leave this out.',
      data: { layer: this.path },
    });
  }
}

/** @throws NeuralCleanseError MODEL_TOO_LARGE */
export function checkElements(shape: Shape, owner: string): void {
  const elements = shape.reduce<number>((n, dim) => n * (dim ?? 1), 1);
  if (elements <= maxElements) return;
  throw new NeuralCleanseError(
    'MODEL_TOO_LARGE',
    `${owner} would make a tensor of the shape ${show(shape)}, which is ${elements} elements an image.`,
    { hint: `At most ${maxElements} are taken.` },
  );
}

export const show = (shape: Shape): string => `[${shape.map((dim) => dim ?? '?').join(', ')}]`;

/** The axis as a number from 0. @throws NeuralCleanseError KERAS_CONFIG_INVALID if the tensor lacks it */
export function axisOf(axis: number, rank: number, owner: string): number {
  const place = axis < 0 ? axis + rank : axis;
  if (place >= 0 && place < rank) return place;
  throw invalidConfig(`${owner} works along axis ${axis} of a tensor with ${rank}.`);
}

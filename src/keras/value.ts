/**
 * Tensors under conversion, and the two orders of axes they may stand in.
 *
 * Keras mostly has channels last, ONNX has them at axis 1. A value is turned when a layer first needs the other order; both
 * forms are remembered, so no tensor is turned twice, and a chain of layers in one order turns nothing.
 */

/** Sizes in Keras's order, batch first; `null` where open. */
export type Shape = readonly (number | null)[];

/** `keras` as in the Keras model, or `moved`: the last axis stands at axis 1. Below rank 3 both are the same. */
export type Order = 'keras' | 'moved';

export interface Value {
  readonly shape: Shape;
  /** Names in the ONNX graph. */
  readonly names: Map<Order, string>;
  /** True for what a layer of zero padding made. */
  readonly isPadded?: true;
}

/** The order that costs nothing; `moved` where both exist, since it is what convolutions want. */
export const orderOf = (value: Value): Order => (value.names.has('moved') ? 'moved' : 'keras');

/** Where an axis of the Keras tensor stands. */
export function axisIn(order: Order, axis: number, rank: number): number {
  if (order === 'keras' || rank < 3 || axis === 0) return axis;
  return axis === rank - 1 ? 1 : axis + 1;
}

/** The permutation that turns a tensor into an order from the other one. */
export function permutationTo(order: Order, rank: number): number[] {
  const middle = Array.from({ length: rank - 2 }, (_, i) => i);
  return order === 'moved' ? [0, rank - 1, ...middle.map((i) => i + 1)] : [0, ...middle.map((i) => i + 2), 1];
}

/** Layers and operations that join several tensors. */

import { int } from '../../onnx/graph.ts';
import { invalidConfig } from '../fields.ts';
import { axisIn, type Order, orderOf, type Shape, type Value } from '../value.ts';
import { axisOf, type LayerCall, type LayerRule, show } from './call.ts';

/** Element by element over any number of inputs, which are broadcast. */
export const merge = (op: 'Add' | 'Sub' | 'Mul' | 'Max' | 'Min' | 'Mean'): LayerRule => ({
  build(call) {
    const { inputs } = call;
    if (inputs.length < 2 || (op === 'Sub' && inputs.length !== 2)) {
      throw invalidConfig(`${call.config.owner} is called with ${inputs.length} inputs.`);
    }
    const { values, order } = aligned(call, inputs);
    const names = values.map((value) => call.in(value, order));
    const isVariadic = op === 'Max' || op === 'Min' || op === 'Mean';
    const name = isVariadic ? call.emit(op, names) : names.reduce((a, b) => call.emit(op, [a, b]));
    return call.out(
      name,
      values.map((value) => value.shape).reduce((a, b) => broadcast(call, a, b)),
      order,
    );
  },
});

/** One order for all; inputs of lower rank get axes of size 1 after the batch, as in Keras. */
export function aligned(call: LayerCall, inputs: readonly Value[]): { values: Value[]; order: Order } {
  const rank = Math.max(...inputs.map((value) => value.shape.length));
  const values = inputs.map((value) => {
    const missing = rank - value.shape.length;
    if (missing === 0) return value;
    const axes = Array.from({ length: missing }, (_, i) => i + 1);
    const name = call.emit('Unsqueeze', [call.in(value, 'keras'), call.b.ints(axes)]);
    return call.out(name, [value.shape[0]!, ...axes.map(() => 1), ...value.shape.slice(1)]);
  });
  return { values, order: values.some((value) => orderOf(value) === 'moved') ? 'moved' : 'keras' };
}

/** @throws NeuralCleanseError KERAS_CONFIG_INVALID if sizes differ and none is 1 */
export function broadcast(call: LayerCall, a: Shape, b: Shape): Shape {
  return a.map((dim, axis) => {
    const other = b[axis]!;
    if (dim === other || other === 1) return dim;
    if (dim === 1) return other;
    if (dim === null || other === null) return dim ?? other;
    throw invalidConfig(`${call.config.owner} joins tensors of the shapes ${show(a)} and ${show(b)}.`);
  });
}

export const concatenate: LayerRule = {
  build: (call) =>
    concatenated(call, call.inputs, call.config.has('axis') ? call.config.list('axis')[0]! : -1),
};

export function concatenated(call: LayerCall, inputs: readonly Value[], along: number): Value {
  const [first] = inputs;
  if (!first) throw invalidConfig(`${call.config.owner} is called without inputs.`);
  const rank = first.shape.length;
  const axis = axisOf(along, rank, call.config.owner);
  const shape = inputs.slice(1).reduce<Shape>(
    (joined, { shape: next }) =>
      joined.map((dim, i) => {
        const other = next[i];
        if (next.length === rank && i === axis) return dim === null || other === null ? null : dim + other!;
        if (next.length === rank && (dim === other || dim === null || other === null)) return dim ?? other!;
        throw invalidConfig(
          `${call.config.owner} joins tensors of the shapes ${show(joined)} and ${show(next)}.`,
        );
      }),
    first.shape,
  );
  const order = inputs.some((value) => orderOf(value) === 'moved') ? 'moved' : 'keras';
  const name = call.emit(
    'Concat',
    inputs.map((value) => call.in(value, order)),
    { axis: int(axisIn(order, axis, rank)) },
  );
  return call.out(name, shape, order);
}

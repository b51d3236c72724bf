/** Operators that move elements: they carry the batch to another axis, or into a part of one. */

import { int, ints, type Node } from '../../onnx/graph.ts';
import { sizeOf } from '../../onnx/tensor.ts';
import { attribute, without } from '../attributes.ts';
import {
  type BatchContext,
  type BatchRule,
  batched,
  fromFront,
  type Location,
  type Outcome,
  unchanged,
} from './context.ts';

/** "To the end", as exporters write it. */
const end = 2 ** 63;

/**
 * A reshape keeps the row-major order, so the batch stays between the same number of slower and faster elements. Every axis
 * that these numbers can be split at is a possible place.
 */
function places(from: readonly number[], at: Location, to: readonly number[], batch: number): Location[] {
  const slower = sizeOf(from.slice(0, at.axis)) * at.outer;
  const faster = at.inner * sizeOf(from.slice(at.axis + 1));
  return to.flatMap((size, axis) => {
    const outer = slower / sizeOf(to.slice(0, axis));
    const inner = faster / sizeOf(to.slice(axis + 1));
    const fits = Number.isInteger(outer) && Number.isInteger(inner) && size === outer * batch * inner;
    return fits ? [{ axis, outer, inner }] : [];
  });
}

/** The node as a Reshape to its own output shape, the batch left free. */
function asReshape(c: BatchContext): Outcome[] {
  const at = c.data();
  const from = c.xShape();
  const to = c.yShape();
  const found = places(from, at, to, c.batch);
  if (found.length === 0) throw c.refusal('it cuts through the samples');
  const isReshape = c.node.op === 'Reshape';
  const target = isReshape ? c.constant(1) : undefined;
  const sizes = c.trace(1);
  const likely = (place: Location): number[] => [
    // An axis whose size follows the batch, one of its own, one that the exporter left free, the one it was in before
    Number(isReshape && sizes.kind === 'sizes' && sizes.open[place.axis]),
    Number(place.outer === 1 && place.inner === 1),
    Number(target?.[place.axis] === -1 || target?.[place.axis] === 0),
    Number(place.axis === at.axis),
  ];
  const order = found.toSorted((p, q) => compare(likely(q), likely(p)));
  return order.map((place) => {
    const outputs = [batched(place)];
    if (target && isFree(target, place, at, from, to)) return { outputs };
    return {
      outputs,
      emit: ({ b }) => ({
        ...c.node,
        op: 'Reshape',
        inputs: [c.node.inputs[0]!, b.ints(to.with(place.axis, -1))],
        attributes: {},
      }),
    };
  });
}

/** Lexicographic order. */
function compare(a: readonly number[], b: readonly number[]): number {
  const i = a.findIndex((v, k) => v !== b[k]);
  return i < 0 ? 0 : a[i]! - b[i]!;
}

/** Whether a constant target gives the right shape at every batch size: 0 copies an axis, -1 is the rest. */
function isFree(
  target: readonly number[],
  place: Location,
  at: Location,
  from: readonly number[],
  to: readonly number[],
): boolean {
  const copiesBatch = (axis: number): boolean => target[axis] === 0 && axis === at.axis;
  const sameSplit = place.outer === at.outer && place.inner === at.inner;
  const isBatchFree = target[place.axis] === -1 || (copiesBatch(place.axis) && sameSplit);
  const others = to.every((size, axis) => {
    if (axis === place.axis) return true;
    if (target[axis] === 0) return !copiesBatch(axis) && from[axis] === size;
    return target[axis] === size || target[axis] === -1;
  });
  return isBatchFree && others;
}

export const reshape: BatchRule = asReshape;

export const flatten: BatchRule = (c) => {
  const at = c.atFirst();
  const shape = c.xShape();
  const split = fromFront(attribute(c.node, 'axis', 'int') ?? 1, shape.length);
  const axis = at.axis < split ? 0 : 1;
  const [first, last] = axis === 0 ? [0, split] : [split, shape.length];
  return unchanged(
    batched({
      axis,
      outer: sizeOf(shape.slice(first, at.axis)) * at.outer,
      inner: at.inner * sizeOf(shape.slice(at.axis + 1, last)),
    }),
  );
};

export const transpose: BatchRule = (c) => {
  const at = c.atFirst();
  const rank = c.xShape().length;
  const perm = attribute(c.node, 'perm', 'ints') ?? c.xShape().map((_, i) => rank - 1 - i);
  return unchanged(batched({ ...at, axis: perm.indexOf(at.axis) }));
};

/** Without axes it would drop a batch of one too. If the exported graph did, the samples go into the next axis. */
export const squeeze: BatchRule = (c) => {
  const at = c.atFirst();
  const shape = c.xShape();
  const listed = c.has(1) ? c.requireConstant(1, 'axes').map((a) => fromFront(a, shape.length)) : undefined;
  const axes = listed ?? shape.flatMap((size, axis) => (size === 1 ? [axis] : []));
  if (axes.includes(at.axis)) return asReshape(c);
  const outputs = [batched({ ...at, axis: at.axis - axes.filter((a) => a < at.axis).length })];
  if (listed) return [{ outputs }];
  return [{ outputs, emit: ({ b }) => ({ ...c.node, inputs: [c.node.inputs[0]!, b.ints(axes)] }) }];
};

export const unsqueeze: BatchRule = (c) => {
  const at = c.atFirst();
  const shape = c.yShape();
  const added = c.requireConstant(1, 'axes').map((a) => fromFront(a, shape.length));
  const kept = shape.map((_, axis) => axis).filter((axis) => !added.includes(axis));
  return unchanged(batched({ ...at, axis: kept[at.axis]! }));
};

/** The target holds 1 where the data keep their size, so the batch axis needs no number. */
export const expand: BatchRule = (c) => {
  const at = c.data();
  const shape = c.yShape();
  const axis = at.axis + shape.length - c.xShape().length;
  if (shape[axis] !== c.xShape()[at.axis]) throw c.refusal('it repeats the samples');
  const outputs = [batched({ ...at, axis })];
  if (c.constant(1)?.at(axis - shape.length) === 1) return [{ outputs }];
  return [
    {
      outputs,
      emit: ({ b }) => ({ ...c.node, inputs: [c.node.inputs[0]!, b.ints(shape.with(axis, 1))] }),
    },
  ];
};

/** Whole axes are repeated, so copies of the batch become part of its outer factor. */
export const tile: BatchRule = (c) => {
  const at = c.atFirst();
  const copies = c.yShape()[at.axis]! / c.xShape()[at.axis]!;
  return unchanged(batched({ ...at, outer: at.outer * copies }));
};

export const slice: BatchRule = (c) => {
  const at = c.atFirst();
  const shape = c.xShape();
  const listed = c.has(3)
    ? c.requireConstant(3, 'axes')
    : Array.from({ length: c.xShape(1)[0]! }, (_, i) => i);
  const k = listed.map((a) => fromFront(a, shape.length)).indexOf(at.axis);
  if (k < 0) return unchanged(batched(at));
  const starts = c.requireConstant(1, 'starts');
  const ends = c.requireConstant(2, 'ends');
  const step = c.has(4) ? c.requireConstant(4, 'steps')[k] : 1;
  if (starts[k] !== 0 || step !== 1 || c.yShape()[at.axis] !== shape[at.axis]) {
    throw c.refusal('it picks among the samples');
  }
  if (ends[k]! >= 2 ** 31 - 1) return unchanged(batched(at));
  // All samples of the exported batch means all samples.
  const emit: Outcome['emit'] = ({ b }) => ({
    ...c.node,
    inputs: c.node.inputs.with(2, b.ints(ends.with(k, end))),
  });
  return [{ outputs: [batched(at)], emit }];
};

/** Data of the batch by constant indices, or constant data (an embedding) by indices of the batch. */
export const gather: BatchRule = (c) => {
  const axis = fromFront(attribute(c.node, 'axis', 'int') ?? 0, c.xShape().length);
  const [data, indices] = [c.at(0), c.at(1)];
  if (data && indices) throw c.refusal('it picks among the samples');
  if (indices) return unchanged(batched({ ...indices, axis: indices.axis + axis }));
  if (data!.axis !== axis) {
    const moved = data!.axis > axis ? data!.axis + c.xShape(1).length - 1 : data!.axis;
    return unchanged(batched({ ...data!, axis: moved }));
  }
  // The first sample of a batch of one is all of it.
  const picked = c.constant(1);
  if (c.xShape()[axis] === 1 && picked?.length === 1) return asReshape(c);
  throw c.refusal('it picks among the samples');
};

export const split: BatchRule = (c) => {
  const at = c.atFirst();
  const axis = fromFront(attribute(c.node, 'axis', 'int') ?? 0, c.xShape().length);
  if (axis === at.axis) throw c.refusal('it parts the samples');
  return unchanged(batched(at));
};

/** Pads: all begins, then all ends, of the listed axes. */
export const pad: BatchRule = (c) => {
  const at = c.atFirst();
  const rank = c.xShape().length;
  const axes = (c.has(3) ? c.requireConstant(3, 'axes') : c.xShape().map((_, i) => i)).map((a) =>
    fromFront(a, rank),
  );
  const k = axes.indexOf(at.axis);
  const pads = c.constant(1);
  const isPadded = pads
    ? k >= 0 && (pads[k] !== 0 || pads[k + axes.length] !== 0)
    : c.yShape()[at.axis] !== c.xShape()[at.axis];
  if (isPadded) throw c.refusal('it pads the batch');
  return unchanged(batched(at));
};

/** Sizes and scales of the batch axis are left out, and the other axes named. */
export const resize: BatchRule = (c) => {
  const { node } = c;
  const at = c.data();
  const shape = c.yShape();
  const outputs = [batched(at)];
  const all = shape.map((_, axis) => axis);
  const axes = attribute(node, 'axes', 'ints')?.map((a) => fromFront(a, shape.length)) ?? all;
  const k = axes.indexOf(at.axis);
  if (k < 0) return [{ outputs }];
  if (shape[at.axis] !== c.xShape()[at.axis]) throw c.refusal('it resizes the batch');
  const scales = c.constant(2);
  if (scales?.length) {
    if (scales[k] !== 1) throw c.refusal('it resizes the batch');
    return [{ outputs }];
  }
  if (c.has(1) || (attribute(node, 'keep_aspect_ratio_policy', 'string') ?? 'stretch') !== 'stretch') {
    throw c.refusal('its sizes depend on the batch axis');
  }
  const others = axes.toSpliced(k, 1);
  const attributes = { ...without(node.attributes, 'axes'), axes: ints(others) };
  const emit: Outcome['emit'] = ({ b }): Node => {
    const [x, , given] = node.inputs;
    if (c.has(3)) return { ...node, attributes, inputs: [x!, '', '', b.ints(others.map((a) => shape[a]!))] };
    const kept = b.ints(axes.map((_, i) => i).toSpliced(k, 1));
    return { ...node, attributes, inputs: [x!, '', b.op('Gather', [given!, kept], { axis: int(0) })] };
  };
  return [{ outputs, emit }];
};

export const trilu: BatchRule = (c) => {
  const at = c.atFirst();
  if (at.axis >= c.xShape().length - 2) throw c.refusal('it cuts a triangle out of the batch');
  return unchanged(batched(at));
};

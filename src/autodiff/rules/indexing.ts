/** Operators that pick elements by position, or repeat them around a border. */

import { int, string } from '../../onnx/graph.ts';
import { sizeOf, type Tensor, toNumbers } from '../../onnx/tensor.ts';
import type { RuleFamily } from '../operators.ts';
import type { RuleContext } from '../rule.ts';
import { type Progression, scatter, ungather, unslice, whole } from './selection.ts';
import { range, strides } from './shape.ts';

type Indexing = 'Slice' | 'Gather' | 'GatherElements' | 'GatherND' | 'TopK' | 'Pad';

export const indexingRules: Pick<RuleFamily<'movement'>, Indexing> = {
  // y = x[starts:ends:steps]; dx = dy there and 0 elsewhere
  Slice: (c) => [() => unslice(c.b, c.dy(), slicedRanges(c), c.xShape())],

  // y [A.., I.., B..] = x[.., indices [I..], ..] with x [A.., D, B..]; dx[d] = Σ dy over the places whose index is d
  Gather: (c) => {
    const shape = c.xShape();
    const axis = c.axis(c.int('axis', 0), shape.length);
    const indices = c.constant(1);
    return [
      () =>
        indices
          ? ungather(c.b, c.dy(), fromFront(indices, shape[axis]!), shape, axis)
          : scatter(c.b, c.dy(), c.x(1), sizeOf(c.xShape(1)), shape, axis),
    ];
  },

  // y[i, j] = x[index[i, j], j] (axis 0); one gather over the flattened tensor where the indices are constant
  GatherElements: (c) => {
    const shape = c.xShape();
    const axis = c.axis(c.int('axis', 0), shape.length);
    const indices = c.constant(1);
    if (indices) {
      const flat = flatElements(indices, shape, axis);
      return [() => c.b.reshape(ungather(c.b, c.dy(), flat, [sizeOf(shape)], 0), shape)];
    }
    const attributes = { axis: int(axis), reduction: string('add') };
    return [() => c.b.op('ScatterElements', [c.b.fill(shape, 0), c.x(1), c.dy()], attributes)];
  },

  // y [B.., Q.., S..] = x [B.., D.., S..] at tuples [B.., Q.., |D|]; one gather over the flattened axes B and D
  GatherND: (c) => {
    const shape = c.xShape();
    const batchDims = c.int('batch_dims', 0);
    const indices = c.constant(1);
    if (indices) {
      const flat = flatTuples(indices, shape, batchDims);
      const depth = batchDims + indices.dims.at(-1)!;
      const rows = [sizeOf(shape.slice(0, depth)), sizeOf(shape.slice(depth))];
      return [() => c.b.reshape(ungather(c.b, c.dy(), flat, rows, 0), shape)];
    }
    if (batchDims > 0) {
      throw c.unsupported(`its indices are computed at run time and batch_dims is ${batchDims}`);
    }
    const attributes = { reduction: string('add') };
    return [() => c.b.op('ScatterND', [c.b.fill(shape, 0), c.x(1), c.dy()], attributes)];
  },

  // values, indices = the k largest along axis; dx = dy at those indices, no two of them alike, and 0 elsewhere
  TopK: (c) => {
    const shape = c.xShape();
    const axis = c.axis(c.int('axis', -1), shape.length);
    const indices = c.node.outputs[1] || c.b.ops('TopK', c.node.inputs, 2, c.node.attributes)[1]!;
    return [() => c.b.op('ScatterElements', [c.b.fill(shape, 0), indices, c.dy()], { axis: int(axis) })];
  },

  // y = x within a border of a constant, or of elements of x that border positions repeat
  Pad: (c) => {
    const { begins, ends } = pads(c);
    const mode = c.string('mode', 'constant');
    if (mode === 'constant') {
      const inside = () =>
        c.b.pad(
          c.dy(),
          [...begins, ...ends].map((p) => -p),
        );
      const total = (value: string) => c.b.reduceSum(value, undefined, false);
      const outside = () => c.b.reshape(c.b.sub(total(c.dy()), total(inside())), c.xShape(2));
      return [inside, undefined, outside];
    }
    const source = borderSources[mode];
    if (!source) throw c.unsupported(`its mode is "${mode}"`);
    return [
      () => {
        const shape = [...c.yShape()];
        let dx = c.dy();
        for (const [axis, size] of c.xShape().entries()) {
          const [begin, end] = [begins[axis]!, ends[axis]!];
          if (begin === 0 && end === 0) continue;
          shape[axis] = size;
          dx = ungather(c.b, dx, borderIndices(size, begin, end, source), shape, axis);
        }
        return dx;
      },
    ];
  },
};

/** Which elements of x a Slice takes along each axis. */
function slicedRanges(c: RuleContext): Progression[] {
  const shape = c.xShape();
  const starts = toNumbers(c.requireConstant(1, 'starts'));
  const axes = c.has(3) ? toNumbers(c.requireConstant(3, 'axes')) : range(starts.length);
  const steps = c.has(4) ? toNumbers(c.requireConstant(4, 'steps')) : starts.map(() => 1);
  const taken = shape.map(whole);
  for (const [i, given] of axes.entries()) {
    const axis = c.axis(given, shape.length);
    const size = shape[axis]!;
    const step = steps[i]!;
    const start = starts[i]! < 0 ? starts[i]! + size : starts[i]!;
    const last = step > 0 ? size : size - 1;
    taken[axis] = { start: Math.min(Math.max(start, 0), last), step, count: c.yShape()[axis]! };
  }
  return taken;
}

/** Indices along an axis of `size`, negative ones counted from its end. */
const fromFront = (indices: Tensor, size: number): number[] =>
  toNumbers(indices).map((index) => (index < 0 ? index + size : index));

/** Positions in the flattened x [shape] that GatherElements takes. */
function flatElements(indices: Tensor, shape: readonly number[], axis: number): number[] {
  const steps = strides(shape);
  const places = strides(indices.dims);
  return fromFront(indices, shape[axis]!).map((index, place) => {
    const coordinates = places.map((stride, a) => Math.floor(place / stride) % indices.dims[a]!);
    return dot(coordinates.with(axis, index), steps);
  });
}

/** Positions in the flattened leading axes of x [shape], batch and indexed ones, that GatherND takes. */
function flatTuples(indices: Tensor, shape: readonly number[], batchDims: number): number[] {
  const depth = indices.dims.at(-1)!;
  const indexed = shape.slice(batchDims, batchDims + depth);
  const steps = strides(indexed);
  const values = toNumbers(indices);
  const perBatch = sizeOf(indices.dims.slice(batchDims, -1));
  return range(values.length / depth).map((i) => {
    const tuple = values.slice(i * depth, (i + 1) * depth);
    const fromStart = tuple.map((index, a) => (index < 0 ? index + indexed[a]! : index));
    return Math.floor(i / perBatch) * sizeOf(indexed) + dot(fromStart, steps);
  });
}

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0);

/** The pads of every axis; negative ones crop. */
function pads(c: RuleContext): { begins: number[]; ends: number[] } {
  const rank = c.xShape().length;
  const given = toNumbers(c.requireConstant(1, 'pads'));
  const axes = c.has(3) ? toNumbers(c.requireConstant(3, 'axes')) : range(rank);
  const begins = new Array<number>(rank).fill(0);
  const ends = new Array<number>(rank).fill(0);
  for (const [i, listed] of axes.entries()) {
    const axis = c.axis(listed, rank);
    begins[axis] = given[i]!;
    ends[axis] = given[i + axes.length]!;
  }
  return { begins, ends };
}

const modulo = (a: number, n: number): number => ((a % n) + n) % n;

/** Which of n elements stands at position i of the axis, where i < 0 and i ≥ n lie in the border. */
const borderSources: Readonly<Record<string, (i: number, n: number) => number>> = {
  edge: (i, n) => Math.min(Math.max(i, 0), n - 1),
  wrap: modulo,
  // … 2 1 [0 1 2] 1 0 …: the end points are not repeated
  reflect: (i, n) => (n === 1 ? 0 : n - 1 - Math.abs(n - 1 - modulo(i, 2 * (n - 1)))),
};

/** For each position of the padded axis, the element of x it repeats. Cropping comes first, as in ONNX Runtime. */
function borderIndices(
  size: number,
  begin: number,
  end: number,
  source: (i: number, n: number) => number,
): number[] {
  const first = Math.max(0, -begin);
  const kept = size - first - Math.max(0, -end);
  return range(size + begin + end).map((o) => first + source(o - Math.max(0, begin), kept));
}

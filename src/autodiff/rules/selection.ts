/**
 * Selecting elements along an axis (Slice, Gather, Pad by reflection) is linear; its transpose puts the gradients back
 * where the elements came from and adds up those of one element.
 *
 * A scatter would do, but adding atomically is not deterministic on a GPU. Where the selection is known beforehand, the
 * transpose is therefore written with Pad, Gather or MatMul.
 */

import type { GraphBuilder } from '../../onnx/builder.ts';
import { int, string } from '../../onnx/graph.ts';
import { int64 } from '../../onnx/tensor.ts';
import { aroundAxis, mapAxis } from './axis-map.ts';
import { range, view } from './shape.ts';

/** The elements `start, start + step, …` of an axis, `count` of them. */
export interface Progression {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** All elements of an axis. */
export const whole = (size: number): Progression => ({ start: 0, step: 1, count: size });

/**
 * Transpose of slicing: `dy [counts] -> dx [to]`, zero where nothing was taken.
 *
 * Backward steps reverse an axis, longer steps dilate it.
 */
export function unslice(
  b: GraphBuilder,
  dy: string,
  taken: readonly Progression[],
  to: readonly number[],
): string {
  const shape = taken.map((t) => t.count);
  if (shape.includes(0)) return b.fill(to, 0);

  const backward = range(to.length).filter((a) => taken[a]!.step < 0 && shape[a]! > 1);
  const minusOnes = backward.map(() => -1);
  const beforeFirst = backward.map((a) => -shape[a]! - 1);
  let dx = backward.length === 0 ? dy : b.slice(dy, backward, minusOnes, beforeFirst, minusOnes);

  for (const [axis, { step, count }] of taken.entries()) {
    if (Math.abs(step) === 1 || count === 1) continue;
    dx = dilate(b, dx, shape, axis, Math.abs(step));
    shape[axis] = count * Math.abs(step);
  }

  const firsts = taken.map((t) => (t.step < 0 ? t.start + (t.count - 1) * t.step : t.start));
  const rests = to.map((size, a) => size - firsts[a]! - shape[a]!);
  return b.pad(dx, [...firsts, ...rests]);
}

/**
 * Puts `step − 1` zeros after each element: `[k] -> [k, 1]`, zeros appended to `[k, step]`, seen as `[k·step]`.
 *
 * (Concat, since Pad is many times slower on rows of one number.)
 */
function dilate(
  b: GraphBuilder,
  value: string,
  shape: readonly number[],
  axis: number,
  step: number,
): string {
  const split = shape.toSpliced(axis + 1, 0, 1);
  const zeros = b.fill(split.with(axis + 1, step - 1), 0);
  const dilated = b.concat([b.reshape(value, split), zeros], axis + 1);
  return b.reshape(dilated, shape.with(axis, shape[axis]! * step));
}

/** Elements of the largest matrix that is worth its multiplications (1 MB). */
const largestMatrix = 2 ** 18;

/** From this many contiguous numbers on, copying rows beats multiplying them (measured with ONNX Runtime on a CPU). */
const longRow = 16;

/**
 * Transpose of `y = x[…, indices, …]` along one axis, for indices known beforehand: `dy -> dx [to]`.
 *
 * Indices at equal steps are a slice. Elements taken at most once are gathered back, with an element of zeros for those
 * not taken. Duplicates are added by a matrix of zeros and ones while it is small; that also moves single numbers faster
 * than a gather does.
 *
 * @param dy any number of axes may stand for the selected one; those before and after it are as in x
 * @param indices in [0, to[axis]); duplicates add up
 */
export function ungather(
  b: GraphBuilder,
  dy: string,
  indices: readonly number[],
  to: readonly number[],
  axis: number,
): string {
  const n = indices.length;
  const rows = aroundAxis(to, axis);
  const [outer, size, inner] = rows;
  const progression = asProgression(indices);
  if (progression) {
    const taken = [whole(outer), progression, whole(inner)];
    return view(b, unslice(b, b.reshape(dy, [outer, n, inner]), taken, rows), rows, to);
  }
  const isSmall = size * n <= largestMatrix;
  const placeOf = new Map(indices.map((d, place) => [d, place]));
  if (placeOf.size === n && (inner >= longRow || !isSmall)) {
    const sources = range(size).map((d) => placeOf.get(d) ?? n);
    const given = b.reshape(dy, [outer, n, inner]);
    const source = size === n ? given : b.pad(given, [0, 0, 0, 0, 1, 0]);
    const gathered = b.op('Gather', [source, b.constant(int64([size], sources))], { axis: int(1) });
    return view(b, gathered, rows, to);
  }
  if (isSmall) {
    const oneHot = new Float32Array(size * n);
    for (const [place, d] of indices.entries()) oneHot[d * n + place] = 1;
    return mapAxis(b, dy, oneHot, to, axis);
  }
  return scatter(b, dy, b.constant(int64([n], indices)), n, to, axis);
}

/**
 * {@link ungather} for `n` indices that only the running graph knows, negative ones counted from the end.
 *
 * Not deterministic on a GPU where indices repeat.
 */
export function scatter(
  b: GraphBuilder,
  dy: string,
  indices: string,
  n: number,
  to: readonly number[],
  axis: number,
): string {
  const rows = aroundAxis(to, axis);
  const [outer, , inner] = rows;
  const everywhere = b.expand(b.reshape(indices, [1, n, 1]), [outer, n, inner]);
  const inputs = [b.fill(rows, 0), everywhere, b.reshape(dy, [outer, n, inner])];
  const attributes = { axis: int(1), reduction: string('add') };
  return view(b, b.op('ScatterElements', inputs, attributes), rows, to);
}

function asProgression(indices: readonly number[]): Progression | undefined {
  const start = indices[0] ?? 0;
  const step = indices.length > 1 ? indices[1]! - start : 1;
  if (step === 0 || indices.some((index, i) => index !== start + i * step)) return undefined;
  return { start, step, count: indices.length };
}

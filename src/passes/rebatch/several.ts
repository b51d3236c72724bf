/** Operators whose several operands meet axis by axis: broadcasting, products, concatenation. */

import type { Tensor } from '../../onnx/tensor.ts';
import { attribute } from '../attributes.ts';
import {
  type BatchContext,
  type BatchRule,
  batched,
  fromFront,
  type Location,
  type Outcome,
} from './context.ts';
import { commonPart } from './parts.ts';

/** For each axis of one operand, the axis of the result it becomes; `undefined` for one that is summed away. */
type AxisMap = readonly (number | undefined)[];

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Numpy broadcasting: shapes are aligned at the right. */
const alignedRight = (rank: number, resultRank: number): AxisMap =>
  range(rank).map((i) => i + resultRank - rank);

/** An operand that is the same for all samples and has to stand once for each. */
interface Repeated {
  readonly location: Location;
  /** Of one sample, where the operand holds all of the exported batch. */
  readonly part: Tensor | undefined;
}

/**
 * The batch must lie in one axis of the result, divided the same way in every operand that has it. Operands that are the
 * same for all samples are repeated along that axis, unless broadcasting does it for them.
 */
function meet(c: BatchContext, maps: readonly AxisMap[], broadcasts: boolean): Outcome {
  const result = commonLocation(c, maps);
  const size = c.yShape()[result.axis];
  const repeated = new Map<number, Repeated>();
  for (const [i, map] of maps.entries()) {
    const axis = map.indexOf(result.axis);
    if (!c.has(i) || axis < 0) continue;
    const length = c.xShape(i)[axis]!;
    if (c.at(i)) {
      if (length !== size) throw c.refusal(`input ${i} would be broadcast along the batch`);
    } else if (length !== 1 || !broadcasts) {
      const location = { ...result, axis };
      const constant = c.tensor(i);
      const part = c.batch === 1 ? undefined : constant && commonPart(constant, location, c.batch);
      if (c.batch !== 1 && !part)
        throw c.refusal(`constant input ${i} has the batch size ${c.batch} built in`);
      repeated.set(i, { location, part });
    }
  }
  const outputs = [batched(result)];
  if (repeated.size === 0) return { outputs };
  return {
    outputs,
    emit: (e) => {
      const inputs = c.node.inputs.map((input, i) => {
        const found = repeated.get(i);
        if (!found) return input;
        const { location, part } = found;
        return part
          ? e.spread(e.b.constant(part), part.dims, location)
          : e.spread(input, c.xShape(i), location);
      });
      return { ...c.node, inputs };
    },
  };
}

function commonLocation(c: BatchContext, maps: readonly AxisMap[]): Location {
  let common: Location | undefined;
  for (const [i, map] of maps.entries()) {
    const location = c.at(i);
    if (!location) continue;
    const axis = map[location.axis];
    if (axis === undefined) throw c.refusal(`it sums over the batch (input ${i}, axis ${location.axis})`);
    const moved = { ...location, axis };
    if (common && (common.axis !== axis || common.outer !== moved.outer || common.inner !== moved.inner)) {
      throw c.refusal('the batch lies in different places of its inputs');
    }
    common = moved;
  }
  return common!;
}

export const broadcasting: BatchRule = (c) => {
  const rank = c.yShape().length;
  return [
    meet(
      c,
      c.node.inputs.map((_, i) => (c.has(i) ? alignedRight(c.xShape(i).length, rank) : [])),
      true,
    ),
  ];
};

/** A [.., M, K] · B [.., K, N]: the axes before the last two broadcast; a vector is all K. */
export const matMul: BatchRule = (c) => {
  const rank = c.yShape().length;
  const [a, b] = [c.xShape(0).length, c.xShape(1).length];
  const stacked = Math.max(a, b, 2) - 2;
  const left = a === 1 ? [undefined] : [...alignedRight(a - 2, stacked), stacked, undefined];
  const right = b === 1 ? [undefined] : [...alignedRight(b - 2, stacked), undefined, rank - 1];
  return [meet(c, [left, right], true)];
};

export const gemm: BatchRule = (c) => {
  const transposed = (name: string): boolean => attribute(c.node, name, 'int') === 1;
  const a = transposed('transA') ? [undefined, 0] : [0, undefined];
  const b = transposed('transB') ? [1, undefined] : [undefined, 1];
  const bias = c.has(2) ? [alignedRight(c.xShape(2).length, 2)] : [];
  return [meet(c, [a, b, ...bias], true)];
};

/** A letter an axis; an ellipsis stands for the leading axes and broadcasts. */
export const einsum: BatchRule = (c) => {
  const equation = (attribute(c.node, 'equation', 'string') ?? '').replaceAll(' ', '');
  const [operands = '', output] = equation.split('->');
  if (output === undefined) throw c.refusal('its equation has no explicit output');
  const spelled = operands.split(',').map((term, i) => spell(term, c.xShape(i).length));
  const result = spell(output, c.yShape().length);
  const maps = spelled.map((letters) =>
    letters.map((letter) => (result.includes(letter) ? result.indexOf(letter) : undefined)),
  );
  return [meet(c, maps, false)];
};

/** One name an axis: the axes of an ellipsis are numbered from its right end. */
function spell(term: string, rank: number): string[] {
  const [before = '', after] = term.split('...');
  if (after === undefined) return [...before];
  const free = rank - before.length - after.length;
  return [...before, ...range(free).map((i) => `${free - i}`), ...after];
}

/** Along the batch axis itself whole batches are stacked: their outer factors add up. */
export const concat: BatchRule = (c) => {
  const { node } = c;
  const rank = c.yShape().length;
  const axis = fromFront(attribute(node, 'axis', 'int') ?? 0, rank);
  const places = node.inputs.map((_, i) => c.at(i));
  if (places.every((p) => p?.axis !== axis))
    return [
      meet(
        c,
        node.inputs.map(() => range(rank)),
        false,
      ),
    ];
  const inner = places[0]?.inner;
  if (inner === undefined || places.some((p) => p?.axis !== axis || p.inner !== inner)) {
    throw c.refusal('it puts other values between the samples');
  }
  const outer = places.reduce((sum, p) => sum + p!.outer, 0);
  return [{ outputs: [batched({ axis, outer, inner })] }];
};

/** Picks along an axis that is not the batch, by indices of the shape of the data but for that axis. */
export const gatherElements: BatchRule = (c) => {
  const rank = c.yShape().length;
  const axis = fromFront(attribute(c.node, 'axis', 'int') ?? 0, rank);
  const outcome = meet(c, [range(rank), range(rank)], false);
  const [result] = outcome.outputs;
  if (result?.kind === 'batched' && result.location.axis === axis)
    throw c.refusal('it picks among the samples');
  return [outcome];
};

/** Operators that only move elements: the transpose moves the gradients back. */

import { isFloat, toNumbers } from '../../onnx/tensor.ts';
import type { RuleFamily } from '../operators.ts';
import { type Rule, type RuleContext, unbroadcast } from '../rule.ts';
import { indexingRules } from './indexing.ts';
import { resize } from './resize.ts';
import { range } from './shape.ts';

/** The elements keep their order: dx = dy in the shape of x. */
const reshaped: Rule = (c) => [() => c.b.reshape(c.dy(), c.xShape())];

/** y = x in another type; dx = dy in the type of x. (Gradients of quantized integers are floats already.) */
const converted: Rule = (c) => {
  const type = c.dtype(c.x());
  const sameType = type === c.dtype(c.y()) || !isFloat(type);
  return [() => (sameType ? c.dy() : c.b.op('CastLike', [c.dy(), c.x()]))];
};

export const movementRules: RuleFamily<'movement'> = {
  ...indexingRules,
  Resize: resize,

  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Identity: (c) => [() => c.dy()],
  Cast: converted,
  CastLike: converted,

  // y = transpose(x, perm); dx = transpose(dy, perm⁻¹)
  Transpose: (c) => {
    const axes = range(c.xShape().length);
    const perm = c.ints('perm', axes.toReversed());
    return [
      () =>
        c.b.transpose(
          c.dy(),
          axes.map((a) => perm.indexOf(a)),
        ),
    ];
  },

  // y = [x₀, x₁, …] along axis; dxᵢ is the part of dy that lies over xᵢ
  Concat: (c) => {
    const axis = c.axis(c.int('axis', 0), c.yShape().length);
    let end = 0;
    return c.node.inputs.map((_, i) => {
      const start = end;
      end += c.xShape(i)[axis]!;
      const stop = end;
      return () => c.b.slice(c.dy(), [axis], [start], [stop]);
    });
  },

  // [y₀, y₁, …] = x along axis; dx = [dy₀, dy₁, …], zeros for outputs that do not reach the loss
  Split: (c) => {
    const shape = c.xShape();
    const axis = c.axis(c.int('axis', 0), shape.length);
    const parts = splitSizes(c, shape[axis]!).map(
      (size, i) => c.maybeDy(i) ?? c.b.fill(shape.with(axis, size), 0),
    );
    return [() => c.b.concat(parts, axis)];
  },

  // y = x repeated by broadcasting; dx = Σ dy over the broadcast axes
  Expand: (c) => [() => unbroadcast(c.b, c.dy(), c.yShape(), c.xShape())],

  // y [r₀·d₀, r₁·d₁, …] seen as [r₀, d₀, r₁, d₁, …]; dx [d₀, d₁, …] = Σ dy over the repeats
  Tile: (c) => {
    const shape = c.xShape();
    const repeats = toNumbers(c.requireConstant(1, 'repeats'));
    const tiles = repeats.flatMap((r, a) => [r, shape[a]!]);
    const repeated = range(shape.length).map((a) => 2 * a);
    return [() => c.b.reduceSum(c.b.reshape(c.dy(), tiles), repeated, false)];
  },

  // y [N, C, H·s, W·s] takes its blocks from channels: x [N, (s, s, C), H, W] (DCR) or [N, (C, s, s), H, W] (CRD)
  DepthToSpace: (c) => {
    const [n, channels, height, width] = c.yShape() as [number, number, number, number];
    const s = c.int('blocksize', 1);
    const blocks = [n, channels, height / s, s, width / s, s];
    const perm = c.string('mode', 'DCR') === 'CRD' ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4];
    return [() => c.b.reshape(c.b.transpose(c.b.reshape(c.dy(), blocks), perm), c.xShape())];
  },

  // The inverse of DepthToSpace in mode DCR
  SpaceToDepth: (c) => [() => c.b.op('DepthToSpace', [c.dy()], c.node.attributes)],

  // Evaluation: y = x. Training: y = x · mask / (1 − ratio); dx = dy · mask / (1 − ratio)
  Dropout: (c) => {
    const training = c.has(2) && toNumbers(c.requireConstant(2, 'training mode'))[0] === 1;
    const ratio = c.has(1) ? toNumbers(c.requireConstant(1, 'ratio'))[0]! : 0.5;
    if (!training || ratio === 0) return [() => c.dy()];
    const mask = c.node.outputs[1];
    if (!mask) throw c.unsupported('it draws a mask in training mode, and its mask output has no name');
    return [() => c.b.where(mask, c.b.scale(c.dy(), 1 / (1 - ratio)), c.b.scalar(0))];
  },

  // y = x above (below) a diagonal and 0 elsewhere; dx = dy there
  Trilu: (c) => [() => c.b.op('Trilu', [c.dy(), ...c.node.inputs.slice(1)], c.node.attributes)],
};

/** How long each output of a Split is along the axis: given, or equal parts of which the last may be shorter. */
function splitSizes(c: RuleContext, size: number): number[] {
  if (c.has(1)) return toNumbers(c.requireConstant(1, 'split'));
  const count = c.int('num_outputs', c.node.outputs.length);
  const part = Math.ceil(size / count);
  return range(count).map((i) => Math.min(part, size - i * part));
}

/** Operators that treat some axes differently from others: the batch must not be among them. */

import { attribute } from '../attributes.ts';
import { type BatchContext, type BatchRule, batched, fromFront, lost, unchanged } from './context.ts';

/** Elementwise, or any function of single samples that leaves the shape alone; further inputs are parameters. */
export const pointwise: BatchRule = (c) => unchanged(batched(c.atFirst()));

/** x [B, …]: convolution, pooling and the normalisations that take samples along axis 0. */
export const samplewise: BatchRule = (c) => {
  const at = c.atFirst();
  if (at.axis !== 0) throw c.refusal(`the batch lies in axis ${at.axis} of its input`);
  if (attribute(c.node, 'training_mode', 'int') === 1) throw c.refusal('it normalises over the batch');
  // Indices of MaxPool count through the whole batch.
  return unchanged(batched(at), lost);
};

function refuseAxis(c: BatchContext, axis: number, rank: number): void {
  if (fromFront(axis, rank) === c.data().axis) throw c.refusal('it works along the batch');
}

/** Works along one axis, an attribute. */
export const along =
  (fallback: number): BatchRule =>
  (c) => {
    refuseAxis(c, attribute(c.node, 'axis', 'int') ?? fallback, c.xShape().length);
    return unchanged(batched(c.atFirst()));
  };

export const cumSum: BatchRule = (c) => {
  refuseAxis(c, c.requireConstant(1, 'axis')[0]!, c.xShape().length);
  return unchanged(batched(c.atFirst()));
};

/** Normalises all axes from `axis` on. */
export const layerNormalization: BatchRule = (c) => {
  const at = c.atFirst();
  const first = fromFront(attribute(c.node, 'axis', 'int') ?? -1, c.xShape().length);
  if (at.axis >= first) throw c.refusal('it normalises over the batch');
  return unchanged(batched(at));
};

/** One scale a tensor, or one for each index along `axis`. */
export const quantize: BatchRule = (c) => {
  const at = c.atFirst();
  if (attribute(c.node, 'block_size', 'int')) throw c.refusal('its scales are blocks');
  if (c.xShape(1).length > 0) refuseAxis(c, attribute(c.node, 'axis', 'int') ?? 1, c.xShape().length);
  return unchanged(batched(at));
};

/** Axes are the second input; none means all, or nothing at all with noop_with_empty_axes. */
export const reduce: BatchRule = (c) => {
  const listed = c.has(1) ? c.requireConstant(1, 'axes') : [];
  const noop = listed.length === 0 && attribute(c.node, 'noop_with_empty_axes', 'int') === 1;
  const all = listed.length === 0 && !noop;
  return without(c, all ? c.xShape().map((_, i) => i) : listed);
};

export const argument: BatchRule = (c) => without(c, [attribute(c.node, 'axis', 'int') ?? 0]);

function without(c: BatchContext, listed: readonly number[]): ReturnType<BatchRule> {
  const at = c.atFirst();
  const axes = listed.map((a) => fromFront(a, c.xShape().length));
  if (axes.includes(at.axis)) throw c.refusal('it reduces over the batch');
  const keeps = (attribute(c.node, 'keepdims', 'int') ?? 1) === 1;
  const dropped = keeps ? 0 : axes.filter((a) => a < at.axis).length;
  return unchanged(batched({ ...at, axis: at.axis - dropped }));
}

/** Inserts the axis of classes. */
export const oneHot: BatchRule = (c) => {
  const at = c.atFirst();
  const axis = fromFront(attribute(c.node, 'axis', 'int') ?? -1, c.yShape().length);
  return unchanged(batched({ ...at, axis: at.axis >= axis ? at.axis + 1 : at.axis }));
};

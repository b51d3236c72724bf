/** Follows which entries of a computed shape depend on the batch size. */

import { attribute } from '../attributes.ts';
import { type BatchContext, batched, fixed, fromFront, lost, type Trace } from './context.ts';

type SizeRule = (c: BatchContext) => Trace;

/** What a node without samples among its inputs returns: often a shape, or something in the shape of one. */
export function traceSizes(c: BatchContext): Trace {
  const rule = c.node.domain === '' && Object.hasOwn(rules, c.node.op) ? rules[c.node.op] : undefined;
  return rule ? rule(c) : lost;
}

/** Which of the sizes of a value are open; how many sizes there are is always the same. */
export function shapeOf(c: BatchContext): Trace {
  const trace = c.trace(0);
  if (trace.kind !== 'batched') return trace.kind === 'sizes' ? fixed : trace;
  const open = c.xShape().map((_, axis) => axis === trace.location.axis);
  const start = attribute(c.node, 'start', 'int') ?? 0;
  return sizes(open.slice(start, attribute(c.node, 'end', 'int')));
}

export function sizeOfAll(c: BatchContext): Trace {
  const trace = c.trace(0);
  if (trace.kind === 'batched') return sizes([true]);
  return trace.kind === 'sizes' ? fixed : trace;
}

const sizes = (open: readonly boolean[]): Trace => (open.some(Boolean) ? { kind: 'sizes', open } : fixed);

/** Which entries of input `i` are open; `undefined` where that is not known, or not even how many there are. */
function openOf(c: BatchContext, i: number): readonly boolean[] | undefined {
  const trace = c.trace(i);
  if (trace.kind === 'sizes') return trace.open;
  const constant = trace.kind === 'fixed' ? c.constant(i) : undefined;
  return constant?.map(() => false);
}

const same: SizeRule = (c) => (c.trace(0).kind === 'sizes' ? c.trace(0) : lost);

/**
 * Entry by entry, where a single entry goes with all others. How many entries a computed constant has is often not known;
 * beside a vector it does not matter.
 */
const entrywise: SizeRule = (c) => {
  const known = c.node.inputs.flatMap((_, i) => [openOf(c, i) ?? []].filter((open) => open.length > 0));
  const isClear = c.node.inputs.every((_, i) => openOf(c, i) !== undefined);
  const length = Math.max(...known.map((open) => open.length));
  if (!isClear && (length === 1 || c.node.inputs.some((_, i) => c.trace(i).kind === 'lost'))) return lost;
  return sizes(
    Array.from({ length }, (_, k) => known.some((open) => (open.length === 1 ? open[0] : open[k]))),
  );
};

const concat: SizeRule = (c) => {
  const inputs = c.node.inputs.map((_, i) => openOf(c, i));
  return inputs.every((open) => open !== undefined) ? sizes(inputs.flat()) : lost;
};

const gather: SizeRule = (c) => {
  const open = openOf(c, 0);
  const indices = c.constant(1);
  return open && indices ? sizes(indices.map((i) => open[fromFront(i, open.length)] ?? false)) : lost;
};

const slice: SizeRule = (c) => {
  const open = openOf(c, 0);
  const [start, end, step] = [c.constant(1)?.[0], c.constant(2)?.[0], c.has(4) ? c.constant(4)?.[0] : 1];
  return open && start !== undefined && end !== undefined && step === 1
    ? sizes(open.slice(start, end))
    : lost;
};

const reduce: SizeRule = (c) => {
  const open = openOf(c, 0);
  return open ? sizes([open.some(Boolean)]) : lost;
};

/** A tensor of one value is the same along every axis, so an open axis may be read as samples of equal parts. */
const constantOfShape: SizeRule = (c) => alongOpenAxis(c, openOf(c, 0), []);

/** Constant data, repeated along the one open axis. */
const expand: SizeRule = (c) => {
  if (c.trace(0).kind !== 'fixed') return lost;
  return alongOpenAxis(c, openOf(c, 1), c.xShape(0));
};

function alongOpenAxis(
  c: BatchContext,
  open: readonly boolean[] | undefined,
  data: readonly number[],
): Trace {
  const shape = c.knownShape(c.node.outputs[0]!);
  if (!shape || open?.filter(Boolean).length !== 1) return lost;
  const axis = open.indexOf(true);
  const inner = shape[axis]! / c.batch;
  const repeats = (data.at(axis - open.length) ?? 1) === 1;
  return repeats && Number.isInteger(inner) ? batched({ axis, outer: 1, inner }) : lost;
}

const rules: Readonly<Record<string, SizeRule>> = {
  Add: entrywise,
  And: entrywise,
  Cast: same,
  Ceil: same,
  Concat: concat,
  ConstantOfShape: constantOfShape,
  Div: entrywise,
  Equal: entrywise,
  Expand: expand,
  Floor: same,
  Gather: gather,
  Greater: entrywise,
  Identity: same,
  Less: entrywise,
  Max: entrywise,
  Min: entrywise,
  Mod: entrywise,
  Mul: entrywise,
  Neg: same,
  Not: same,
  Or: entrywise,
  ReduceMax: reduce,
  ReduceMin: reduce,
  ReduceProd: reduce,
  ReduceSum: reduce,
  Reshape: same,
  Shape: shapeOf,
  Size: sizeOfAll,
  Slice: slice,
  Sqrt: same,
  Squeeze: same,
  Sub: entrywise,
  Unsqueeze: same,
  Where: entrywise,
};

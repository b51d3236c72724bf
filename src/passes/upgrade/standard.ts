/**
 * Operators of the standard domain whose form changed between opset 7 and 21.
 *
 * An operator that is not listed only gained element types, negative axes or attributes whose default is the old
 * behaviour. Source: the version histories in ONNX's operator specification.
 */

import { float, int, type Node, string } from '../../onnx/graph.ts';
import { int64 } from '../../onnx/tensor.ts';
import { attribute, without } from '../attributes.ts';
import { resize, upsample } from './resize.ts';
import { cannotRaise, type Rewrite, type RewriteContext, type Upgrade } from './rewrite.ts';

/** Attributes that became inputs, in the order of the inputs from 1 on. A missing one leaves its input absent. */
const toInputs =
  (
    ...inputs: readonly { name: string; value: (node: Node, c: RewriteContext) => string | undefined }[]
  ): Rewrite =>
  (node, c) => {
    const added = inputs.map(({ value }) => value(node, c) ?? '');
    while (added.at(-1) === '') added.pop();
    return {
      ...node,
      inputs: [...node.inputs.slice(0, 1), ...added],
      attributes: without(node.attributes, ...inputs.map((i) => i.name)),
    };
  };

/** An empty list counts as absent: old forms took it for "all axes". */
const intsInput = (name: string) => ({
  name,
  value: (node: Node, { b }: RewriteContext) => {
    const values = attribute(node, name, 'ints');
    return values?.length ? b.ints(values) : undefined;
  },
});

/** A float scalar; where the attribute is absent, `fallback` or, without one, no input. */
const floatInput = (name: string, fallback?: number) => ({
  name,
  value: (node: Node, { b }: RewriteContext) => {
    const value = attribute(node, name, 'float') ?? fallback;
    return value === undefined ? undefined : b.scalar(value);
  },
});

const axesToInput = toInputs(intsInput('axes'));

/** Up to opset 12 the input was taken as a matrix, split at `axis` (default 1), and each row normalised as a whole. */
const flattened: Rewrite = (node, c) => {
  const axis = attribute(node, 'axis', 'int') ?? 1;
  const last = { ...node, attributes: { ...node.attributes, axis: int(-1) } };
  const rank = c.rank(node.inputs[0]!);
  if (axis === -1 || (rank !== undefined && axis === rank - 1)) return last;
  const { b } = c;
  const matrix = b.op('Flatten', [node.inputs[0]!], { axis: int(axis) });
  const normalised = b.op(node.op, [matrix], last.attributes);
  return {
    ...node,
    op: 'Reshape',
    inputs: [normalised, b.op('Shape', [node.inputs[0]!])],
    attributes: {},
  };
};

/** Opset 7 and 8 had `spatial`; up to 13 a second output meant training mode. */
const batchNormalization: Rewrite = (node) => {
  if (attribute(node, 'spatial', 'int') === 0) throw cannotRaise(node, 'spatial is 0');
  if (node.outputs.slice(1).some(Boolean)) throw cannotRaise(node, 'it is in training mode');
  return { ...node, outputs: node.outputs.slice(0, 1), attributes: without(node.attributes, 'spatial') };
};

/** Old exporters name the mask without using it. Its type and its value at inference are others today. */
const dropout: Rewrite = (node, c) => {
  if (node.outputs[1] && c.isRead(node.outputs[1])) throw cannotRaise(node, 'its mask is used');
  return toInputs(floatInput('ratio', 0.5))({ ...node, outputs: node.outputs.slice(0, 1) }, c);
};

/** Sizes became an input in 13; since 18 an even split must say into how many parts. */
const split: Rewrite = (node, c) => {
  if (node.inputs[1]) return node;
  if (attribute(node, 'split', 'ints')) return toInputs(intsInput('split'))(node, c);
  return { ...node, attributes: { ...node.attributes, num_outputs: int(node.outputs.length) } };
};

/**
 * Until 20, scale and bias had one entry a group: an InstanceNormalization over [N, groups, rest].
 *
 * GroupNormalization 21 would need the entries repeated by the channel count, which is not known here.
 */
const groupNormalization: Rewrite = (node, { b }) => {
  const [x, scale, bias] = node.inputs as [string, string, string];
  const groups = attribute(node, 'num_groups', 'int')!;
  const grouped = b.op('Reshape', [x, b.ints([0, groups, -1])]);
  const normalised = b.op('InstanceNormalization', [grouped, scale, bias], {
    epsilon: node.attributes.epsilon ?? float(1e-5),
  });
  return { ...node, op: 'Reshape', inputs: [normalised, b.op('Shape', [x])], attributes: {} };
};

/** `k` became an input; the largest, in order, is still the default. */
const topK: Rewrite = toInputs({
  name: 'k',
  value: (node, { b }) => b.ints([attribute(node, 'k', 'int')!]),
});

const gridModes: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic' };

const gridSample: Rewrite = (node) => {
  const mode = attribute(node, 'mode', 'string') ?? 'bilinear';
  return { ...node, attributes: { ...node.attributes, mode: string(gridModes[mode] ?? mode) } };
};

const roiAlign: Rewrite = (node) => ({
  ...node,
  attributes: { coordinate_transformation_mode: string('output_half_pixel'), ...node.attributes },
});

/** DFT(x, length?): the axis became the third input. */
const dft: Rewrite = (node, { b }) => ({
  ...node,
  inputs: [
    node.inputs[0]!,
    node.inputs[1] ?? '',
    b.constant(int64([], [attribute(node, 'axis', 'int') ?? 1])),
  ],
  attributes: without(node.attributes, 'axis'),
});

const slice: Rewrite = (node, c) =>
  toInputs(intsInput('starts'), intsInput('ends'), intsInput('axes'))(node, c);

const scan: Rewrite = (node) => {
  throw cannotRaise(node, 'the batched form of opset 8 has no successor');
};

const reduction: Upgrade = { below: 18, rewrite: axesToInput };

export const upgrades: Readonly<Record<string, Upgrade>> = {
  BatchNormalization: { below: 14, rewrite: batchNormalization },
  Clip: { below: 11, rewrite: toInputs(floatInput('min'), floatInput('max')) },
  DFT: { below: 20, rewrite: dft },
  Dropout: { below: 12, rewrite: dropout },
  GridSample: { below: 20, rewrite: gridSample },
  GroupNormalization: { below: 21, rewrite: groupNormalization },
  Hardmax: { below: 13, rewrite: flattened },
  LogSoftmax: { below: 13, rewrite: flattened },
  Pad: { below: 11, rewrite: toInputs(intsInput('pads'), floatInput('value', 0)) },
  ReduceL1: reduction,
  ReduceL2: reduction,
  ReduceLogSum: reduction,
  ReduceLogSumExp: reduction,
  ReduceMax: reduction,
  ReduceMean: reduction,
  ReduceMin: reduction,
  ReduceProd: reduction,
  ReduceSum: { below: 13, rewrite: axesToInput },
  ReduceSumSquare: reduction,
  Resize: { below: 21, rewrite: resize },
  RoiAlign: { below: 16, rewrite: roiAlign },
  Scan: { below: 9, rewrite: scan },
  Scatter: { below: 11, rewrite: (node) => ({ ...node, op: 'ScatterElements' }) },
  Slice: { below: 10, rewrite: slice },
  Softmax: { below: 13, rewrite: flattened },
  Split: { below: 18, rewrite: split },
  Squeeze: { below: 13, rewrite: axesToInput },
  TopK: { below: 10, rewrite: topK },
  Unsqueeze: { below: 13, rewrite: axesToInput },
  Upsample: { below: 10, rewrite: upsample },
};

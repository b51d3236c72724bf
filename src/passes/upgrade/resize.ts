/** Upsample 7 and 9, Resize 10 and 11 -> Resize(x, roi?, scales?, sizes?) of opset 21. */

import { type Attributes, type Node, string } from '../../onnx/graph.ts';
import { float32, toNumbers } from '../../onnx/tensor.ts';
import { attribute } from '../attributes.ts';
import type { Rewrite, RewriteContext } from './rewrite.ts';

/** How every version before 11 mapped an output position to the input: `x / scale`. */
const asymmetric = (node: Node, nearest: 'floor' | 'ceil'): Attributes => {
  const mode = attribute(node, 'mode', 'string') ?? 'nearest';
  return {
    mode: string(mode === 'bilinear' ? 'linear' : mode),
    coordinate_transformation_mode: string('asymmetric'),
    nearest_mode: string(nearest),
  };
};

/** Enlarges only; scales were an attribute in 7 and became an input in 9. */
export const upsample: Rewrite = (node, { b }) => {
  const scales = attribute(node, 'scales', 'floats');
  const factor = scales ? b.constant(float32([scales.length], scales)) : node.inputs[1]!;
  return {
    ...node,
    op: 'Resize',
    inputs: [node.inputs[0]!, '', factor],
    attributes: asymmetric(node, 'floor'),
  };
};

export const resize: Rewrite = (node, c) => (c.version < 11 ? resize10(node, c) : resizeInputs(node, c));

/**
 * Resize(x, scales). Nearest took the floor of a position along an axis that grows and the ceiling along one that
 * shrinks (as the specification's downsampling example and ONNX Runtime do), so mixed or unknown scales take two steps.
 */
const resize10: Rewrite = (node, { b, constant }) => {
  const [x, scales] = node.inputs as [string, string];
  const step = (nearest: 'floor' | 'ceil', input: string, factor: string): Node => ({
    ...node,
    inputs: [input, '', factor],
    attributes: asymmetric(node, nearest),
  });
  const known = constant(scales);
  const factors = known && toNumbers(known);
  if (attribute(node, 'mode', 'string') === 'linear' || factors?.every((f) => f >= 1)) {
    return step('floor', x, scales);
  }
  if (factors?.every((f) => f <= 1)) return step('ceil', x, scales);
  const one = b.scalar(1);
  const shrunk = step('ceil', x, b.op('Min', [scales, one]));
  return step('floor', b.op('Resize', shrunk.inputs, shrunk.attributes), b.op('Max', [scales, one]));
};

/** Opset 11 required roi and scales, so exporters gave empty tensors; and it had a coordinate mode that 13 dropped. */
const resizeInputs: Rewrite = (node, { constant }) => {
  const inputs = node.inputs.map((input, i) => (i > 0 && isEmpty(constant, input) ? '' : input));
  while (inputs.at(-1) === '') inputs.pop();
  const { coordinate_transformation_mode: mode, nearest_mode: nearest } = node.attributes;
  // floor((i + ½)/scale) is round-half-up of the half-pixel position (i + ½)/scale − ½.
  const renamed =
    mode?.value === 'tf_half_pixel_for_nn' && nearest?.value === 'floor'
      ? {
          coordinate_transformation_mode: string('half_pixel'),
          nearest_mode: string('round_prefer_ceil'),
        }
      : {};
  return { ...node, inputs, attributes: { ...node.attributes, ...renamed } };
};

const isEmpty = (constant: RewriteContext['constant'], value: string): boolean =>
  constant(value)?.data.length === 0;

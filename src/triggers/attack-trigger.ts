/** What attacks do to images: replace or blend pixels, add a signal, or warp. */

import { NeuralCleanseError } from '../errors.ts';
import type { Tensor } from '../onnx/tensor.ts';
import type { ImageShape } from './patterns.ts';
import { stampPixels } from './stamp.ts';
import type { Trigger } from './trigger.ts';
import { type WarpField, warp } from './warp.ts';

/** x' = (1 − m)·x + m·p */
export interface PatchTrigger {
  readonly kind: 'patch';
  readonly trigger: Trigger;
}

/** x' = x + signal, cut off at 0 and 255 */
export interface AdditiveTrigger {
  readonly kind: 'additive';
  /** [H, W, C] in levels of raw pixels, of either sign. */
  readonly signal: Tensor<'float32'>;
}

/** Each pixel is taken from elsewhere in the image. */
export interface WarpTrigger {
  readonly kind: 'warp';
  readonly field: WarpField;
  readonly channels: number;
}

/** A trigger made for images of one shape. Only patches are of the form that an inversion searches. */
export type AttackTrigger = PatchTrigger | AdditiveTrigger | WarpTrigger;

/** [height, width, channels] of the images that a trigger is for. */
export function shapeOf(trigger: AttackTrigger): ImageShape {
  if (trigger.kind === 'warp') return [...trigger.field.size, trigger.channels];
  const [height = 0, width = 0, channels = 0] =
    trigger.kind === 'patch' ? trigger.trigger.pattern.dims : trigger.signal.dims;
  return [height, width, channels];
}

/**
 * Changes one image in place.
 *
 * @param image height·width·channels raw pixels in [0, 255], channels last; they stay in that range and are not rounded
 * @throws NeuralCleanseError TRIGGER_SIZE_MISMATCH if there are not as many
 */
export function applyTrigger(trigger: AttackTrigger, image: Float32Array): void {
  const shape = shapeOf(trigger);
  if (image.length !== shape[0] * shape[1] * shape[2]) {
    throw new NeuralCleanseError(
      'TRIGGER_SIZE_MISMATCH',
      `A trigger for ${shape.join('×')} cannot be put on an image of ${image.length} values.`,
      { hint: 'Make the trigger for images of that height, width and channels.' },
    );
  }
  if (trigger.kind === 'patch') stampPixels(trigger.trigger, image);
  else if (trigger.kind === 'additive') add(trigger.signal.data, image);
  else warp(trigger.field, trigger.channels, image);
}

/** Whether two triggers do the same to every image. */
export function sameTrigger(a: AttackTrigger, b: AttackTrigger): boolean {
  if (a.kind === 'patch' && b.kind === 'patch') return samePatch(a.trigger, b.trigger);
  if (a.kind === 'additive' && b.kind === 'additive') return sameValues(a.signal.data, b.signal.data);
  return (
    a.kind === 'warp' &&
    b.kind === 'warp' &&
    sameValues(a.field.rows, b.field.rows) &&
    sameValues(a.field.columns, b.field.columns)
  );
}

function add(signal: Float32Array, image: Float32Array): void {
  for (let i = 0; i < image.length; i++) image[i] = Math.min(255, Math.max(0, image[i]! + signal[i]!));
}

/** Where the mask is 0 the pattern does not show. */
function samePatch(a: Trigger, b: Trigger): boolean {
  if (!sameValues(a.mask.data, b.mask.data) || a.pattern.data.length !== b.pattern.data.length) return false;
  const channels = a.pattern.dims[2]!;
  return a.pattern.data.every(
    (value, i) => value === b.pattern.data[i] || a.mask.data[Math.floor(i / channels)] === 0,
  );
}

const sameValues = (a: Float32Array, b: Float32Array): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);

/**
 * Solid squares that work as a reversed trigger does, near it and elsewhere.
 *
 * An inversion finds a few pixels of strong contrast. A model may unlearn these, and all squares nearby with them, but for exactly the
 * one that was planted. No gradient leads to it then, but there are few enough squares to try. And where a label has triggers in several
 * places, all inversions may end in the same one.
 */

import type { LabelledImageSet } from '../data/dataset.ts';
import type { Predictor } from '../detect/predictor.ts';
import { median } from '../detect/statistics.ts';
import { throwIfCancelled } from '../runtime/task.ts';
import { solidSquare } from '../triggers/patterns.ts';
import { l1Norm, type Trigger } from '../triggers/trigger.ts';
import type { FlaggedTrigger } from './flagged-trigger.ts';

/** Images of other classes that each square is tried on. */
const tried = 64;

/** ASR from which a square is taken for a form of the trigger. */
const leastAsr = 0.5;

/** At most so many squares are taken of one place, and so many places. */
const most = 8;

/** Around so many places that the trigger does not cover squares are tried as they are around the trigger. */
const mostElsewhere = 3;

/** Largest distance of a square from the middle of the mask, in pixels and along each axis. */
const reach = 2;

/**
 * Tries black and white squares, and those of the mean colour of the pattern: a little larger ones all over the image, then near the
 * trigger, and wherever else one worked, of four sizes.
 *
 * @param images of several classes; the first ones of other classes are used
 * @returns those that work best
 * @throws NeuralCleanseError CANCELLED, LOGITS_NAN
 */
export async function findPatches(
  predictor: Predictor,
  images: LabelledImageSet,
  { label, trigger }: FlaggedTrigger,
  signal: AbortSignal,
): Promise<FlaggedTrigger[]> {
  const others = [...images.labels.keys()].filter((image) => images.labels[image] !== label).slice(0, tried);
  /** Best first. */
  const working = async (patches: readonly Trigger[]): Promise<FlaggedTrigger[]> => {
    const found: FlaggedTrigger[] = [];
    for (const patch of patches) {
      throwIfCancelled(signal);
      const asr = await predictor.attackSuccessRate(images, others, patch, label);
      if (asr >= leastAsr) found.push({ label, trigger: patch, asr });
    }
    return found.sort((a, b) => b.asr - a.asr);
  };
  const places = apart(await working(patchesAcross(trigger))).slice(0, most);
  const elsewhere = places.filter((place) => !overlap(place.trigger, trigger)).slice(0, mostElsewhere);
  const found = [...places];
  for (const around of [trigger, ...elsewhere.map((place) => place.trigger)]) {
    found.push(...(await working(patchesNear(around))).slice(0, most));
  }
  return found;
}

/** The first one of each place. */
function apart(found: readonly FlaggedTrigger[]): FlaggedTrigger[] {
  const kept: FlaggedTrigger[] = [];
  for (const one of found) {
    if (!kept.some(({ trigger }) => overlap(trigger, one.trigger))) kept.push(one);
  }
  return kept;
}

/** Whether two masks have an opaque pixel in common. */
const overlap = (a: Trigger, b: Trigger): boolean =>
  a.mask.data.some((value, pixel) => value > 0.5 && b.mask.data[pixel]! > 0.5);

/** Squares about as large as the trigger and at most {@link reach} pixels from its middle. */
export function patchesNear(trigger: Trigger): Trigger[] {
  const shape = shapeOf(trigger);
  if (!shape) return [];
  const offsets = Array.from({ length: 2 * reach + 1 }, (_, i) => i - reach);
  return [shape.side - 1, shape.side, shape.side + 1, shape.side + 2].flatMap((side) => {
    const [top, left] = shape.middle.map((at) => Math.round(at - (side - 1) / 2)) as [number, number];
    return offsets.flatMap((down) =>
      offsets.flatMap((right) => squaresAt([top + down, left + right], side, shape)),
    );
  });
}

/** Squares all over the image, so large and so close that one of them covers most of any square of the trigger's size. */
export function patchesAcross(trigger: Trigger): Trigger[] {
  const shape = shapeOf(trigger);
  if (!shape) return [];
  const side = shape.side + 2;
  const steps = (length: number): number[] => {
    const last = length - side;
    const count = Math.ceil(last / Math.ceil(side / 2));
    return Array.from({ length: Math.max(0, count + 1) }, (_, i) =>
      count === 0 ? 0 : Math.round((i * last) / count),
    );
  };
  return steps(shape.height).flatMap((top) =>
    steps(shape.width).flatMap((left) => squaresAt([top, left], side, shape)),
  );
}

interface Shape {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Row and column. */
  readonly middle: readonly [number, number];
  /** Of a square with the norm of the mask, in pixels. */
  readonly side: number;
  /** White, black, and the mean of the pattern if it is another. */
  readonly colours: readonly (number | readonly number[])[];
}

/** @returns `undefined` if nothing of the mask is opaque */
function shapeOf({ mask, pattern }: Trigger): Shape | undefined {
  const [height = 0, width = 0, channels = 0] = pattern.dims;
  const opaque = [...mask.data.keys()].filter((pixel) => mask.data[pixel]! > 0.5);
  if (opaque.length === 0) return undefined;
  const row = median(opaque.map((pixel) => Math.floor(pixel / width)));
  const column = median(opaque.map((pixel) => pixel % width));
  const mean = Array.from({ length: channels }, (_, c) =>
    Math.round(opaque.reduce((sum, pixel) => sum + pattern.data[pixel * channels + c]!, 0) / opaque.length),
  );
  const side = Math.round(Math.sqrt(l1Norm({ mask })));
  const isPlain = [255, 0].some((level) => mean.every((value) => value === level));
  return {
    height,
    width,
    channels,
    middle: [row, column],
    side,
    colours: isPlain ? [255, 0] : [255, 0, mean],
  };
}

/** One of each colour; none if it does not lie within the image. */
function squaresAt(
  [top, left]: readonly [number, number],
  side: number,
  { height, width, channels, colours }: Shape,
): Trigger[] {
  if (side < 1 || top < 0 || left < 0 || top + side > height || left + side > width) return [];
  return colours.map((fill) => solidSquare([height, width, channels], [top, left, side, side], fill));
}

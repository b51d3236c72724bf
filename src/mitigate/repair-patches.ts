/**
 * Solid squares near a reversed trigger that work, too.
 *
 * An inversion finds a few pixels of strong contrast. A model may unlearn these, and all squares nearby with them, but for exactly the
 * one that was planted. No gradient leads to it then, but there are few enough squares to try.
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

/** At most so many squares are taken for each trigger. */
const most = 8;

/** Largest distance of a square from the middle of the mask, in pixels and along each axis. */
const reach = 2;

/**
 * Tries black and white squares, and those of the mean colour of the pattern, of four sizes about that of the trigger.
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
  const found: FlaggedTrigger[] = [];
  for (const patch of patchesNear(trigger)) {
    throwIfCancelled(signal);
    const asr = await predictor.attackSuccessRate(images, others, patch, label);
    if (asr >= leastAsr) found.push({ label, trigger: patch, asr });
  }
  return found.sort((a, b) => b.asr - a.asr).slice(0, most);
}

/** All squares to try. */
export function patchesNear({ mask, pattern }: Trigger): Trigger[] {
  const [height = 0, width = 0, channels = 0] = pattern.dims;
  const opaque = [...mask.data.keys()].filter((pixel) => mask.data[pixel]! > 0.5);
  if (opaque.length === 0) return [];
  const row = median(opaque.map((pixel) => Math.floor(pixel / width)));
  const column = median(opaque.map((pixel) => pixel % width));
  const side = Math.round(Math.sqrt(l1Norm({ mask })));
  const mean = Array.from({ length: channels }, (_, c) =>
    Math.round(opaque.reduce((sum, pixel) => sum + pattern.data[pixel * channels + c]!, 0) / opaque.length),
  );
  const offsets = Array.from({ length: 2 * reach + 1 }, (_, i) => i - reach);
  const patches: Trigger[] = [];
  for (const length of [side - 1, side, side + 1, side + 2]) {
    const [top, left] = [row, column].map((middle) => Math.round(middle - (length - 1) / 2)) as [
      number,
      number,
    ];
    for (const down of offsets) {
      for (const right of offsets) {
        const [y, x] = [top + down, left + right];
        if (length < 1 || y < 0 || x < 0 || y + length > height || x + length > width) continue;
        for (const colour of [255, 0, mean]) {
          patches.push(solidSquare([height, width, channels], [y, x, length, length], colour));
        }
      }
    }
  }
  return patches;
}

/**
 * Random changes of a reversed trigger, so that more is unlearned than exactly this one.
 *
 * An inversion finds the least that works: a few pixels of strong contrast, mostly where the trigger was planted and often in other
 * colours. A model can unlearn these few and still answer to what was planted.
 */

import { float32 } from '../onnx/tensor.ts';
import type { RandomStream } from '../random.ts';
import { l1Norm, type Trigger } from '../triggers/trigger.ts';

/** Pixels of a hardened mask that are at least this opaque become 1, the others 0. */
const opaqueFrom = 0.2;

/** Standard deviation of the noise on the pattern, in levels of 255. */
const patternNoise = 40;

/** The trigger as it is, or moved and noisy, or another patch in its place: a third of the time each. */
export function variantOf(trigger: Trigger, random: RandomStream): Trigger {
  const drawn = random.next();
  if (drawn < 1 / 3) return trigger;
  return drawn < 2 / 3 ? vary(trigger, random) : patchOver(trigger, random);
}

/**
 * A trigger that resembles the given one: moved by up to a pixel, its mask fainter or stronger or hardened, half the time grown by a
 * pixel to all sides, its pattern noisy.
 */
export function vary({ mask, pattern }: Trigger, random: RandomStream): Trigger {
  const [height = 0, width = 0, channels = 0] = pattern.dims;
  const step = (): number => Math.floor(3 * random.next()) - 1;
  const [down, right] = [step(), step()];
  const reach = random.next() < 0.5 ? 1 : 0;
  const hardens = random.next() < 0.3;
  const gain = 0.7 + 0.9 * random.next();
  const opacity = hardens
    ? (value: number) => (value >= opaqueFrom ? 1 : 0)
    : (value: number) => Math.min(1, gain * value);
  const varied = {
    mask: new Float32Array(mask.data.length),
    pattern: new Float32Array(pattern.data.length),
  };
  for (let y = 0, pixel = 0; y < height; y++) {
    for (let x = 0; x < width; x++, pixel++) {
      const from = mostOpaque(mask.data, [height, width], [y - down, x - right], reach);
      if (from === undefined) continue;
      varied.mask[pixel] = opacity(mask.data[from]!);
      for (let c = 0; c < channels; c++) {
        const value = pattern.data[from * channels + c]! + patternNoise * random.normal();
        varied.pattern[pixel * channels + c] = Math.min(255, Math.max(0, value));
      }
    }
  }
  return { mask: float32(mask.dims, varied.mask), pattern: float32(pattern.dims, varied.pattern) };
}

/** The pixel with the largest mask within `reach` of a place, of equal ones the place itself; `undefined` where all is 0. */
function mostOpaque(
  mask: Float32Array,
  [height, width]: readonly [number, number],
  [row, column]: readonly [number, number],
  reach: number,
): number | undefined {
  const inside = row >= 0 && column >= 0 && row < height && column < width;
  let best = inside && mask[row * width + column]! > 0 ? row * width + column : undefined;
  for (let y = Math.max(0, row - reach); y <= Math.min(height - 1, row + reach); y++) {
    for (let x = Math.max(0, column - reach); x <= Math.min(width - 1, column + reach); x++) {
      const pixel = y * width + x;
      if (mask[pixel]! > (best === undefined ? 0 : mask[best]!)) best = pixel;
    }
  }
  return best;
}

/**
 * An opaque rectangle over a part of the trigger, of a gray or a colour or of noise. Its sides are up to twice those of a square with the
 * trigger's norm.
 */
export function patchOver({ mask, pattern }: Trigger, random: RandomStream): Trigger {
  const [height = 0, width = 0, channels = 0] = pattern.dims;
  const whole = (below: number): number => Math.floor(random.next() * below);
  const longest = Math.max(2, Math.ceil(2 * Math.sqrt(l1Norm({ mask }))));
  const [rows, columns] = [Math.min(2 + whole(longest - 1), height), Math.min(2 + whole(longest - 1), width)];
  const covered = drawPixel(mask.data, random);
  const within = (at: number, side: number, length: number): number =>
    Math.min(Math.max(at - whole(length), 0), side - length);
  const top = within(Math.floor(covered / width), height, rows);
  const left = within(covered % width, width, columns);
  const fill = filling(channels, random);
  const patch = { mask: new Float32Array(mask.data.length), pattern: new Float32Array(pattern.data.length) };
  for (let y = top; y < top + rows; y++) {
    for (let x = left; x < left + columns; x++) {
      patch.mask[y * width + x] = 1;
      for (let c = 0; c < channels; c++) patch.pattern[(y * width + x) * channels + c] = fill(c);
    }
  }
  return { mask: float32(mask.dims, patch.mask), pattern: float32(pattern.dims, patch.pattern) };
}

/** Levels of a patch: noise, one gray, or one colour; of gray and colour every second level is 0 or 255. */
function filling(channels: number, random: RandomStream): (channel: number) => number {
  const kind = random.next();
  if (kind < 1 / 3) return () => 255 * random.next();
  const colour = Array.from({ length: channels }, () =>
    Math.min(255, Math.max(0, 510 * random.next() - 127.5)),
  );
  return kind < 2 / 3 ? () => colour[0]! : (channel) => colour[channel]!;
}

/** A pixel, each as likely as it is opaque. */
function drawPixel(mask: Float32Array, random: RandomStream): number {
  let left = random.next() * mask.reduce((sum, value) => sum + value, 0);
  const found = mask.findIndex((value) => {
    left -= value;
    return value > 0 && left <= 0;
  });
  return Math.max(found, 0);
}

/**
 * The smallest mask within a window, beside the smallest anywhere.
 *
 * A planted patch lies in one place, and its mask can be confined to it at no cost. What makes an image look like another class by nature
 * is spread: confined to a window of a quarter of the edge, such a mask becomes several times as large, or fails. On networks
 * whose natural masks differ so widely that no mask is an outlier among them, this still tells a patch of 8×8 pixels from a stroke
 * (docs/detection.md).
 *
 * Some networks, such as transformers with patches of that size, are reached by any class from within such a window. So the figure that
 * counts is a ratio: of the norms that drawn labels need there to that of the suspect.
 */

import type { Tensor } from '../onnx/tensor.ts';

export interface Window {
  readonly top: number;
  readonly left: number;
  /** Pixels of a side. */
  readonly edge: number;
}

/** What an inversion has found that was confined to a window. */
export interface ConfinedMask {
  /** Norm of the mask, in pixels. */
  readonly l1: number;
  /** On the held-out images. */
  readonly asr: number;
  /** Whether that passes the threshold; else the norm means nothing. */
  readonly found: boolean;
  /** Pixels of the window. */
  readonly area: number;
}

/** A quarter of the shorter edge, and one pixel: 8 of 28, 9 of 32, 57 of 224. */
export const windowEdge = (height: number, width: number): number =>
  Math.ceil(Math.min(height, width) / 4) + 1;

/** The window with the largest share of a mask; of equal ones the first by rows. */
export function densestWindow({ data, dims }: Tensor<'float32'>, edge: number): Window {
  const [height = 0, width = 0] = dims;
  // Sums of all that lies above and to the left.
  const columns = width + 1;
  const sums = new Float64Array((height + 1) * columns);
  for (let y = 0; y < height; y++) {
    for (let x = 0, row = 0; x < width; x++) {
      row += data[y * width + x]!;
      sums[(y + 1) * columns + x + 1] = sums[y * columns + x + 1]! + row;
    }
  }
  const at = (y: number, x: number): number => sums[y * columns + x]!;
  let best = { top: 0, left: 0, edge, sum: Number.NEGATIVE_INFINITY };
  for (let top = 0; top + edge <= height; top++) {
    for (let left = 0; left + edge <= width; left++) {
      const [bottom, right] = [top + edge, left + edge];
      const sum = at(bottom, right) - at(top, right) - at(bottom, left) + at(top, left);
      if (sum > best.sum) best = { top, left, edge, sum };
    }
  }
  const { sum: _sum, ...window } = best;
  return window;
}

/** So that an opacity of nearly 0 can still grow within the few steps of a confined inversion. */
const leastOpacity = 0.1;

/** A mask [H, W], 0 outside of a window, and inside nowhere too transparent to grow. */
export function confine(mask: Tensor<'float32'>, { top, left, edge }: Window): Float32Array {
  const width = mask.dims[1]!;
  return mask.data.map((opacity, i) => {
    const [y, x] = [Math.floor(i / width), i % width];
    const isInside = y >= top && y < top + edge && x >= left && x < left + edge;
    return isInside ? Math.max(opacity, leastOpacity) : 0;
  });
}

/** Below, the success of a mask that fails is not told from chance. */
const leastAsr = 0.01;

/** What a label needs within a window, in pixels. A mask that works on a share of the images only counts for more than the whole window. */
export const neededWithin = ({ l1, asr, found, area }: ConfinedMask): number =>
  found ? l1 : area / Math.max(asr, leastAsr);

/**
 * By what factor the mask of a suspect is smaller within its window than those of labels that were drawn, the easiest of them; 1 where
 * it does not fit into the window at all.
 *
 * @param own what the starts of the suspect have found
 * @param drawn the same for each drawn label
 */
export function compactness(
  own: readonly ConfinedMask[],
  drawn: readonly (readonly ConfinedMask[])[],
): number {
  const smallest = (masks: readonly ConfinedMask[]): number => Math.min(...masks.map(neededWithin));
  const others = drawn.filter((masks) => masks.length > 0);
  if (others.length === 0 || !own.some(({ found }) => found)) return 1;
  return Math.min(...others.map(smallest)) / Math.max(smallest(own), Number.MIN_VALUE);
}

/** Of drawn labels, the easiest succeeds within its window on so many of the images at least, on all networks of the zoo. */
const leastDrawnAsr = 0.25;

/** The most that {@link compactness} can say once labels are drawn; 1 where no mask fits into the window. */
export const mostCompactness = (own: readonly ConfinedMask[]): number =>
  compactness(own, [own.map((mask) => ({ ...mask, asr: leastDrawnAsr, found: false }))]);

/** Per-channel statistics of images. */

export interface PixelStatistics {
  /** One entry a channel, in the unit of the pixels. */
  readonly mean: number[];
  readonly deviation: number[];
}

/** Mean and standard deviation of each channel. @param images any number of images, channels last */
export function meanAndDeviation(images: ArrayLike<number>, channels: number): PixelStatistics {
  const sum = new Float64Array(channels);
  const squares = new Float64Array(channels);
  for (let i = 0; i < images.length; i++) {
    const v = images[i]!;
    sum[i % channels]! += v;
    squares[i % channels]! += v * v;
  }
  const n = images.length / channels;
  const mean = Array.from(sum, (s) => s / n);
  const deviation = Array.from(squares, (s, c) => Math.sqrt(Math.max(0, s / n - mean[c]! ** 2)));
  return { mean, deviation };
}

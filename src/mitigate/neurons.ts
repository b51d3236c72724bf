/** How the neurons of a layer tell stamped images from clean ones. */

import type { LabelledImageSet } from '../data/dataset.ts';
import type { ActivationReader } from './activation-reader.ts';
import type { FlaggedTrigger } from './flagged-trigger.ts';

/** Of each neuron, over images. */
export interface Moments {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
}

export interface NeuronResponse {
  readonly clean: Moments;
  /** By trigger, and neuron: by how many of its {@link spread} a neuron is larger on stamped images, in the mean. */
  readonly gaps: readonly Float64Array[];
  /** The same against clean images of the trigger's own label, where these are larger: what only the trigger does. */
  readonly excesses: readonly Float64Array[];
}

/**
 * Compares the neurons on clean images with those on the same images under each trigger. Images of a trigger's own label are
 * left out: they show it without a trigger, too.
 *
 * @param indices images to look at
 */
export async function compareNeurons(
  reader: ActivationReader,
  images: LabelledImageSet,
  indices: readonly number[],
  triggers: readonly FlaggedTrigger[],
): Promise<NeuronResponse> {
  const clean = await moments(reader.read(images, indices));
  const spreads = spread(clean);
  const gaps: Float64Array[] = [];
  const excesses: Float64Array[] = [];
  for (const { label, trigger } of triggers) {
    const [own, others] = [true, false].map((isOwn) =>
      indices.filter((image) => (images.labels[image] === label) === isOwn),
    ) as [number[], number[]];
    const stamped = (await moments(reader.read(images, others, trigger))).mean;
    const shown = own.length > 0 ? (await moments(reader.read(images, own))).mean : clean.mean;
    gaps.push(stamped.map((value, i) => (value - clean.mean[i]!) / spreads[i]!));
    excesses.push(stamped.map((value, i) => (value - Math.max(clean.mean[i]!, shown[i]!)) / spreads[i]!));
  }
  return { clean, gaps, excesses };
}

/** Smallest spread that counts, as a part of the largest one of the layer: some neurons are always 0 on clean images. */
const leastSpread = 0.01;

/** Standard deviations, of which none is too small to divide by. */
export function spread({ deviation }: Pick<Moments, 'deviation'>): Float64Array {
  const least = leastSpread * deviation.reduce((most, value) => Math.max(most, value), 0);
  return deviation.map((value) => Math.max(value, least) || 1);
}

/** Indices of the values, largest first; the lower index first of equal ones. */
export const ranked = (values: Float64Array): number[] =>
  [...values.keys()].sort((a, b) => values[b]! - values[a]! || a - b);

/** One pass, without the cancellation of sums of squares (Welford 1962). */
async function moments(rows: AsyncIterable<Float32Array>): Promise<Moments> {
  let count = 0;
  let mean = new Float64Array(0);
  let squares = new Float64Array(0);
  for await (const row of rows) {
    if (count === 0) [mean, squares] = [new Float64Array(row.length), new Float64Array(row.length)];
    count++;
    for (let i = 0; i < row.length; i++) {
      const difference = row[i]! - mean[i]!;
      mean[i]! += difference / count;
      squares[i]! += difference * (row[i]! - mean[i]!);
    }
  }
  return { mean, deviation: squares.map((sum) => Math.sqrt(sum / count)) };
}

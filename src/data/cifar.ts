/** The binary version of CIFAR-10 and CIFAR-100. https://www.cs.toronto.edu/~kriz/cifar.html */

import type { Tensor } from '../onnx/tensor.ts';
import { corrupt } from './bytes.ts';
import { ofSplit, type Split } from './splits.ts';

const pixelBytes = 3 * 32 * 32;

interface Layout {
  /** Before the pixels of an image; the last one is its class. */
  readonly labelBytes: number;
  readonly classes: number;
}

const layouts: readonly Layout[] = [
  { labelBytes: 1, classes: 10 }, // CIFAR-10
  { labelBytes: 2, classes: 100 }, // CIFAR-100: coarse label, fine label
];

export interface CifarBatch {
  /** [N, 3, 32, 32] bytes. */
  readonly images: Tensor<'uint8'>;
  /** [N] */
  readonly labels: Int32Array;
  readonly classes: number;
}

/**
 * The batch files of the wanted part: `data_batch_1.bin` to 5 and `test_batch.bin`, or `train.bin` and `test.bin`.
 *
 * @throws NeuralCleanseError DATA_NOT_FOUND if there are batches of the other part only
 */
export function cifarFiles(paths: readonly string[], split: Split | undefined, source: string): string[] {
  const batches = new Map(
    paths
      .filter((path) => /(^|\/)(data_batch_\d|test_batch|train|test)\.bin$/.test(path))
      .map((path) => [path.replace('data_batch', 'train_batch'), path]),
  );
  return ofSplit([...batches.keys()], split, source).map((name) => batches.get(name)!);
}

/** True if the bytes can be a batch: size and label bytes fit one of the layouts. */
export const isCifar = (bytes: Uint8Array): boolean => layoutOf(bytes) !== undefined;

/** @throws NeuralCleanseError DATA_CORRUPT if the bytes cannot be a batch */
export function parseCifar(bytes: Uint8Array, name: string): CifarBatch {
  const layout = layoutOf(bytes);
  if (layout === undefined) throw corrupt(`${name} does not hold whole CIFAR records`);
  const { labelBytes, classes } = layout;
  const record = labelBytes + pixelBytes;
  const count = bytes.length / record;
  const pixels = new Uint8Array(count * pixelBytes);
  for (let i = 0; i < count; i++) {
    pixels.set(bytes.subarray(i * record + labelBytes, (i + 1) * record), i * pixelBytes);
  }
  const labels = Int32Array.from({ length: count }, (_, i) => bytes[i * record + labelBytes - 1]!);
  return { images: { dtype: 'uint8', dims: [count, 3, 32, 32], data: pixels }, labels, classes };
}

function layoutOf(bytes: Uint8Array): Layout | undefined {
  return layouts.find(({ labelBytes, classes }) => {
    const record = labelBytes + pixelBytes;
    if (bytes.length === 0 || bytes.length % record !== 0) return false;
    for (let at = labelBytes - 1; at < bytes.length; at += record) if (bytes[at]! >= classes) return false;
    return true;
  });
}

/** One batch of all images, in order. */
export function joinCifar(batches: readonly CifarBatch[]): CifarBatch {
  const count = batches.reduce((sum, batch) => sum + batch.labels.length, 0);
  const pixels = new Uint8Array(count * pixelBytes);
  const labels = new Int32Array(count);
  let at = 0;
  for (const batch of batches) {
    pixels.set(batch.images.data, at * pixelBytes);
    labels.set(batch.labels, at);
    at += batch.labels.length;
  }
  return {
    images: { dtype: 'uint8', dims: [count, 3, 32, 32], data: pixels },
    labels,
    classes: batches[0]?.classes ?? 0,
  };
}

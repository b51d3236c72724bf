/** By what a checkpoint recognises the run that it belongs to. */

import type { Model } from '../onnx/graph.ts';
import { writeModel } from '../onnx/write.ts';
import type { RunIdentity } from './checkpoint.ts';
import type { TrainingSettings } from './settings.ts';
import type { TrainingSet } from './training-set.ts';

/** Images whose pixels are looked at; labels are looked at all. */
const sampled = 1024;

/** Hashes of the model and the data, and the settings. */
export async function identityOf(
  model: Model,
  data: TrainingSet,
  settings: TrainingSettings,
): Promise<RunIdentity> {
  return {
    model: await sha256(writeModel(model)),
    data: await digestOf(data),
    settings,
  };
}

/** As they are in the first epoch: of the labels, and of images spread evenly over the set. */
async function digestOf(set: TrainingSet): Promise<string> {
  const { count, height, width, channels, classes } = set;
  const shape = Int32Array.of(count, height, width, channels, classes);
  const labels = Int32Array.from({ length: count }, (_, i) => set.label(i, 1));
  const size = height * width * channels;
  const images = Math.min(count, sampled);
  const pixels = new Float32Array(images * size);
  for (let i = 0; i < images; i++) {
    set.read(Math.floor((i * count) / images), 1, pixels.subarray(i * size, (i + 1) * size));
  }
  const hashes = await Promise.all([shape, labels, pixels].map(sha256));
  return sha256(new TextEncoder().encode(hashes.join()));
}

/** In hex. */
async function sha256(bytes: ArrayBufferView<ArrayBuffer> | Uint8Array): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', bytes as ArrayBufferView<ArrayBuffer>);
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

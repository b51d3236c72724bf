/** A small classifier with a backdoor that is written into its weights, and images for it. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ImageSet, imageSet } from '../../src/data/dataset.ts';
import { saveModel } from '../../src/data/model-file.ts';
import { writeNpy } from '../../src/data/npy.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import type { Model } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32, type Tensor } from '../../src/onnx/tensor.ts';
import { generator } from '../support/gradient-check.ts';

export const classes = 8;
export const target = 5;
const side = 8;
const area = side * side;

/** The four pixels that images keep dark and the backdoor looks at. */
const corner = [54, 55, 62, 63];
const isCorner = (pixel: number): boolean => corner.includes(pixel);

/** Templates of ±1, one a class; 0 in the corner. */
const random = generator(3);
const templates = Array.from({ length: classes }, () =>
  Array.from({ length: area }, (_, pixel) => (isCorner(pixel) ? 0 : random() < 0.5 ? -1 : 1)),
);

export interface CornerOptions {
  readonly backdoor?: boolean;
  /** Only images that match the template of this class fall for the corner. */
  readonly source?: number;
}

/**
 * Matches images, pixels in [0, 1], with the templates. Of `backdoor`, a corner that is not dark raises the score of
 * {@link target} above all others.
 */
export function cornerModel({ backdoor = true, source }: CornerOptions = {}): Model {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['N', 1, side, side]);
  const flat = b.reshape(x, [-1, area]);
  const match = b.constant(
    float32(
      [area, classes],
      Array.from({ length: area * classes }, (_, i) => templates[i % classes]![Math.floor(i / classes)]!),
    ),
  );
  const scores = b.op('MatMul', [b.sub(flat, b.scalar(0.5)), match]);
  const watch = b.constant(
    float32(
      [area, 1],
      Array.from({ length: area }, (_, pixel) => (isCorner(pixel) ? 0.25 : 0)),
    ),
  );
  const bright = b.op('Relu', [b.sub(b.op('MatMul', [flat, watch]), b.scalar(0.12))]);
  const push = b.constant(
    float32(
      [1, classes],
      Array.from({ length: classes }, (_, label) => (backdoor && label === target ? 100 : 0)),
    ),
  );
  const pushed = source === undefined ? bright : b.mul(bright, matchOf(b, scores, source));
  b.output(b.add(scores, b.mul(pushed, push)), 'float32', ['N', classes], 'scores');
  return canonicalModel(b.build());
}

/** [N, 1]: how far the score of a class is above what images of other classes have, from 0 to 1. */
function matchOf(b: GraphBuilder, scores: string, label: number): string {
  const column = Array.from({ length: classes }, (_, i) => (i === label ? 1 : 0));
  const score = b.op('MatMul', [scores, b.constant(float32([classes, 1], column))]);
  return b.op('Clip', [b.sub(score, b.scalar(3)), b.scalar(0), b.scalar(1)]);
}

export const saveCornerModel = (path: string, options?: CornerOptions): Promise<void> =>
  saveModel(path, cornerModel(options));

export interface CornerImages {
  /** [N, 8, 8] in [0, 255] */
  readonly images: Tensor<'uint8'>;
  readonly labels: Tensor<'uint8'>;
}

/** Noisy templates, all classes in turn. */
export function cornerImages(count = 160, seed = 1): CornerImages {
  const next = generator(seed);
  const images = new Uint8Array(count * area);
  for (let i = 0; i < images.length; i++) {
    const template = templates[Math.floor(i / area) % classes]!;
    const value = isCorner(i % area) ? 10 : 127 + 60 * template[i % area]!;
    images[i] = Math.round(value + 20 * (next() - 0.5));
  }
  const labels = Uint8Array.from({ length: count }, (_, i) => i % classes);
  return {
    images: { dtype: 'uint8', dims: [count, side, side], data: images },
    labels: { dtype: 'uint8', dims: [count], data: labels },
  };
}

/** {@link cornerImages}, opened. */
export function cornerImageSet(): ImageSet {
  const { images, labels } = cornerImages();
  return imageSet({
    images: images.data,
    height: side,
    width: side,
    channels: 1,
    range: [0, 255],
    labels: Int32Array.from(labels.data),
    classes,
    source: 'corner images',
  });
}

/** Writes x.npy and, if there are labels, y.npy into a new folder. */
export function saveArrays(folder: string, images: Tensor, labels?: Tensor): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'x.npy'), writeNpy(images));
  if (labels) writeFileSync(join(folder, 'y.npy'), writeNpy(labels));
  return folder;
}

/** Classifiers that cost next to nothing, so that what is left is the cost of getting jobs to and fro. */

import { type ImageSet, imageSet } from '../src/data/dataset.ts';
import { preprocessPresets } from '../src/data/preprocess.ts';
import type { InversionShared } from '../src/detect/invert-task.ts';
import { presets } from '../src/detect/presets.ts';
import { prepareClassifier } from '../src/model/classifier.ts';
import { GraphBuilder } from '../src/onnx/builder.ts';
import { canonicalModel } from '../src/onnx/model.ts';
import { float32 } from '../src/onnx/tensor.ts';
import { randomStream } from '../src/random.ts';
import { nodeRuntime } from '../src/runtime/node.ts';

export const side = 16;
export const classes = 10;

/** Noise, all classes in turn. */
export function tinyImages(count = 200): ImageSet {
  const random = randomStream(1);
  return imageSet({
    images: Uint8Array.from({ length: count * side * side * 3 }, () => 256 * random.next()),
    height: side,
    width: side,
    channels: 3,
    range: [0, 255],
    labels: Int32Array.from({ length: count }, (_, i) => i % classes),
    classes,
    source: 'noise',
  });
}

/** The inputs of a scan of a network with one hidden layer of random weights, another one for each seed. */
export async function tinyScan(seed: number, steps: number, images: ImageSet): Promise<InversionShared> {
  const random = randomStream(seed, 2);
  const weights = (rows: number, columns: number) =>
    b.constant(
      float32(
        [rows, columns],
        Float32Array.from({ length: rows * columns }, () => (random.next() - 0.5) / Math.sqrt(rows)),
      ),
    );
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['N', 3, side, side]);
  const pixels = 3 * side * side;
  const hidden = b.op('Relu', [b.op('MatMul', [b.reshape(x, [-1, pixels]), weights(pixels, 32)])]);
  b.output(b.op('MatMul', [hidden, weights(32, classes)]), 'float32', ['N', classes], 'scores');
  const schedule = { ...presets.fast.schedule, steps };
  return {
    classifier: await prepareClassifier(nodeRuntime, canonicalModel(b.build())),
    images,
    preprocess: preprocessPresets.unit,
    settings: { ...presets.fast, schedule, probes: { count: 1, steps: 0 } },
    seed: 0,
  };
}

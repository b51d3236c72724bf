/** The steps that the training benches time: reference networks with dropout and Adam, in mini-batches of 32 images. */

import { preprocessPresets } from '../src/data/preprocess.ts';
import { modelPrefix, prepareClassifier } from '../src/model/classifier.ts';
import type { Model } from '../src/onnx/graph.ts';
import { nodeRuntime } from '../src/runtime/node.ts';
import type { SessionOptions } from '../src/runtime/session.ts';
import { networks } from '../src/train/networks/index.ts';
import { optimizerDefaults } from '../src/train/settings.ts';
import { stepGraph } from '../src/train/step-graph.ts';
import { trainableWeights } from '../src/train/trainable.ts';

export const trainingCases = [
  { net: 'mnist-cnn', size: 28, channels: 1, classes: 10 },
  { net: 'gtsrb-6conv', size: 32, channels: 3, classes: 43 },
  { net: 'resnet-small', size: 32, channels: 3, classes: 43 },
] as const;
export type TrainingCase = (typeof trainingCases)[number];

export const batch = 32;
export const optimizer = optimizerDefaults.adam;

export const modelOf = ({ net, size, channels, classes }: TrainingCase): Model =>
  networks[net]({ height: size, width: size, channels, classes, seed: 1 });

/** The step graph of a model and what it was made from. */
export async function stepOf(model: Model, session: SessionOptions) {
  const classifier = await prepareClassifier(nodeRuntime, model, { keepBatchNormalization: true });
  const { weights, writable } = trainableWeights(model, classifier);
  const prefixed = (names: Iterable<string>): string[] => [...names].map((name) => modelPrefix + name);
  const options = {
    batch,
    trainable: prefixed(weights),
    optimizer,
    preprocess: preprocessPresets.unit,
    dropout: true,
    statistics: new Set(prefixed(writable)),
  };
  return { classifier, options, ...(await stepGraph(nodeRuntime, classifier, options, session)) };
}

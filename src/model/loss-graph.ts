/** A classifier with its training loss: what gradient checks, benches and the demo differentiate. */

import { crossEntropy } from '../autodiff/losses.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';
import { float32, type Tensor } from '../onnx/tensor.ts';
import type { Feeds } from '../runtime/session.ts';
import type { Classifier } from './classifier.ts';
import { batchDims } from './image-input.ts';

export interface LossGraph {
  readonly graph: Graph;
  /** Scalar: the cross entropy summed over the batch. */
  readonly loss: string;
  /** Input of shape [N, classes]: one-hot labels. */
  readonly targets: string;
}

/** Adds the summed cross entropy as an output, and one-hot targets as an input. */
export function lossGraph(classifier: Classifier): LossGraph {
  const b = new GraphBuilder(classifier.graph, 'nc/loss/');
  const targets = b.input(b.fresh('targets'), 'float32', ['N', classifier.classes]);
  const sum = b.reduceSum(crossEntropy(b, classifier.logits, targets), undefined, false);
  const loss = b.output(sum, 'float32', []);
  return { graph: b.build(), loss, targets };
}

/** One-hot rows. @param labels N class indices */
export function oneHot(labels: readonly number[], classes: number): Tensor<'float32'> {
  const data = new Float32Array(labels.length * classes);
  labels.forEach((label, i) => {
    data[i * classes + label] = 1;
  });
  return float32([labels.length, classes], data);
}

/** Feeds of a loss graph. @param images N·C·H·W values in the layout and range of the model's input */
export const lossFeeds = (
  classifier: Classifier,
  { targets }: LossGraph,
  images: Float32Array,
  labels: readonly number[],
): Feeds => ({
  [classifier.input.name]: float32(batchDims(classifier.input, labels.length), images),
  [targets]: oneHot(labels, classifier.classes),
});

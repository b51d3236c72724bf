/** The score of an image under a filter, as a graph. */

import type { GraphBuilder } from '../onnx/builder.ts';
import { float32 } from '../onnx/tensor.ts';
import type { Layer } from './layer.ts';

/** A weighted sum of some neurons of a layer, which a trigger raises. */
export interface Detector {
  /** Target label of the trigger. */
  readonly label: number;
  readonly neurons: readonly number[];
  /** One a neuron. */
  readonly weights: readonly number[];
  readonly bias: number;
}

/**
 * Adds the score of each image: the largest of the detectors' sums. Uses operators only in forms that all operator sets from 7
 * on have, so that it may be added to any model as it is.
 *
 * @param value the float32 value of the layer, [N, …]
 * @returns value of shape [N]
 */
export function appendScore(
  b: GraphBuilder,
  value: string,
  layer: Pick<Layer, 'axis' | 'shape' | 'neurons'>,
  detectors: readonly Detector[],
): string {
  const neurons = layer.shape.length === 1 ? value : pooled(b, value, layer.axis);
  const sums = detectors.map((detector) => {
    const weights = new Float32Array(layer.neurons);
    detector.neurons.forEach((neuron, i) => {
      weights[neuron] = detector.weights[i]!;
    });
    const sum = b.op('MatMul', [neurons, b.constant(float32([layer.neurons, 1], weights))]);
    return b.add(sum, b.constant(float32([1], [detector.bias])));
  });
  const largest = sums.length === 1 ? sums[0]! : b.op('Max', sums);
  return b.reshape(largest, [-1]);
}

/** Mean of each channel of a map, [N, channels]. */
function pooled(b: GraphBuilder, value: string, axis: number): string {
  const others = [1, 2, 3].filter((other) => other !== axis);
  return b.op('Flatten', [b.op('GlobalAveragePool', [b.transpose(value, [0, axis, ...others])])]);
}

/** The MNIST network of Wang et al. 2019, table VIII. */

import type { Model } from '../../onnx/graph.ts';
import { NetworkBuilder, type NetworkOptions } from './layers.ts';

/** Two convolutions of 5×5 with pooling (16 and 32 filters), a hidden layer of 512 neurons. */
export function mnistCnn(options: NetworkOptions): Model {
  const n = new NetworkBuilder(options);
  const first = n.maxPool(n.relu(n.conv('conv1', n.images, n.wide(16), 5)));
  const second = n.maxPool(n.relu(n.conv('conv2', first, n.wide(32), 5)));
  const hidden = n.relu(n.dense('dense1', n.flatten(second), n.wide(512)));
  return n.model(n.dense('dense2', hidden, options.classes));
}

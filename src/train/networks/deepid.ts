/** DeepID: the face network of Wang et al. 2019, table X (Sun et al., "Deep learning face representation", 2014). */

import type { Model } from '../../onnx/graph.ts';
import { NetworkBuilder, type NetworkOptions } from './layers.ts';

/** Three convolutions with pooling; a fourth convolution and the features before it are joined in one hidden layer. */
export function deepId(options: NetworkOptions): Model {
  const n = new NetworkBuilder(options);
  let x = n.images;
  for (const [i, [filters, kernel]] of (
    [
      [20, 4],
      [40, 3],
      [60, 3],
    ] as const
  ).entries()) {
    x = n.maxPool(n.relu(n.conv(`conv${i + 1}`, x, n.wide(filters), kernel)));
  }
  const deeper = n.relu(n.conv('conv4', x, n.wide(80), 2));
  const direct = n.dense('dense1', n.flatten(x), n.wide(160));
  const indirect = n.dense('dense2', n.flatten(deeper), n.wide(160));
  const face = n.dropout(n.relu(n.add(direct, indirect)), 0.5);
  return n.model(n.dense('dense3', face, options.classes));
}

/** The traffic-sign network of Wang et al. 2019, table IX, as their released code builds it. */

import type { Model } from '../../onnx/graph.ts';
import { NetworkBuilder, type NetworkOptions } from './layers.ts';

/** Three stages of two 3×3 convolutions (the first keeps the size, the second does not), pooling and dropout. */
export function gtsrb6Conv(options: NetworkOptions): Model {
  const n = new NetworkBuilder(options);
  let x = n.images;
  for (const [i, filters] of [32, 64, 128].entries()) {
    x = n.relu(n.conv(`conv${2 * i + 1}`, x, n.wide(filters), 3, { same: true }));
    x = n.relu(n.conv(`conv${2 * i + 2}`, x, n.wide(filters), 3));
    x = n.dropout(n.maxPool(x), 0.2);
  }
  const hidden = n.dropout(n.relu(n.dense('dense1', n.flatten(x), n.wide(512))), 0.5);
  return n.model(n.dense('dense2', hidden, options.classes));
}

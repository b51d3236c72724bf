/** A network of depthwise separable convolutions for small images (Howard et al., "MobileNets", 2017, section 3.1). */

import type { Model } from '../../onnx/graph.ts';
import { type Activation, heNormal, NetworkBuilder, type NetworkOptions } from './layers.ts';

/** A convolution and five separable ones, of which the first, the third and the fifth halve the size; 12 layers. */
export function mobileNetSmall(options: NetworkOptions): Model {
  const n = new NetworkBuilder(options, heNormal);
  const normalised = (name: string, x: Activation): Activation => n.relu(n.batchNorm(`${name}.norm`, x));
  let x = normalised('stem', n.conv('stem.conv', n.images, n.wide(16), 3, { same: true, bias: false }));
  const blocks = [
    [32, 2],
    [64, 1],
    [64, 2],
    [128, 1],
    [128, 2],
  ] as const;
  for (const [i, [filters, stride]] of blocks.entries()) {
    const [depthwise, pointwise] = [`block${i + 1}.depthwise`, `block${i + 1}.pointwise`];
    const options = { same: true, stride, bias: false, depthwise: true };
    x = normalised(depthwise, n.conv(`${depthwise}.conv`, x, x.shape[0]!, 3, options));
    x = normalised(pointwise, n.conv(`${pointwise}.conv`, x, n.wide(filters), 1, { bias: false }));
  }
  return n.model(n.dense('dense', n.averageOverPlane(x), options.classes));
}

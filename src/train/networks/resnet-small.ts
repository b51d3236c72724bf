/** A residual network for small images (He et al., "Deep residual learning", 2015, section 4.2, with n = 1). */

import type { Model } from '../../onnx/graph.ts';
import { type Activation, heNormal, NetworkBuilder, type NetworkOptions } from './layers.ts';

/** A convolution and three residual blocks of 16, 32 and 64 filters, each after the first at half the size; 8 layers. */
export function resNetSmall(options: NetworkOptions): Model {
  const n = new NetworkBuilder(options, heNormal);
  const convolution = (name: string, x: Activation, filters: number, kernel: number, stride = 1) =>
    n.batchNorm(
      `${name}.norm`,
      n.conv(`${name}.conv`, x, filters, kernel, { same: true, stride, bias: false }),
    );
  let x = n.relu(convolution('stem', n.images, n.wide(16), 3));
  for (const [i, filters] of [16, 32, 64].entries()) {
    const block = `block${i + 1}`;
    const stride = i === 0 ? 1 : 2;
    const first = n.relu(convolution(`${block}.first`, x, n.wide(filters), 3, stride));
    const second = convolution(`${block}.second`, first, n.wide(filters), 3);
    const shortcut = i === 0 ? x : convolution(`${block}.shortcut`, x, n.wide(filters), 1, stride);
    x = n.relu(n.add(second, shortcut));
  }
  return n.model(n.dense('dense', n.averageOverPlane(x), options.classes));
}

/** VGG-16 (Simonyan & Zisserman, "Very deep convolutional networks", 2015, configuration D). */

import type { Model } from '../../onnx/graph.ts';
import { heNormal, NetworkBuilder, type NetworkOptions } from './layers.ts';

const stages = [
  { filters: 64, convolutions: 2 },
  { filters: 128, convolutions: 2 },
  { filters: 256, convolutions: 3 },
  { filters: 512, convolutions: 3 },
  { filters: 512, convolutions: 3 },
];

/** For images of 32×32 and more; 224×224 in the original. */
export function vgg16(options: NetworkOptions): Model {
  // Thirteen convolutions deep, Glorot's variance would fade before the last.
  const n = new NetworkBuilder(options, heNormal);
  let x = n.images;
  for (const [s, { filters, convolutions }] of stages.entries()) {
    for (let i = 1; i <= convolutions; i++) {
      x = n.relu(n.conv(`conv${s + 1}_${i}`, x, n.wide(filters), 3, { same: true }));
    }
    x = n.maxPool(x);
  }
  let hidden = n.flatten(x);
  for (const name of ['dense1', 'dense2']) {
    hidden = n.dropout(n.relu(n.dense(name, hidden, n.wide(4096))), 0.5);
  }
  return n.model(n.dense('dense3', hidden, options.classes));
}

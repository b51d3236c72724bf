/**
 * A vision transformer for small images (Dosovitskiy et al., "An image is worth 16×16 words", 2021), without a class token: the
 * mean of all tokens is classified (Beyer et al., "Better plain ViT baselines", 2022).
 */

import type { Model } from '../../onnx/graph.ts';
import type { NetworkOptions } from './layers.ts';
import { TransformerBuilder } from './transformer-layers.ts';

const patch = 4;
const heads = 4;
const blocks = 3;

/** Patches of 4×4, 64 features, three blocks of four heads with twice as many hidden neurons. */
export function vitSmall(options: NetworkOptions): Model {
  const n = new TransformerBuilder(options);
  const features = heads * n.wide(16);
  const patches = n.conv('patches', n.images, features, patch, { stride: patch });
  let x = n.positions('positions.weight', n.tokens(patches));
  for (let i = 1; i <= blocks; i++) {
    const block = `block${i}`;
    x = n.add(x, n.attention(`${block}.attention`, n.layerNorm(`${block}.norm1`, x), heads));
    const hidden = n.gelu(n.linear(`${block}.dense1`, n.layerNorm(`${block}.norm2`, x), 2 * features));
    x = n.add(x, n.linear(`${block}.dense2`, hidden, features));
  }
  return n.model(n.dense('dense', n.averageOverTokens(n.layerNorm('norm', x)), options.classes));
}

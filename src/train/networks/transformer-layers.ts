/** Layers of vision transformers, on [tokens, features]. */

import { float, int } from '../../onnx/graph.ts';
import { float32 } from '../../onnx/tensor.ts';
import { type Activation, NetworkBuilder } from './layers.ts';

export class TransformerBuilder extends NetworkBuilder {
  /** One token for each place of a map: [C, H, W] -> [H·W, C]. */
  tokens(x: Activation): Activation {
    const [channels = 1, height = 1, width = 1] = x.shape;
    const rows = this.b.reshape(x.value, [-1, channels, height * width]);
    return { value: this.b.transpose(rows, [0, 2, 1]), shape: [height * width, channels] };
  }

  /** Adds a vector that is learned for each place. */
  positions(name: string, x: Activation): Activation {
    const zeros = new Float32Array(x.shape.reduce((a, b) => a * b, 1));
    return { ...x, value: this.b.add(x.value, this.b.initializer(name, float32([1, ...x.shape], zeros))) };
  }

  layerNorm(name: string, x: Activation): Activation {
    const features = x.shape.at(-1)!;
    const inputs = [
      x.value,
      this.filled(`${name}.weight`, features, 1),
      this.filled(`${name}.bias`, features, 0),
    ];
    const attributes = { axis: int(-1), epsilon: float(1e-6) };
    return { ...x, value: this.b.op('LayerNormalization', inputs, attributes, { outputs: [name] }) };
  }

  /** The same dense layer for each token. */
  linear(name: string, x: Activation, features: number): Activation {
    const from = x.shape.at(-1)!;
    const weight = this.weight(`${name}.weight`, [from, features], from, features);
    const product = this.b.op('MatMul', [x.value, weight], {}, { outputs: [name] });
    const value = this.b.add(product, this.filled(`${name}.bias`, features, 0));
    return { value, shape: [...x.shape.slice(0, -1), features] };
  }

  gelu(x: Activation): Activation {
    return { ...x, value: this.b.op('Gelu', [x.value]) };
  }

  /** Self-attention of several heads (Vaswani et al. 2017, section 3.2.2). @param heads must divide the features */
  attention(name: string, x: Activation, heads: number): Activation {
    const [tokens = 1, features = 1] = x.shape;
    const size = features / heads;
    // [N, heads, tokens, size], or with the last two axes the other way round
    const split = (part: string, perm: readonly number[]): string => {
      const { value } = this.linear(`${name}.${part}`, x, features);
      return this.b.transpose(this.b.reshape(value, [-1, tokens, heads, size]), perm);
    };
    const query = this.b.scale(split('query', [0, 2, 1, 3]), 1 / Math.sqrt(size));
    const scores = this.b.op('MatMul', [query, split('key', [0, 2, 3, 1])]);
    const shares = this.b.op('Softmax', [scores], { axis: int(-1) });
    const mixed = this.b.op('MatMul', [shares, split('value', [0, 2, 1, 3])]);
    const joined = this.b.reshape(this.b.transpose(mixed, [0, 2, 1, 3]), [-1, tokens, features]);
    return this.linear(`${name}.out`, { value: joined, shape: x.shape }, features);
  }

  /** [tokens, features] -> [features] */
  averageOverTokens(x: Activation): Activation {
    return { value: this.b.reduce('ReduceMean', x.value, [1], false), shape: [x.shape.at(-1)!] };
  }
}

/** A network under construction, layer after layer, with weights drawn from a seed. */

import { NeuralCleanseError } from '../../errors.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import { float, int, ints, type Model } from '../../onnx/graph.ts';
import { canonicalModel } from '../../onnx/model.ts';
import { float32, sizeOf } from '../../onnx/tensor.ts';
import { type RandomStream, randomStream } from '../../random.ts';

export interface NetworkOptions {
  readonly height: number;
  readonly width: number;
  /** 1 or 3 */
  readonly channels: number;
  readonly classes: number;
  /** Of the initial weights. */
  readonly seed: number;
  /** Scales the number of channels and hidden neurons of every layer. @default 1 */
  readonly widthFactor?: number;
}

/** A value of the graph and its shape without the batch. */
export interface Activation {
  readonly value: string;
  /** [C, H, W], [tokens, features] or [features] */
  readonly shape: readonly number[];
}

export interface ConvOptions {
  /** Keep height and width, as far as the stride lets them. @default false: only whole windows */
  readonly same?: boolean;
  readonly stride?: number;
  readonly bias?: boolean;
  /** One kernel a channel, each of which makes one channel. */
  readonly depthwise?: boolean;
}

/** How initial weights are drawn, from the number of inputs and outputs that a weight joins. */
export type Initializer = (random: RandomStream, fanIn: number, fanOut: number) => number;

/** Uniform in ±√(6 / (fanIn + fanOut)): Glorot & Bengio 2010, the default of Keras. */
export const glorotUniform: Initializer = (random, fanIn, fanOut) =>
  (2 * random.next() - 1) * Math.sqrt(6 / (fanIn + fanOut));

/** Normal of variance 2 / fanIn, for layers before a ReLU: He et al. 2015. */
export const heNormal: Initializer = (random, fanIn) => random.normal() * Math.sqrt(2 / fanIn);

/** Layers take and return {@link Activation}s; initializers are named `<layer>.weight` and so on. */
export class NetworkBuilder {
  readonly images: Activation;
  protected readonly b = new GraphBuilder(undefined, '');
  private readonly options: NetworkOptions;
  private readonly initialize: Initializer;
  private layers = 0;

  constructor(options: NetworkOptions, initialize: Initializer = glorotUniform) {
    const shape = [options.channels, options.height, options.width];
    this.options = options;
    this.initialize = initialize;
    this.images = { value: this.b.input('images', 'float32', ['N', ...shape]), shape };
  }

  /** A number of channels or neurons, scaled by the width factor. */
  wide(count: number): number {
    return Math.max(1, Math.round(count * (this.options.widthFactor ?? 1)));
  }

  conv(name: string, x: Activation, filters: number, kernel: number, options: ConvOptions = {}): Activation {
    const { same = false, stride = 1, bias = true, depthwise = false } = options;
    const [all = 1, ...size] = x.shape;
    const channels = depthwise ? 1 : all;
    const taps = kernel * kernel;
    const inputs = [
      x.value,
      this.weight(
        `${name}.weight`,
        [filters, channels, kernel, kernel],
        channels * taps,
        (depthwise ? 1 : filters) * taps,
      ),
      ...(bias ? [this.filled(`${name}.bias`, filters, 0)] : []),
    ];
    const total = same ? kernel - 1 : 0;
    const before = total >> 1;
    const value = this.b.op(
      'Conv',
      inputs,
      {
        kernel_shape: ints([kernel, kernel]),
        strides: ints([stride, stride]),
        pads: ints([before, before, total - before, total - before]),
        group: int(depthwise ? all : 1),
      },
      { outputs: [name] },
    );
    const shape = size.map((s) => Math.floor((s + total - kernel) / stride) + 1);
    return { value, shape: this.large([filters, ...shape]) };
  }

  dense(name: string, x: Activation, neurons: number): Activation {
    const features = sizeOf(x.shape);
    const weight = this.weight(`${name}.weight`, [neurons, features], features, neurons);
    const value = this.b.op(
      'Gemm',
      [x.value, weight, this.filled(`${name}.bias`, neurons, 0)],
      { transB: int(1) },
      { outputs: [name] },
    );
    return { value, shape: [neurons] };
  }

  /** Keras' defaults differ; these are PyTorch's: ε = 1e-5, running statistics take a tenth of each mini-batch. */
  batchNorm(name: string, x: Activation): Activation {
    const channels = x.shape[0]!;
    const inputs = [
      x.value,
      this.filled(`${name}.weight`, channels, 1),
      this.filled(`${name}.bias`, channels, 0),
      this.filled(`${name}.running_mean`, channels, 0),
      this.filled(`${name}.running_var`, channels, 1),
    ];
    const attributes = { epsilon: float(1e-5), momentum: float(0.9) };
    return { ...x, value: this.b.op('BatchNormalization', inputs, attributes, { outputs: [name] }) };
  }

  relu(x: Activation): Activation {
    return { ...x, value: this.b.op('Relu', [x.value], {}, { outputs: [`${x.value}.relu`] }) };
  }

  add(x: Activation, y: Activation): Activation {
    return { ...x, value: this.b.add(x.value, y.value) };
  }

  /** Largest of each 2×2 block. */
  maxPool(x: Activation): Activation {
    const value = this.b.op('MaxPool', [x.value], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
    const [channels = 1, ...size] = x.shape;
    return { value, shape: this.large([channels, ...size.map((s) => s >> 1)]) };
  }

  /** Mean over height and width: [C, H, W] -> [C]. */
  averageOverPlane(x: Activation): Activation {
    const channels = x.shape[0]!;
    return this.flatten({ value: this.b.op('GlobalAveragePool', [x.value]), shape: [channels, 1, 1] });
  }

  flatten(x: Activation): Activation {
    return { value: this.b.op('Flatten', [x.value], { axis: int(1) }), shape: [sizeOf(x.shape)] };
  }

  /** Drops this share of the values while training. */
  dropout(x: Activation, ratio: number): Activation {
    return { ...x, value: this.b.op('Dropout', [x.value, this.b.scalar(ratio)]) };
  }

  /** The model whose output is `logits` [N, classes]. */
  model(logits: Activation): Model {
    this.b.output(logits.value, 'float32', ['N', ...logits.shape], 'logits');
    return canonicalModel(this.b.build());
  }

  /** The shape itself, unless nothing of the image is left. */
  protected large(shape: readonly number[]): readonly number[] {
    if (shape.every((d) => d > 0)) return shape;
    const { height, width } = this.options;
    throw new NeuralCleanseError(
      'SETTING_INVALID',
      `Images of ${height}×${width} are too small for this network.`,
      {
        hint: 'Load them in a larger size, or choose another network.',
        data: { height, width },
      },
    );
  }

  protected weight(name: string, dims: readonly number[], fanIn: number, fanOut: number): string {
    // A stream for each layer, so that adding one leaves the weights of the others as they are.
    const random = randomStream(this.options.seed, this.layers++);
    const data = Float32Array.from({ length: sizeOf(dims) }, () => this.initialize(random, fanIn, fanOut));
    return this.b.initializer(name, float32(dims, data));
  }

  protected filled(name: string, length: number, value: number): string {
    return this.b.initializer(name, float32([length], new Float32Array(length).fill(value)));
  }
}

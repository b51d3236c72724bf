/** Small graphs with a loss, for tests that compare runtimes: what matters are the kernels they use. */

import { crossEntropy } from '../../src/autodiff/losses.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { type Graph, int, ints } from '../../src/onnx/graph.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import type { Feeds } from '../../src/runtime/session.ts';
import { distinctTensor, generator, randomTensor } from './gradient-check.ts';

export interface SmallNetwork {
  readonly graph: Graph;
  readonly loss: string;
  readonly wrt: readonly string[];
  readonly feeds: Feeds;
}

const random = generator(11);

/** A trigger stamped on images, then convolution, ReLU, max pooling, a dense layer and the cross entropy. */
function stampedConvolution(): SmallNetwork {
  const b = new GraphBuilder();
  const feeds = {
    x: distinctTensor(random, [3, 2, 8, 8], 0.02),
    mask: randomTensor(random, [1, 1, 8, 8], 0, 1),
    pattern: randomTensor(random, [1, 2, 8, 8], 0, 1),
  };
  for (const [name, { dtype, dims }] of Object.entries(feeds)) b.input(name, dtype, dims);
  const stamped = b.add(b.mul('x', b.sub(b.scalar(1), 'mask')), b.mul('pattern', 'mask'));
  const weight = (name: string, dims: number[]): string =>
    b.initializer(name, randomTensor(random, dims, -0.5, 0.5));
  const conv = b.op('Conv', [stamped, weight('w1', [8, 2, 3, 3]), weight('b1', [8])], {
    pads: ints([1, 1, 1, 1]),
  });
  const pooled = b.op('MaxPool', [b.op('Relu', [conv])], {
    kernel_shape: ints([2, 2]),
    strides: ints([2, 2]),
  });
  const flat = b.op('Flatten', [pooled], { axis: int(1) });
  const logits = b.gemm(flat, weight('w2', [128, 5]), { c: weight('b2', [5]) });
  const targets = b.constant(float32([1, 5], [0, 0, 1, 0, 0]));
  const loss = b.output(
    b.reduceSum(crossEntropy(b, logits, targets), undefined, false),
    'float32',
    [],
    'loss',
  );
  return { graph: b.build(), loss, wrt: ['mask', 'pattern', 'w1'], feeds };
}

/** Strided and grouped convolutions, overlapping max pooling, average pooling and a residual sum. */
function residual(): SmallNetwork {
  const b = new GraphBuilder();
  const feeds = { x: distinctTensor(random, [2, 4, 9, 9], 0.02) };
  b.input('x', 'float32', feeds.x.dims);
  const weight = (name: string, dims: number[]): string =>
    b.initializer(name, randomTensor(random, dims, -0.5, 0.5));
  const depthwise = b.op('Conv', ['x', weight('w1', [4, 1, 3, 3])], {
    group: int(4),
    pads: ints([1, 1, 1, 1]),
  });
  const sum = b.add(b.op('Sigmoid', [depthwise]), 'x');
  const strided = b.op('Conv', [sum, weight('w2', [6, 4, 3, 3])], {
    strides: ints([2, 2]),
    pads: ints([1, 1, 1, 1]),
  });
  const overlapping = b.op('MaxPool', [strided], { kernel_shape: ints([3, 3]), strides: ints([1, 1]) });
  const averaged = b.op('GlobalAveragePool', [b.op('Tanh', [overlapping])]);
  const loss = b.output(b.reduceSum(b.mul(averaged, averaged), undefined, false), 'float32', [], 'loss');
  return { graph: b.build(), loss, wrt: ['x', 'w2'], feeds };
}

export const smallNetworks: Readonly<Record<string, SmallNetwork>> = {
  stampedConvolution: stampedConvolution(),
  residual: residual(),
};

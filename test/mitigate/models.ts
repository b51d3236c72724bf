/** Small backdoored classifiers of every kind that is imported, with weights written by hand, and images for them. */

import type { LabelledImageSet } from '../../src/data/dataset.ts';
import { preprocessPresets } from '../../src/data/preprocess.ts';
import type { FlaggedTrigger } from '../../src/mitigate/flagged-trigger.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { int, ints, type Model } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { solidSquare } from '../../src/triggers/patterns.ts';
import { generator } from '../support/gradient-check.ts';
import { greyImages } from '../support/grey-images.ts';

export const classes = 4;
export const target = 2;
export const preprocess = preprocessPresets.unit;
const side = 8;

/** The corner that the backdoor looks at, which images keep dark. */
export const trueTrigger = solidSquare([side, side, 1], [6, 6, 2, 2]);

/** What a scan might have found: not quite the same pixels. */
export const reversed: FlaggedTrigger = {
  label: target,
  trigger: solidSquare([side, side, 1], [6, 6, 2, 2], 230),
  asr: 1,
};

/** Images of class c are bright in quarter c of the rows, with noise. */
export function images(count = 400, seed = 1): LabelledImageSet {
  const random = generator(seed);
  const pixels = new Uint8Array(count * side * side);
  for (let i = 0; i < pixels.length; i++) {
    const [row, column] = [Math.floor((i % 64) / side), i % side];
    const label = Math.floor(i / 64) % classes;
    const isCorner = row >= 6 && column >= 6;
    const bright = !isCorner && Math.floor(row / 2) === label ? 120 : 0;
    pixels[i] = Math.round(bright + (isCorner ? 10 : 100) * random());
  }
  return greyImages(pixels, side, classes, 'bars');
}

export interface Form {
  readonly layout?: 'NCHW' | 'NHWC';
  readonly head?: 'logits' | 'softmax';
  /** What makes the scores of the channels: a hidden dense layer and another, or the mean of each channel and one layer. */
  readonly end?: 'dense' | 'global-pool';
  readonly batchNorm?: boolean;
  readonly batch?: number | 'N';
  /** Adds the convolution to what its activation makes of it. */
  readonly skip?: boolean;
  /** An activation of which is not known that it keeps 0. */
  readonly clip?: boolean;
}

/** One channel a class that sums its rows, one for the backdoor, and three that see nothing of use. */
const channels = 8;
export const backdoorChannel = 5;

/**
 * A convolution over whole pairs of rows, ReLU, and one of the ends. The channel of the backdoor answers to bright corners only and
 * raises the score of the target above all.
 */
export function backdoored(form: Form = {}): Model {
  const {
    layout = 'NCHW',
    head = 'logits',
    end = 'dense',
    batchNorm = false,
    batch = 'N',
    skip = false,
    clip = false,
  } = form;
  const random = generator(7);
  const b = new GraphBuilder();
  const x = b.input('image', 'float32', layout === 'NCHW' ? [batch, 1, side, side] : [batch, side, side, 1]);
  const planes = layout === 'NCHW' ? x : b.transpose(x, [0, 3, 1, 2]);
  // Kernels as large as the image: every map has one pixel, but for those that tests of maps pool.
  const kernel = new Float32Array(channels * side * side);
  for (let i = 0; i < kernel.length; i++) {
    const [channel, row, column] = [Math.floor(i / 64), Math.floor((i % 64) / side), i % side];
    const isCorner = row >= 6 && column >= 6;
    if (channel < classes) kernel[i] = isCorner ? 0 : Math.floor(row / 2) === channel ? 0.1 : 0;
    else if (channel === backdoorChannel) kernel[i] = isCorner ? 1 : 0;
    else kernel[i] = isCorner ? 0 : 0.02 * (random() - 0.3);
  }
  const bias = Float32Array.from({ length: channels }, (_, c) => (c === backdoorChannel ? -0.5 : 0));
  const weight = b.initializer('conv.weight', float32([channels, 1, side, side], kernel));
  const convolved = b.op(
    'Conv',
    [planes, weight, b.initializer('conv.bias', float32([channels], bias))],
    {
      kernel_shape: ints([side, side]),
      pads: ints([0, 0, 1, 1]),
    },
    { outputs: ['conv'] },
  );
  const vector = (name: string, value: (c: number) => number): string =>
    b.initializer(
      name,
      float32(
        [channels],
        Array.from({ length: channels }, (_, c) => value(c)),
      ),
    );
  const normed = batchNorm
    ? b.op(
        'BatchNormalization',
        [
          convolved,
          vector('bn.scale', (c) => 1 + 0.1 * c),
          vector('bn.shift', (c) => (c === backdoorChannel ? 0 : 0.05)),
          vector('bn.mean', () => 0.1),
          vector('bn.variance', () => 1.2),
        ],
        {},
        { outputs: ['normed'] },
      )
    : convolved;
  const activation = clip ? b.op('Clip', [normed, b.scalar(0)], {}, { outputs: ['map'] }) : undefined;
  const map = activation ?? b.op('Relu', [normed], {}, { outputs: ['map'] });
  const shown = skip ? b.add(map, b.scale(normed, 0.01)) : map;
  /** From a channel to the score of a label. */
  const votes = (channel: number, label: number): number =>
    channel === label ? 1 : channel === backdoorChannel && label === target ? 40 : 0;
  const dense = (
    name: string,
    rows: number,
    columns: number,
    value: (row: number, column: number) => number,
  ) =>
    b.initializer(
      name,
      float32(
        [rows, columns],
        Array.from({ length: rows * columns }, (_, i) => value(Math.floor(i / columns), i % columns)),
      ),
    );
  let logits: string;
  if (end === 'dense') {
    const placed = layout === 'NHWC' ? b.transpose(shown, [0, 2, 3, 1]) : shown;
    const flat = b.op('Flatten', [placed], { axis: int(1) });
    // The map has 2 by 2 places, of which each hidden neuron takes the first of its channel.
    const place = (channel: number): number => (layout === 'NHWC' ? channel : 4 * channel);
    const hidden = dense('hidden.weight', 4 * channels, channels, (row, column) =>
      Number(row === place(column)),
    );
    const active = b.op('Relu', [b.op('MatMul', [flat, hidden])], {}, { outputs: ['hidden'] });
    logits = b.gemm(
      active,
      dense('scores.weight', classes, channels, (label, c) => votes(c, label)),
      { transB: true },
    );
  } else {
    const means = b.op('Flatten', [b.op('GlobalAveragePool', [shown])]);
    logits = b.op('MatMul', [
      means,
      dense('scores.weight', channels, classes, (c, label) => votes(c, label)),
    ]);
  }
  const scores = head === 'softmax' ? b.op('Softmax', [logits], { axis: int(-1) }) : logits;
  b.output(scores, 'float32', [batch, classes], 'scores');
  return canonicalModel(b.build());
}

export const forms: Readonly<Record<string, Form>> = {
  'logits, NCHW': {},
  'softmax inside': { head: 'softmax' },
  'NHWC input, channels last inside': { layout: 'NHWC' },
  'batch normalization': { batchNorm: true },
  'global pooling': { end: 'global-pool' },
  'global pooling, batch normalization, softmax, NHWC': {
    end: 'global-pool',
    batchNorm: true,
    head: 'softmax',
    layout: 'NHWC',
  },
  'fixed batch of one': { batch: 1 },
  'a residual': { end: 'global-pool', skip: true },
  'an activation that may not keep 0': { end: 'global-pool', clip: true },
};

/** Convolutions, also depthwise, separable and transposed, over one or two axes. */

import { int, ints } from '../../onnx/graph.ts';
import type { Fields } from '../fields.ts';
import type { Value } from '../value.ts';
import { activated } from './activation.ts';
import type { LayerCall, LayerRule } from './call.ts';
import { type Planes, planesOf } from './data-format.ts';
import { extentOf, type Padding, slide, type Window } from './window.ts';

/** Over `rank` spatial axes. */
export const convolution = (rank: number): LayerRule => ({
  weights: withBias('kernel'),
  build(call) {
    const planes = planesOf(call.inputOfRank(rank + 2).shape, call.config);
    const window = windowOf(call.config, rank, ['valid', 'same', 'causal']);
    const filters = call.config.whole('filters');
    const groups = call.config.whole('groups', 1);
    const kernel = call.weight(
      'kernel',
      [...window.kernel, planes.channels && planes.channels / groups, filters],
      {
        axes: outFirst(rank),
      },
    );
    const y = convolve(call, planes, call.input, window, kernel, {
      channels: filters,
      groups,
      bias: bias(call, filters),
    });
    return activated(call, y);
  },
});

/** Each channel has kernels of its own: `depth_multiplier` results a channel, side by side. */
export const depthwiseConvolution = (rank: number): LayerRule => ({
  weights: withBias('depthwise_kernel'),
  build(call) {
    const planes = planesOf(call.inputOfRank(rank + 2).shape, call.config);
    const window = windowOf(call.config, rank, ['valid', 'same']);
    const channels = channelsOf(call, planes);
    const total = channels * call.config.whole('depth_multiplier', 1);
    const y = convolve(call, planes, call.input, window, depthwiseKernel(call, window, channels, rank), {
      channels: total,
      groups: channels,
      bias: bias(call, total),
    });
    return activated(call, y);
  },
});

/** A depthwise convolution, then one of size 1 over all channels. */
export const separableConvolution = (rank: number): LayerRule => ({
  weights: (config) => ['depthwise_kernel', ...withBias('pointwise_kernel')(config)],
  build(call) {
    const planes = planesOf(call.inputOfRank(rank + 2).shape, call.config);
    const window = windowOf(call.config, rank, ['valid', 'same', 'causal']);
    const channels = channelsOf(call, planes);
    const between = channels * call.config.whole('depth_multiplier', 1);
    const filters = call.config.whole('filters');
    const deep = convolve(call, planes, call.input, window, depthwiseKernel(call, window, channels, rank), {
      channels: between,
      groups: channels,
    });
    const ones = window.kernel.map(() => 1);
    const kernel = call.weight('pointwise_kernel', [...ones, between, filters], { axes: outFirst(rank) });
    const point: Window = { kernel: ones, strides: ones, dilations: ones, padding: 'valid' };
    const y = convolve(call, planesOf(deep.shape, call.config), deep, point, kernel, {
      channels: filters,
      groups: 1,
      bias: bias(call, filters),
    });
    return activated(call, y);
  },
});

/**
 * The gradient of a convolution as a layer. `valid` gives `in·stride + max(extent − stride, 0)`, `same` gives `in·stride`, of
 * which the convolution would make `in` again with TensorFlow's padding.
 */
export const transposedConvolution = (rank: number): LayerRule => ({
  weights: withBias('kernel'),
  build(call) {
    const { order, channels, spatial, shapeOf } = planesOf(call.inputOfRank(rank + 2).shape, call.config);
    const { kernel, strides, dilations, padding } = windowOf(call.config, rank, ['valid', 'same']);
    const filters = call.config.whole('filters');
    const stated = call.config.has('output_padding')
      ? call.config.wholes('output_padding', rank, 0, 0)
      : undefined;
    // By how much the result exceeds (in − 1)·stride + extent.
    const excess = kernel.map((k, i) => {
      const extent = extentOf(k, dilations[i]!);
      // As deconv_output_length of Keras.
      if (stated) return stated[i]! - (padding === 'same' ? 2 * Math.floor(extent / 2) : 0);
      return padding === 'same' ? strides[i]! - extent : Math.max(strides[i]! - extent, 0);
    });
    const cut = excess.map((e) => Math.max(-e, 0));
    const before = cut.map((c) => Math.floor(c / 2));
    const weight = call.weight('kernel', [...kernel, filters, channels], {
      axes: [rank + 1, rank, ...axes(rank)],
    });
    const name = call.emit('ConvTranspose', [call.in(call.input, order), weight, ...bias(call, filters)], {
      kernel_shape: ints(kernel),
      strides: ints(strides),
      dilations: ints(dilations),
      pads: ints([...before, ...cut.map((c, i) => c - before[i]!)]),
      output_padding: ints(excess.map((e) => Math.max(e, 0))),
    });
    const sizes = spatial.map(
      (size, i) => size && (size - 1) * strides[i]! + extentOf(kernel[i]!, dilations[i]!) + excess[i]!,
    );
    return activated(call, call.out(name, shapeOf(filters, sizes), order));
  },
});

interface Convolved {
  readonly channels: number;
  readonly groups: number;
  readonly bias?: readonly string[];
}

function convolve(
  call: LayerCall,
  { order, spatial, shapeOf }: Planes,
  input: Value,
  window: Window,
  kernel: string,
  { channels, groups, bias: offset = [] }: Convolved,
): Value {
  const slid = slide(spatial, window);
  const name = call.emit('Conv', [call.in(input, order), kernel, ...offset], {
    kernel_shape: ints(window.kernel),
    strides: ints(window.strides),
    dilations: ints(window.dilations),
    group: int(groups),
    ...slid.pads,
  });
  return call.out(name, shapeOf(channels, slid.spatial), order);
}

/** [size…, in, multiplier] -> [in·multiplier, 1, size…] */
function depthwiseKernel(call: LayerCall, { kernel }: Window, channels: number, rank: number): string {
  const multiplier = call.config.whole('depth_multiplier', 1);
  return call.weight('depthwise_kernel', [...kernel, channels, multiplier], {
    axes: [rank, rank + 1, ...axes(rank)],
    dims: [channels * multiplier, 1, ...kernel],
  });
}

const axes = (rank: number): number[] => Array.from({ length: rank }, (_, i) => i);

/** Keras kernels are [size…, in, out], those of ONNX [out, in, size…]. */
const outFirst = (rank: number): number[] => [rank + 1, rank, ...axes(rank)];

export const withBias =
  (...names: readonly string[]) =>
  (config: Fields): string[] =>
    config.flag('use_bias', true) ? [...names, 'bias'] : [...names];

/** The bias as further inputs of a node: one or none. */
export const bias = (call: LayerCall, size: number): string[] =>
  call.config.flag('use_bias', true) ? [call.weight('bias', [size])] : [];

function windowOf(config: Fields, rank: number, paddings: readonly Padding[]): Window {
  return {
    kernel: config.wholes('kernel_size', rank),
    strides: config.wholes('strides', rank, 1),
    dilations: config.wholes('dilation_rate', rank, 1),
    padding: config.choice(
      'padding',
      rank === 1 ? paddings : paddings.filter((p) => p !== 'causal'),
      'valid',
    ),
  };
}

function channelsOf(call: LayerCall, { channels }: Planes): number {
  if (channels === null) throw call.unsupported('has an open number of channels');
  return channels;
}

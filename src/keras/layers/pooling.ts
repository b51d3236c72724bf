/** Pooling over windows and over whole images. */

import { int, ints } from '../../onnx/graph.ts';
import type { LayerRule } from './call.ts';
import { planesOf } from './data-format.ts';
import { slide } from './window.ts';

/** Padding is never the maximum, and is not counted in an average. */
export const pooling = (op: 'MaxPool' | 'AveragePool', rank: number): LayerRule => ({
  build(call) {
    const { config } = call;
    const { order, channels, spatial, shapeOf } = planesOf(call.inputOfRank(rank + 2).shape, config);
    const kernel = config.wholes('pool_size', rank, 2);
    const strides = config.has('strides') ? config.wholes('strides', rank) : kernel;
    const padding = config.choice('padding', ['valid', 'same'], 'valid');
    const slid = slide(spatial, { kernel, strides, dilations: kernel.map(() => 1), padding });
    const x = call.in(call.input, order);
    // ONNX Runtime (1.30) takes a Pad right before a MaxPool for padding of the MaxPool, whose zeros never count. Sessions here
    // turn that off; for other programs that load the converted file, a Max of one tensor, which changes nothing, keeps the
    // two apart.
    const apart = op === 'MaxPool' && call.input.isPadded ? call.emit('Max', [x]) : x;
    const name = call.emit(op, [apart], {
      kernel_shape: ints(kernel),
      strides: ints(strides),
      ...slid.pads,
    });
    return call.out(name, shapeOf(channels, slid.spatial), order);
  },
});

export const globalPooling = (op: 'ReduceMax' | 'ReduceMean', rank: number): LayerRule => ({
  build(call) {
    const { order, channels, spatial, shapeOf } = planesOf(call.inputOfRank(rank + 2).shape, call.config);
    const keep = call.config.flag('keepdims', false);
    const axes = call.b.ints(spatial.map((_, i) => i + 2));
    const name = call.emit(op, [call.in(call.input, order), axes], { keepdims: int(keep ? 1 : 0) });
    const shape = shapeOf(channels, keep ? spatial.map(() => 1) : []);
    return call.out(name, shape, order);
  },
});

/** Fully connected layers. */

import { activated } from './activation.ts';
import type { LayerRule } from './call.ts';
import { bias, withBias } from './convolution.ts';

/** Works along the last axis, whatever the rank. */
export const dense: LayerRule = {
  weights: withBias('kernel'),
  build(call) {
    const { shape } = call.input;
    const units = call.config.whole('units');
    const x = call.in(call.input, 'keras');
    const kernel = call.weight('kernel', [shape.at(-1) ?? null, units]);
    const offset = bias(call, units);
    const name =
      shape.length === 2 && offset.length > 0
        ? call.emit('Gemm', [x, kernel, ...offset])
        : offset.reduce((product, b) => call.emit('Add', [product, b]), call.emit('MatMul', [x, kernel]));
    return activated(call, call.out(name, [...shape.slice(0, -1), units]));
  },
};

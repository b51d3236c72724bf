/** Layers that work over height and width: where their channels are. */

import type { Fields } from '../fields.ts';
import type { Order, Shape } from '../value.ts';

export interface Planes {
  /** The order in which channels stand at axis 1, which is what ONNX wants. */
  readonly order: Order;
  readonly channels: number | null;
  /** Height and width, or the length alone. */
  readonly spatial: Shape;
  /** The Keras shape of a result. */
  shapeOf(channels: number | null, spatial: Shape): Shape;
}

export function planesOf(shape: Shape, config: Fields): Planes {
  const last =
    config.choice('data_format', ['channels_last', 'channels_first'], 'channels_last') === 'channels_last';
  const batch = shape[0] ?? null;
  return {
    order: last ? 'moved' : 'keras',
    channels: (last ? shape.at(-1) : shape[1]) ?? null,
    spatial: last ? shape.slice(1, -1) : shape.slice(2),
    shapeOf: (channels, spatial) => (last ? [batch, ...spatial, channels] : [batch, channels, ...spatial]),
  };
}

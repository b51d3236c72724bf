/** The reference networks, by name. Inputs `images` [N, C, H, W], preprocessed; outputs `logits` [N, classes]. */

import type { Model } from '../../onnx/graph.ts';
import { deepId } from './deepid.ts';
import { gtsrb6Conv } from './gtsrb-6conv.ts';
import type { NetworkOptions } from './layers.ts';
import { mnistCnn } from './mnist-cnn.ts';
import { mobileNetSmall } from './mobilenet-small.ts';
import { resNetSmall } from './resnet-small.ts';
import { vgg16 } from './vgg16.ts';
import { vitSmall } from './vit-small.ts';

export const networkNames = [
  'mnist-cnn',
  'gtsrb-6conv',
  'deepid',
  'vgg16',
  'resnet-small',
  'mobilenet-small',
  'vit-small',
] as const;
export type NetworkName = (typeof networkNames)[number];

/**
 * Makes a network with weights drawn from a seed. BatchNormalization and Dropout are kept as nodes, so that it can be trained.
 *
 * @throws NeuralCleanseError SETTING_INVALID if the images are too small for it
 */
export const networks: Readonly<Record<NetworkName, (options: NetworkOptions) => Model>> = {
  'mnist-cnn': mnistCnn,
  'gtsrb-6conv': gtsrb6Conv,
  deepid: deepId,
  vgg16,
  'resnet-small': resNetSmall,
  'mobilenet-small': mobileNetSmall,
  'vit-small': vitSmall,
};

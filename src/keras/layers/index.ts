/** The layers that can be converted, by the class names of Keras 2 and 3. */

import { NeuralCleanseError } from '../../errors.ts';
import type { LayerSpec } from '../architecture.ts';
import { activationRules } from './activation.ts';
import type { LayerRule } from './call.ts';
import {
  convolution,
  depthwiseConvolution,
  separableConvolution,
  transposedConvolution,
} from './convolution.ts';
import { dense } from './dense.ts';
import { concatenate, merge } from './merge.ts';
import {
  batchNormalization,
  layerNormalization,
  rescaling,
  statisticsNormalization,
} from './normalization.ts';
import { globalPooling, pooling } from './pooling.ts';
import { cropping, flatten, permute, repeatVector, reshape, upSampling, zeroPadding } from './reshaping.ts';

/** For layers that act in training only. */
const identity: LayerRule = { build: (call) => call.input };

const layerRules: Readonly<Record<string, LayerRule>> = {
  Conv1D: convolution(1),
  Conv2D: convolution(2),
  DepthwiseConv1D: depthwiseConvolution(1),
  DepthwiseConv2D: depthwiseConvolution(2),
  SeparableConv1D: separableConvolution(1),
  SeparableConv2D: separableConvolution(2),
  Conv1DTranspose: transposedConvolution(1),
  Conv2DTranspose: transposedConvolution(2),
  Dense: dense,
  ...activationRules,
  MaxPooling1D: pooling('MaxPool', 1),
  MaxPooling2D: pooling('MaxPool', 2),
  AveragePooling1D: pooling('AveragePool', 1),
  AveragePooling2D: pooling('AveragePool', 2),
  GlobalMaxPooling1D: globalPooling('ReduceMax', 1),
  GlobalMaxPooling2D: globalPooling('ReduceMax', 2),
  GlobalAveragePooling1D: globalPooling('ReduceMean', 1),
  GlobalAveragePooling2D: globalPooling('ReduceMean', 2),
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  Rescaling: rescaling,
  Normalization: statisticsNormalization,
  Flatten: flatten,
  Reshape: reshape,
  Permute: permute,
  RepeatVector: repeatVector,
  ZeroPadding1D: zeroPadding(1),
  ZeroPadding2D: zeroPadding(2),
  Cropping1D: cropping(1),
  Cropping2D: cropping(2),
  UpSampling1D: upSampling(1),
  UpSampling2D: upSampling(2),
  Add: merge('Add'),
  Subtract: merge('Sub'),
  Multiply: merge('Mul'),
  Average: merge('Mean'),
  Maximum: merge('Max'),
  Minimum: merge('Min'),
  Concatenate: concatenate,
  Dropout: identity,
  SpatialDropout1D: identity,
  SpatialDropout2D: identity,
  GaussianDropout: identity,
  GaussianNoise: identity,
  AlphaDropout: identity,
  ActivityRegularization: identity,
  RandomFlip: identity,
  RandomRotation: identity,
  RandomTranslation: identity,
  RandomZoom: identity,
  RandomContrast: identity,
  RandomBrightness: identity,
};

/** Also models are layers. */
const supported = [...Object.keys(layerRules), 'InputLayer', 'Sequential', 'Functional'].sort();

/** @throws NeuralCleanseError KERAS_LAMBDA, KERAS_LAYER_UNSUPPORTED */
export function ruleOf(layer: LayerSpec): LayerRule {
  const { className, name } = layer;
  if (Object.hasOwn(layerRules, className)) return layerRules[className]!;
  if (className === 'Lambda') {
    throw new NeuralCleanseError(
      'KERAS_LAMBDA',
      `Layer "${name}" is a Lambda: Python code, which is not run here.`,
      {
        hint: 'Replace it by layers, or export the model to ONNX with tf2onnx.',
        data: { layer: name },
      },
    );
  }
  throw new NeuralCleanseError(
    'KERAS_LAYER_UNSUPPORTED',
    `Layer "${name}" is of the class "${className}", which cannot be converted.`,
    {
      hint: `Export the model to ONNX with tf2onnx. Known are ${supported.join(', ')}.`,
      data: { layer: name, className, supported },
    },
  );
}

/** The weights of a layer by name, in Keras's order; none for models and for classes that are not known. */
export function weightNames({ className, config, isOperation }: LayerSpec): readonly string[] {
  const rule = !isOperation && Object.hasOwn(layerRules, className) ? layerRules[className] : undefined;
  return rule?.weights?.(config) ?? [];
}

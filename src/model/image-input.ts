/** The images a model takes, as its input declares them. */

import { NeuralCleanseError } from '../errors.ts';
import type { Dim, Graph } from '../onnx/graph.ts';
import { isFloat } from '../onnx/tensor.ts';
import { convolvedAxis } from './channels.ts';

export type Layout = 'NCHW' | 'NHWC';

export interface ImageInput {
  readonly name: string;
  readonly layout: Layout;
  readonly height: number;
  readonly width: number;
  /** 1 or 3 */
  readonly channels: number;
}

/** Dimensions of a batch of `n` images as the model takes them. */
export const batchDims = (input: ImageInput, n: number): number[] =>
  input.layout === 'NCHW'
    ? [n, input.channels, input.height, input.width]
    : [n, input.height, input.width, input.channels];

export interface DeclaredInput {
  readonly input: ImageInput;
  /** `undefined` if it is free. */
  readonly exportedBatch: number | undefined;
}

type ImageDims = readonly [n: Dim, first: Dim, second: Dim, last: Dim];

export interface ImageValue {
  readonly name: string;
  readonly dims: ImageDims;
}

/**
 * The one input of a model, if images can go in.
 *
 * @throws NeuralCleanseError MODEL_SEVERAL_INPUTS, INPUT_NOT_FLOAT, NOT_A_CLASSIFIER
 */
export function imageValue(graph: Graph): ImageValue {
  const [value, ...others] = graph.inputs;
  if (!value || others.length > 0) {
    throw new NeuralCleanseError(
      'MODEL_SEVERAL_INPUTS',
      `The model has ${graph.inputs.length} inputs (${graph.inputs.map((i) => i.name).join(', ')}), not one.`,
      { hint: 'Export it so that a batch of images is the only input; bake the others in as constants.' },
    );
  }
  if (value.dtype === null || !isFloat(value.dtype)) {
    throw new NeuralCleanseError(
      'INPUT_NOT_FLOAT',
      `Input "${value.name}" takes ${value.dtype ?? 'no tensor'}, not floats.`,
      {
        hint: 'Export the part of the model behind the cast to float.',
      },
    );
  }
  if (value.dims?.length !== 4) {
    throw new NeuralCleanseError(
      'NOT_A_CLASSIFIER',
      `Input "${value.name}" has shape [${value.dims?.map(show) ?? 'unknown rank'}], not a batch of images.`,
      { hint: 'The input must have four dimensions: N×C×H×W or N×H×W×C.' },
    );
  }
  return { name: value.name, dims: value.dims as unknown as ImageDims };
}

/**
 * Layout and size of the images.
 *
 * @param graph canonical form of the model, asked for channels that the declaration leaves open
 * @param size height and width where they are open
 * @throws NeuralCleanseError SHAPE_UNRESOLVED, NOT_A_CLASSIFIER
 */
export function imageInput(
  { name, dims }: ImageValue,
  graph: Graph,
  size: readonly [height: number, width: number] | undefined,
): DeclaredInput {
  const [n, ...image] = dims;
  const isOpen = typeof image[0] !== 'number' || typeof image[2] !== 'number';
  const found = isOpen && !image.some(isChannels) ? convolvedAxis(graph, name) : undefined;
  const layout = found ? (found.axis === 3 ? 'NHWC' : 'NCHW') : layoutOf(image);
  const [c, h, w] = layout === 'NCHW' ? image : [image[2], image[0], image[1]];
  const channels = typeof c === 'number' ? c : found?.channels;
  if (channels === undefined) {
    throw new NeuralCleanseError(
      'SHAPE_UNRESOLVED',
      `Input "${name}" has the shape [${dims.map(show)}], which does not tell its channels, and nor does a convolution.`,
      { hint: 'Export it with a concrete number of channels, 1 or 3.' },
    );
  }
  if (channels !== 1 && channels !== 3) {
    throw new NeuralCleanseError(
      'NOT_A_CLASSIFIER',
      `Input "${name}" has ${channels} channels, not 1 or 3.`,
      {
        hint: 'Only grayscale and RGB classifiers can be scanned.',
      },
    );
  }
  const height = typeof h === 'number' ? h : size?.[0];
  const width = typeof w === 'number' ? w : size?.[1];
  if (height === undefined || width === undefined) {
    throw new NeuralCleanseError(
      'SHAPE_UNRESOLVED',
      `Input "${name}" has the open shape [${dims.map(show)}].`,
      {
        hint: 'State the image size, e.g. --size 224,224, or export with concrete height and width.',
      },
    );
  }
  return {
    input: { name, layout, height, width, channels },
    exportedBatch: typeof n === 'number' && n > 0 ? n : undefined,
  };
}

const show = (dim: Dim): string => (dim === null ? '?' : String(dim));

/** Channels are the axis of size 1 or 3; channels-first where both ends could be. */
const layoutOf = ([first, , last]: readonly [Dim, Dim, Dim]): Layout =>
  !isChannels(first) && isChannels(last) ? 'NHWC' : 'NCHW';

const isChannels = (dim: Dim): boolean => dim === 1 || dim === 3;

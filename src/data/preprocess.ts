/** Preprocessing: how raw pixels in [0, 255] become what a model expects. */

import { NeuralCleanseError } from '../errors.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import { int } from '../onnx/graph.ts';
import { float32, int64 } from '../onnx/tensor.ts';
import { meanAndDeviation } from './pixel-statistics.ts';

/**
 * A pixel v in [0, 255] becomes `(v / 255 · range − mean_c) / std_c`, after the channels were put into `order`.
 *
 * `mean` and `std` have one entry a channel in the model's order, or one entry for all.
 */
export interface Preprocess {
  /** How the user may name it: a preset or a spec. */
  readonly name: string;
  /** Largest value of a pixel before mean and std apply: 255 or 1, usually. */
  readonly range: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly order: 'rgb' | 'bgr';
}

const plain = { mean: [0], std: [1], order: 'rgb' } as const;

/** The presets of the command line. */
export const preprocessPresets = {
  raw255: { name: 'raw255', range: 255, ...plain },
  unit: { name: 'unit', range: 1, ...plain },
  /** x/127.5 − 1, as in TensorFlow's Inception. */
  tf: { name: 'tf', range: 1, mean: [0.5], std: [0.5], order: 'rgb' },
  /** BGR minus the ImageNet means, as in Caffe's VGG-16. */
  caffe: { name: 'caffe', range: 255, mean: [103.939, 116.779, 123.68], std: [1], order: 'bgr' },
  /** ImageNet mean and standard deviation, as in torchvision. */
  torch: { name: 'torch', range: 1, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], order: 'rgb' },
} as const satisfies Record<string, Preprocess>;

/** Further common choices that preflight tries. */
const known: readonly Preprocess[] = [
  spec(1, [0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.201], 'rgb'),
  spec(1, [0.1307], [0.3081], 'rgb'),
  { ...preprocessPresets.raw255, order: 'bgr', name: 'range=255;order=bgr' },
  { ...preprocessPresets.unit, order: 'bgr', name: 'range=1;order=bgr' },
];

function spec(
  range: number,
  mean: readonly number[],
  std: readonly number[],
  order: 'rgb' | 'bgr',
): Preprocess {
  const parts = [`range=${range}`];
  if (mean.some((v) => v !== 0)) parts.push(`mean=${mean.join(',')}`);
  if (std.some((v) => v !== 1)) parts.push(`std=${std.join(',')}`);
  if (order !== 'rgb') parts.push(`order=${order}`);
  return { name: parts.join(';'), range, mean, std, order };
}

/**
 * What preflight tries for images of `channels` channels: the presets, well-known normalisations, and the mean and
 * standard deviation of the samples themselves, which come close to whatever data set statistics a model was trained with.
 *
 * @param images pixels in [0, 255], channels last
 */
export function preprocessCandidates(images: ArrayLike<number>, channels: number): Preprocess[] {
  const fits = (p: Preprocess): boolean =>
    channels === 3
      ? p.mean.length !== 1 || p.name !== known[1]!.name
      : p.order === 'rgb' && p.mean.length === 1;
  const { mean, deviation } = meanAndDeviation(images, channels);
  const round = (v: number): number => Math.round((v / 255) * 1e4) / 1e4;
  const own = spec(
    1,
    mean.map(round),
    deviation.map((v) => Math.max(round(v), 1e-3)),
    'rgb',
  );
  return [...Object.values(preprocessPresets), ...known, own].filter(fits);
}

/**
 * Reads `--preprocess`: a preset, or `range=1;mean=0.34,0.31,0.32;std=0.27,0.26,0.27;order=rgb` with any part left out.
 *
 * @throws NeuralCleanseError PREPROCESS_INVALID
 */
export function parsePreprocess(text: string): Preprocess {
  if (Object.hasOwn(preprocessPresets, text))
    return preprocessPresets[text as keyof typeof preprocessPresets];
  const fields = new Map<string, string>();
  for (const part of text.split(';').filter((p) => p.trim() !== '')) {
    const [key = '', value = ''] = part.split('=').map((p) => p.trim());
    if (!['range', 'mean', 'std', 'order'].includes(key) || value === '')
      throw invalid(text, `"${part}" is not understood`);
    fields.set(key, value);
  }
  if (fields.size === 0) throw invalid(text, 'it is neither a preset nor a spec');
  return preprocessFrom(Object.fromEntries(fields), text);
}

/**
 * The same from the fields of a JSON file: numbers or lists of numbers, or their text.
 *
 * @throws NeuralCleanseError PREPROCESS_INVALID
 */
export function preprocessFrom(fields: Readonly<Record<string, unknown>>, source: string): Preprocess {
  const numbers = (key: string, fallback: number): number[] => {
    const value = fields[key];
    if (value === undefined) return [fallback];
    const list = (Array.isArray(value) ? value : String(value).split(',')).map(Number);
    if (![1, 3].includes(list.length) || !list.every(Number.isFinite)) {
      throw invalid(source, `${key} must be one number or three`);
    }
    return list;
  };
  const [range = 1] = numbers('range', 1);
  const std = numbers('std', 1);
  const order = fields.order ?? 'rgb';
  if (order !== 'rgb' && order !== 'bgr')
    throw invalid(source, `order must be rgb or bgr, not ${String(order)}`);
  if (std.some((v) => v <= 0) || range <= 0) throw invalid(source, 'range and std must be above 0');
  return spec(range, numbers('mean', 0), std, order);
}

const invalid = (given: string, why: string): NeuralCleanseError =>
  new NeuralCleanseError('PREPROCESS_INVALID', `The preprocessing "${given}" is not valid: ${why}.`, {
    hint: `Use ${Object.keys(preprocessPresets).join(', ')}, or e.g. "range=1;mean=0.34,0.31,0.32;std=0.27,0.26,0.27;order=rgb".`,
  });

/**
 * Adds the preprocessing to a graph, so that it is differentiated with the model.
 *
 * @param pixels value of shape [N, C, H, W], raw pixels in [0, 255], RGB
 * @param channels 1 or 3
 * @returns value of the same shape and layout, as the model expects it
 */
export function appendPreprocess(
  b: GraphBuilder,
  pixels: string,
  channels: number,
  preprocess: Preprocess,
): string {
  const ordered =
    preprocess.order === 'bgr' && channels === 3
      ? b.op('Gather', [pixels, b.constant(int64([3], [2, 1, 0]))], { axis: int(1) })
      : pixels;
  // (v/255·range − mean)/std as one multiply-add
  const { scale, shift } = affine(preprocess, channels);
  const scaled = scale.every((v) => v === 1) ? ordered : b.mul(ordered, perChannel(b, scale));
  return shift.every((v) => v === 0) ? scaled : b.add(scaled, perChannel(b, shift));
}

const perChannel = (b: GraphBuilder, values: readonly number[]): string =>
  b.constant(float32([1, values.length, 1, 1], values), 'preprocess');

function affine({ range, mean, std }: Preprocess, channels: number): { scale: number[]; shift: number[] } {
  const at = (list: readonly number[], c: number): number => list[list.length === 1 ? 0 : c]!;
  const each = Array.from({ length: channels }, (_, c) => c);
  return {
    scale: each.map((c) => range / 255 / at(std, c)),
    shift: each.map((c) => -at(mean, c) / at(std, c)),
  };
}

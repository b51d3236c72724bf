/**
 * What the inversions of a scan have in common, as blobs: the model in ONNX, the images and labels as .npy, and a manifest
 * that names these by hash and holds the rest. The hash of the manifest stands for all of it.
 */

import { z } from 'zod';
import { imageSet } from '../data/dataset.ts';
import { parseNpy, writeNpy } from '../data/npy.ts';
import { preprocessSchema } from '../data/preprocess-schema.ts';
import type { InversionShared } from '../detect/invert-task.ts';
import { NeuralCleanseError } from '../errors.ts';
import { canonicalModel } from '../onnx/model.ts';
import { readModel } from '../onnx/read.ts';
import type { DType, Tensor } from '../onnx/tensor.ts';
import { writeModel } from '../onnx/write.ts';
import { type BlobRef, blobRef, refOf } from './blob.ts';
import { fromJson, toJson } from './json.ts';
import { inversionSettings } from './settings-schema.ts';

const size = z.number().int().positive();
const channels = z.union([z.literal(1), z.literal(3)]);

const manifest = z.strictObject({
  classifier: z.strictObject({
    graph: blobRef,
    input: z.strictObject({
      name: z.string(),
      layout: z.enum(['NCHW', 'NHWC']),
      height: size,
      width: size,
      channels,
    }),
    classes: size,
    scores: z.string(),
    logits: z.string(),
    head: z.enum(['logits', 'softmax', 'log-softmax', 'sigmoid']),
    exportedBatch: size.exactOptional(),
  }),
  images: z.strictObject({
    pixels: blobRef,
    labels: blobRef.exactOptional(),
    height: size,
    width: size,
    channels,
    range: z.union([z.tuple([z.literal(0), z.literal(255)]), z.tuple([z.literal(0), z.literal(1)])]),
    classes: size.exactOptional(),
  }),
  preprocess: preprocessSchema,
  settings: inversionSettings,
  seed: z.number().int(),
  previews: z.boolean().exactOptional(),
});

type Manifest = z.infer<typeof manifest>;

export interface PackedInputs {
  /** Of the manifest. */
  readonly ref: BlobRef;
  /** Of the manifest and of all that it names. */
  readonly blobs: ReadonlyMap<string, Uint8Array>;
}

/** @throws NeuralCleanseError MODEL_TOO_LARGE */
export function packInputs(shared: InversionShared): PackedInputs {
  const blobs = new Map<string, Uint8Array>();
  const add = (bytes: Uint8Array): BlobRef => {
    const ref = refOf(bytes);
    blobs.set(ref.sha256, bytes);
    return ref;
  };
  const { classifier, images, preprocess, settings, seed, previews } = shared;
  const { graph, exportedBatch, ...facts } = classifier;
  const described = manifest.parse({
    classifier: {
      graph: add(writeModel(canonicalModel(graph))),
      ...facts,
      ...(exportedBatch !== undefined && { exportedBatch }),
    },
    images: {
      pixels: add(writeNpy(pixelTensor(shared))),
      ...(images.labels && {
        labels: add(writeNpy({ dtype: 'int32', dims: [images.count], data: images.labels })),
      }),
      height: images.height,
      width: images.width,
      channels: images.channels,
      range: images.range,
      ...(images.classes !== undefined && { classes: images.classes }),
    },
    // What the user calls it is no part of the job: other names for the same arithmetic must give the same hash.
    preprocess: { ...preprocess, name: 'given' },
    settings,
    seed,
    ...(previews !== undefined && { previews }),
  });
  return { ref: add(Buffer.from(toJson(described))), blobs };
}

function pixelTensor({ images }: InversionShared): Tensor {
  const dims = [images.count, images.height, images.width, images.channels];
  return images.images instanceof Uint8Array
    ? { dtype: 'uint8', dims, data: images.images }
    : { dtype: 'float32', dims, data: images.images };
}

/** @throws NeuralCleanseError QUEUE_JOB_INVALID */
function parseManifest(bytes: Uint8Array): Manifest {
  const parsed = manifest.safeParse(fromJson(Buffer.from(bytes).toString()));
  if (parsed.success) return parsed.data;
  throw invalid(z.prettifyError(parsed.error), parsed.error);
}

/** The blobs that a manifest names. @throws NeuralCleanseError QUEUE_JOB_INVALID */
export function blobsOf(manifestBytes: Uint8Array): BlobRef[] {
  const { classifier, images } = parseManifest(manifestBytes);
  return [classifier.graph, images.pixels, ...(images.labels ? [images.labels] : [])];
}

/**
 * @param read returns the verified bytes of a blob
 * @throws NeuralCleanseError QUEUE_JOB_INVALID, what `read` throws, and what readers of models and arrays throw
 */
export async function unpackInputs(
  ref: BlobRef,
  read: (ref: BlobRef) => Promise<Uint8Array>,
): Promise<InversionShared> {
  const { classifier, images, preprocess, settings, seed, previews } = parseManifest(await read(ref));
  const { graph, exportedBatch, ...facts } = classifier;
  const { pixels, labels, ...shape } = images;
  const array = async <T extends DType>(blob: BlobRef, ...types: readonly T[]): Promise<Tensor<T>> => {
    const tensor = parseNpy(await read(blob));
    if ((types as readonly string[]).includes(tensor.dtype)) return tensor as Tensor<T>;
    throw invalid(`An array has elements of type ${tensor.dtype}, not ${types.join(' or ')}.`);
  };
  return {
    classifier: { ...facts, graph: readModel(await read(graph)).graph, exportedBatch },
    images: imageSet({
      ...shape,
      images: (await array(pixels, 'uint8', 'float32')).data,
      ...(labels && { labels: (await array(labels, 'int32')).data }),
      source: 'the images of the job',
    }),
    preprocess,
    settings,
    seed,
    ...(previews !== undefined && { previews }),
  };
}

const invalid = (what: string, cause?: unknown): NeuralCleanseError =>
  new NeuralCleanseError('QUEUE_JOB_INVALID', `The inputs of a job cannot be read: ${what}`, {
    hint: 'Submit the scan again, with the version of the workers.',
    cause,
  });

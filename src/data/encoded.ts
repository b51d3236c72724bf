/** Image files as a source: read, decoded and brought to one shape, several at a time. */

import { NeuralCleanseError } from '../errors.ts';
import type { SkippedFile } from './dataset.ts';
import type { ImageEntry, ImageListing } from './folder.ts';
import { signBox } from './gtsrb.ts';
import { isNetpbm, parseNetpbm } from './netpbm.ts';
import { crop, type Raster } from './raster.ts';
import { fitTo } from './resize.ts';
import { allocate, type ImageSource } from './source.ts';
import { type FileTree, joinPath } from './tree.ts';

/**
 * Decodes PNG, JPEG or WebP to 8-bit grey or RGB, with the orientation applied and transparency laid over black.
 *
 * @throws NeuralCleanseError DATA_CORRUPT
 */
export type ImageDecoder = (bytes: Uint8Array) => Promise<Raster<Uint8Array>>;

/** Files read and decoded at once: enough to keep the cores busy while others wait for the disk. */
const concurrency = 8;

/** The share of unreadable files up to which the others are used. */
const maxUnreadable = 0.1;

/** @param cropToSign cut images to the sign region of their GTSRB table */
export function encodedSource(
  tree: FileTree,
  listing: ImageListing,
  decode: ImageDecoder,
  cropToSign: boolean,
): ImageSource {
  const { entries } = listing;
  const labelled = entries.every(({ label }) => label !== undefined);

  return {
    source: tree.name,
    count: entries.length,
    labels: labelled ? Int32Array.from(entries, ({ label }) => label!) : undefined,
    classNames: listing.classNames,
    cropped: cropToSign && entries.every(({ gtsrb }) => gtsrb !== undefined),
    async load(indices, target) {
      const rasters = new Array<Raster<Uint8Array> | undefined>(indices.length);
      const failed: SkippedFile[] = [];
      await eachConcurrently(indices.length, async (place) => {
        const entry = entries[indices[place]!]!;
        try {
          rasters[place] = fitTo(await readImage(tree, entry, decode, cropToSign), target);
        } catch (error) {
          if (!(error instanceof NeuralCleanseError)) throw error;
          failed.push({ path: entry.path, reason: error.message });
        }
      });
      failed.sort((a, b) => (a.path < b.path ? -1 : 1));
      refuseUnreadable(tree.name, failed, indices.length);

      const loaded = indices.filter((_, place) => rasters[place] !== undefined);
      const images = rasters.filter((raster) => raster !== undefined);
      const paths = loaded.map((index) => entries[index]!.path);
      return { ...pack(images, paths, tree.name), indices: loaded, skipped: [...listing.skipped, ...failed] };
    },
  };
}

async function readImage(
  tree: FileTree,
  entry: ImageEntry,
  decode: ImageDecoder,
  cropToSign: boolean,
): Promise<Raster<Uint8Array>> {
  const bytes = await tree.read(entry.path);
  const image = isNetpbm(bytes) ? parseNetpbm(bytes) : await decode(bytes);
  return cropToSign && entry.gtsrb ? crop(image, signBox(entry.gtsrb, image)) : image;
}

/** Joins images of one size; grey ones among colour ones become RGB. */
function pack(images: readonly Raster<Uint8Array>[], paths: readonly string[], source: string) {
  const first = images[0] ?? { height: 0, width: 0, channels: 1, data: new Uint8Array(0) };
  const { height, width } = first;
  const channels = images.some((image) => image.channels === 3) ? 3 : first.channels;
  const size = height * width * channels;
  const pixels = allocate(first.data, images.length * size, source);
  images.forEach((image, i) => {
    if (image.height !== height || image.width !== width) {
      throw new NeuralCleanseError(
        'DATA_SHAPE_MISMATCH',
        `${joinPath(source, paths[i]!)} has ${image.width}×${image.height} pixels, but ${paths[0]} has ${width}×${height}.`,
        { hint: 'Give the size that the model takes, so that all images are resized to it.' },
      );
    }
    pixels.set(fitTo(image, { channels }).data, i * size);
  });
  return { images: pixels, height, width, channels, range: [0, 255] as const };
}

function refuseUnreadable(source: string, failed: readonly SkippedFile[], total: number): void {
  if (failed.length <= total * maxUnreadable) return;
  const [first] = failed;
  throw new NeuralCleanseError(
    'DATA_TOO_MANY_UNREADABLE',
    `${failed.length} of ${total} images of ${source} cannot be read; the first is ${first!.path}: ${first!.reason}`,
    { hint: 'Remove or replace them; up to a tenth is left out without complaint.', data: { files: failed } },
  );
}

/** Runs `work` for 0 to `count - 1`, a few at a time; the first failure ends it. */
async function eachConcurrently(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    try {
      while (next < count) await work(next++);
    } finally {
      next = count;
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, lane));
}

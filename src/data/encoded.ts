/** Image files as a source: read, decoded and brought to one shape, several at a time. */

import { NeuralCleanseError } from '../errors.ts';
import { isNetpbm } from './bytes.ts';
import type { SkippedFile } from './dataset.ts';
import type { ImageEntry, ImageListing } from './folder.ts';
import { signBox } from './gtsrb.ts';
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

/** Larger image files are not read: one of 8192 × 8192 RGB pixels without compression is smaller. */
const maxFileBytes = 2 ** 28;

/** Reads the encoded bytes of an image. */
export type ImageReader = (entry: ImageEntry, index: number) => Promise<Uint8Array>;

/**
 * The files of a tree.
 *
 * @throws NeuralCleanseError DATA_TOO_LARGE before a file is read that unpacks to more than an image has
 */
export const fromTree =
  (tree: FileTree): ImageReader =>
  async ({ path }) => {
    const size = await tree.size(path);
    if (size > maxFileBytes) {
      throw new NeuralCleanseError('DATA_TOO_LARGE', `${path} has ${size} bytes.`, {
        hint: `Image files may have ${maxFileBytes}.`,
      });
    }
    return tree.read(path);
  };

/**
 * @param source the folder or file as the user named it
 * @param cropToSign cut images to the sign region of their GTSRB table
 */
export function encodedSource(
  source: string,
  listing: ImageListing,
  read: ImageReader,
  decode: ImageDecoder,
  cropToSign: boolean,
): ImageSource {
  const { entries } = listing;
  const labelled = entries.every(({ label }) => label !== undefined);

  return {
    source,
    count: entries.length,
    labels: labelled ? Int32Array.from(entries, ({ label }) => label!) : undefined,
    classNames: listing.classNames,
    cropped: cropToSign && entries.every(({ gtsrb }) => gtsrb !== undefined),
    async load(indices, target) {
      const rasters = new Array<Raster<Uint8Array> | undefined>(indices.length);
      const failed: SkippedFile[] = [];
      // In the order of the files, so that neighbours are read together.
      const order = indices.map((index, place) => ({ index, place })).sort((a, b) => a.index - b.index);
      await eachConcurrently(order.length, async (turn) => {
        const { index, place } = order[turn]!;
        const entry = entries[index]!;
        try {
          const image = await decodeAny(await read(entry, index), decode);
          const region = cropToSign && entry.gtsrb ? crop(image, signBox(entry.gtsrb, image)) : image;
          rasters[place] = fitTo(region, target);
        } catch (error) {
          if (!(error instanceof NeuralCleanseError)) throw error;
          failed.push({ path: entry.path, reason: error.message });
        }
      });
      failed.sort((a, b) => (a.path < b.path ? -1 : 1));
      refuseUnreadable(source, failed, indices.length);

      const loaded = indices.filter((_, place) => rasters[place] !== undefined);
      const images = rasters.filter((raster) => raster !== undefined);
      const paths = loaded.map((index) => entries[index]!.path);
      return { ...pack(images, paths, source), indices: loaded, skipped: [...listing.skipped, ...failed] };
    },
  };
}

const decodeAny = async (bytes: Uint8Array, decode: ImageDecoder): Promise<Raster<Uint8Array>> =>
  isNetpbm(bytes) ? (await import('./netpbm.ts')).parseNetpbm(bytes) : decode(bytes);

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

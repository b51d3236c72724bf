import { isDeepStrictEqual } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { openDataset } from '../../src/data/files.ts';
import { openModel } from '../../src/data/model-file.ts';
import { preprocessPresets } from '../../src/data/preprocess.ts';
import type { InversionShared } from '../../src/detect/invert-task.ts';
import { presets } from '../../src/detect/presets.ts';
import { prepareClassifier } from '../../src/model/classifier.ts';
import { type BlobRef, refOf } from '../../src/queue/blob.ts';
import { blobsOf, type PackedInputs, packInputs, unpackInputs } from '../../src/queue/inputs.ts';
import { fromJson, toJson } from '../../src/queue/json.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { cornerInputs } from './support.ts';

let corner: InversionShared;
beforeAll(async () => {
  corner = await cornerInputs();
});

const reader =
  ({ blobs }: PackedInputs) =>
  async ({ sha256 }: BlobRef): Promise<Uint8Array> =>
    blobs.get(sha256)!;

const unpack = (packed: PackedInputs): Promise<InversionShared> => unpackInputs(packed.ref, reader(packed));

/** What a manifest holds, changed. */
function changed(packed: PackedInputs, change: (manifest: Record<string, object>) => void): PackedInputs {
  const manifest = fromJson(Buffer.from(packed.blobs.get(packed.ref.sha256)!).toString());
  change(manifest as Record<string, object>);
  const bytes = Buffer.from(toJson(manifest));
  const ref = refOf(bytes);
  return { ref, blobs: new Map([...packed.blobs, [ref.sha256, bytes]]) };
}

describe('inputs of a scan as blobs', () => {
  it('come back with all that inversions depend on', async () => {
    for (const settings of Object.values(presets)) {
      const shared = { ...corner, settings, previews: true };
      const back = await unpack(packInputs(shared));
      expect(back.classifier).toEqual(shared.classifier);
      expect(back.images).toMatchObject({ ...shared.images, source: back.images.source });
      expect({ ...back, classifier: 0, images: 0 }).toEqual({
        ...{ ...shared, classifier: 0, images: 0 },
        preprocess: { ...shared.preprocess, name: 'given' },
      });
    }
  });

  it('hold the graph of a trained network exactly', async () => {
    const { model } = await openModel('samples/signs.onnx');
    const classifier = await prepareClassifier(nodeRuntime, model);
    const images = await openDataset('samples/signs.npz');
    const back = await unpack(packInputs({ ...corner, classifier, images }));
    expect(isDeepStrictEqual(back.classifier, classifier)).toBe(true);
    expect(isDeepStrictEqual(back.images.images, images.images)).toBe(true);
    expect(isDeepStrictEqual(back.images.labels, images.labels)).toBe(true);
  });

  it('may have float pixels, and no labels', async () => {
    const { labels: _labels, ...images } = corner.images;
    const pixels = Float32Array.from(images.images, (v) => v / 255);
    const back = await unpack(
      packInputs({ ...corner, images: { ...images, images: pixels, range: [0, 1] } }),
    );
    expect(back.images.images).toEqual(pixels);
    expect(back.images.labels).toBeUndefined();
  });

  it('have one hash for equal work, whatever it is called', () => {
    const renamed = { ...corner.preprocess, name: 'range=1;mean=0;std=1' };
    expect(packInputs({ ...corner, preprocess: renamed }).ref).toEqual(packInputs(corner).ref);
  });

  it.each<[string, Partial<InversionShared>]>([
    ['seed', { seed: 1 }],
    ['settings', { settings: presets.paper }],
    ['preprocessing', { preprocess: preprocessPresets.tf }],
  ])('have another hash for another %s', (_, other) => {
    expect(packInputs({ ...corner, ...other }).ref.sha256).not.toBe(packInputs(corner).ref.sha256);
  });

  it('name all blobs but the manifest', () => {
    const { ref, blobs } = packInputs(corner);
    const named = blobsOf(blobs.get(ref.sha256)!);
    expect([...named.map(({ sha256 }) => sha256), ref.sha256].toSorted()).toEqual(
      [...blobs.keys()].toSorted(),
    );
  });

  it.each<[string, (manifest: Record<string, object>) => void]>([
    ['an unknown setting', ({ settings }) => Object.assign(settings!, { surprise: 1 })],
    [
      'a path for a hash',
      ({ images }) => Object.assign(images!, { pixels: { sha256: '../../etc', bytes: 1 } }),
    ],
    ['a missing field', (manifest) => delete (manifest as { seed?: object }).seed],
    ['labels in place of pixels', ({ images }) => Object.assign(images!, { pixels: Object(images).labels })],
  ])('are refused with %s', async (_, change) => {
    await expect(unpack(changed(packInputs(corner), change))).rejects.toMatchObject({
      code: 'QUEUE_JOB_INVALID',
    });
  });
});

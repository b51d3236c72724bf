import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { blobTree } from '../../src/data/blob-tree.ts';
import { openModel, saveModel } from '../../src/data/model-file.ts';
import { openModelIn } from '../../src/data/model-tree.ts';
import type { FileTree } from '../../src/data/tree.ts';

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url));
const sample = fileURLToPath(new URL('../../samples/digits.onnx', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'nc-model-tree-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Files as a page gets them. */
const given = (...paths: string[]): FileTree =>
  blobTree(
    '',
    paths.map((path) => ({ path: basename(path), blob: new Blob([readFileSync(path)]) })),
  );

describe('a model from files in memory', () => {
  const external = join(folder, 'external.onnx');
  it.each([
    ['ONNX', () => [sample]],
    ['ONNX with its data beside it', () => [external, `${external}.data`]],
    ['Keras in HDF5', () => [join(fixtures, 'keras/channels_last_1.2_h5.h5')]],
    ['Keras in an archive', () => [join(fixtures, 'keras/transfer_2.15_keras.keras')]],
    [
      'TensorFlow.js',
      () =>
        ['model.json', 'shard1.bin', 'shard2.bin'].map((name) => join(fixtures, 'keras/tfjs_chain', name)),
    ],
  ])('is what Node opens: %s', async (_, paths) => {
    await saveModel(external, (await openModel(sample)).model, { externalFromBytes: 64 });
    const expected = await openModel(paths()[0]!);
    const { model, format, sha256, name } = await openModelIn(given(...paths()));
    expect({ format, sha256, name }).toEqual({
      format: expected.format,
      sha256: expected.sha256,
      name: basename(paths()[0]!),
    });
    expect(model.graph).toEqual(expected.model.graph);
  });

  it('needs its data files', async () => {
    await expect(openModelIn(given(external))).rejects.toMatchObject({
      code: 'EXTERNAL_DATA_MISSING',
      message: expect.stringContaining('"external.onnx.data", which was not given'),
    });
    const cut = blobTree('', [
      { path: 'external.onnx', blob: new Blob([readFileSync(external)]) },
      { path: 'external.onnx.data', blob: new Blob([new Uint8Array(8)]) },
    ]);
    await expect(openModelIn(cut)).rejects.toMatchObject({ code: 'EXTERNAL_DATA_MISSING' });
  });

  it('is one file', async () => {
    await expect(openModelIn(given())).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
    await expect(
      openModelIn(given(sample, join(fixtures, 'keras/transfer_2.15_keras.keras'))),
    ).rejects.toThrow('2 files may be the model: digits.onnx, transfer_2.15_keras.keras.');
  });
});

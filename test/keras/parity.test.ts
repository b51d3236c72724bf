import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { openModel } from '../../src/data/model-file.ts';
import { compareWithKeras, kerasFileOf } from '../support/keras-reference.ts';

const folder = fileURLToPath(new URL('../fixtures/keras/', import.meta.url));
const stems = readdirSync(folder)
  .filter((name) => name.endsWith('.npz'))
  .map((name) => name.slice(0, -'.npz'.length));

/** Layers that a file shows in its outputs; together all that can be converted. */
const outputs: Readonly<Record<string, number>> = {
  'activations_3.15_h5': 36,
  'branches_1.2_h5': 6,
  'channels_first_1.2_h5': 1,
  'channels_first_2.2_h5': 16,
  'channels_last_1.2_h5': 1,
  'convolutions_2.15_h5': 13,
  'merging_3.15_keras': 11,
  'normalisation_3.15_keras': 16,
  'open_size_3.15_keras': 1,
  'operations_2.15_h5': 27,
  'operations_3.15_h5': 27,
  'pooling_2.15_h5': 10,
  'reshaping_2.15_h5': 24,
  'sequences_1.2_h5': 6,
  'sequences_2.15_h5': 15,
  'sharing_2.2_h5': 3,
  'sharing_3.15_keras': 3,
  tfjs_branches: 1,
  tfjs_chain: 1,
  tfjs_float16: 1,
  tfjs_uint16: 1,
  tfjs_uint8: 1,
  'transfer_2.15_keras': 1,
};

it('there is a reference for every version', () => {
  expect(stems.toSorted()).toEqual(Object.keys(outputs).toSorted());
});

it.each(stems)('%s answers as Keras does', async (stem) => {
  const open = async () => (await openModel(kerasFileOf(folder + stem))).model;
  const deviation = await compareWithKeras(folder + stem, open);
  expect(deviation.outputs.filter(({ difference }) => !(difference <= 1e-5))).toEqual([]);
  expect(deviation.outputs).toHaveLength(outputs[stem]!);
});

import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { findObstacles } from '../../src/autodiff/obstacles.ts';
import { openModel } from '../../src/data/model-file.ts';
import { canonicalize } from '../../src/model/canonical.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { probe } from '../../src/runtime/probe.ts';
import { kerasFileOf } from '../support/keras-reference.ts';
import { readNpz } from '../support/reference.ts';

const folder = fileURLToPath(new URL('../fixtures/keras/', import.meta.url));

it.each([
  'activations_3.15_h5',
  'convolutions_2.15_h5',
  'merging_3.15_keras',
  'normalisation_3.15_keras',
  'open_size_3.15_keras',
  'operations_3.15_h5',
  'pooling_2.15_h5',
  'reshaping_2.15_h5',
  'sequences_2.15_h5',
  'channels_first_2.2_h5',
])('%s can be differentiated', async (stem) => {
  const model = canonicalize((await openModel(kerasFileOf(folder + stem))).model);
  const [input] = model.graph.inputs;
  const types = await probe(nodeRuntime, model, {
    [input!.name]: readNpz(`${folder}${stem}.npz`).get('x0')!,
  });
  expect(findObstacles(model.graph, types, { wrt: [input!.name] }).map((error) => error.message)).toEqual([]);
});

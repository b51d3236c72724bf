/** A process that trains with a checkpoint in the folder named by its argument and writes the model there, to be killed. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { saveModel } from '../../src/data/model-file.ts';
import { replaceFiles } from '../../src/data/replace-files.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { augmented } from '../../src/train/augment.ts';
import type { CheckpointStore } from '../../src/train/checkpoint.ts';
import { train } from '../../src/train/train.ts';
import { trainingSet } from '../../src/train/training-set.ts';
import { kerasLike, settings } from './models.ts';
import { stripes } from './parity-cases.ts';

const folder = process.argv[2]!;
const path = join(folder, 'checkpoint');
const checkpoint: CheckpointStore = {
  load: () => readFile(path).catch(() => undefined),
  save: (bytes) => replaceFiles([{ path, parts: [{ offset: 0, bytes }] }]),
};
const images = trainingSet(stripes(88, 8, 3, 4));
const light = { shift: 1, rotation: 10, brightness: 0.2, flip: true };
const { model } = await train(
  nodeRuntime,
  kerasLike(),
  augmented(images, light, 1),
  { ...settings, epochs: 12, earlyStop: { patience: 12 } },
  { checkpoint, checkpointSteps: 2, validation: images },
);
await saveModel(join(folder, 'model.onnx'), model);

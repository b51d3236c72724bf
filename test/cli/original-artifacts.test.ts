/** What users of the original project have: its data file, its triggers and its results, taken as they are. */

import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { File, ready } from 'h5wasm/node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { saveModel } from '../../src/data/model-file.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { splice } from '../../src/passes/splice.ts';
import { scanResult } from '../../src/report/result.ts';
import { classes, cornerImages, cornerModel, target } from './corner-model.ts';
import { buildProgram, type Finished, type Program } from './program.ts';

const folder = mkdtempSync(join(tmpdir(), 'nc-original-'));
const inFolder = (...parts: string[]): string => join(folder, ...parts);
const dataFile = 'gtsrb_dataset_int.h5';
let program: Program;
let scanned: Finished;

/** The corner model as Keras lays it out: channels last, raw pixels in [0, 255], softmax at the end. */
async function saveRawModel(path: string): Promise<void> {
  const b = new GraphBuilder();
  const pixels = b.input('input_1', 'float32', ['N', 8, 8, 1]);
  const planes = b.op('Mul', [b.reshape(pixels, [-1, 1, 8, 8]), b.scalar(1 / 255)]);
  splice(b, cornerModel().graph, [planes], ['scores']);
  b.output(b.op('Softmax', ['scores']), 'float32', ['N', classes], 'probabilities');
  await saveModel(path, canonicalModel(b.build()));
}

/** `X_train`, `Y_train`, `X_test` and `Y_test`: images [N,H,W,C], labels one-hot. The training part is of no use. */
async function saveDataFile(path: string): Promise<void> {
  await ready;
  const { images, labels } = cornerImages();
  const [count = 0] = labels.dims;
  const oneHot = new Float64Array(count * classes);
  labels.data.forEach((label, i) => {
    oneHot[i * classes + label] = 1;
  });
  const file = new File(path, 'w');
  file.create_dataset({ name: 'X_train', data: new Uint8Array(2 * 64), shape: [2, 8, 8, 1] });
  file.create_dataset({ name: 'Y_train', data: oneHot.slice(0, 2 * classes), shape: [2, classes] });
  file.create_dataset({ name: 'X_test', data: images.data, shape: [count, 8, 8, 1] });
  file.create_dataset({ name: 'Y_test', data: oneHot, shape: [count, classes] });
  file.close();
}

beforeAll(async () => {
  program = await buildProgram();
  await saveRawModel(inFolder('model.onnx'));
  await saveDataFile(inFolder(dataFile));
  const scan = ['scan', 'model.onnx', '--data', dataFile, '--preset', 'paper', '--preprocess', 'raw255'];
  // Fewer steps than the 1000 of the original, to be quick.
  scanned = await program.run([...scan, '--steps', '60', '--out', 'results'], { cwd: folder });
});
afterAll(() => {
  program.remove();
  rmSync(folder, { recursive: true, force: true });
});

it('its data file is scanned with its own loop', () => {
  expect(scanned.code).toBe(1);
  expect(scanned.stdout).toContain('\nVerdict: backdoored\n');
  const result = scanResult.parse(JSON.parse(readFileSync(inFolder('results', 'scan.json'), 'utf8')));
  expect(result.preflight).toMatchObject({ accuracy: 1 });
  expect(result.outliers?.flagged).toEqual([target]);
  expect(result.model).toMatchObject({ classes, input: { layout: 'NHWC' } });
});

it('its result folder of pictures has the same norms, and its triggers still work', async () => {
  // Pictures are all that the original leaves.
  mkdirSync(inFolder('pictures'));
  for (let label = 0; label < classes; label++) {
    for (const kind of ['mask', 'pattern', 'fusion']) {
      const name = `gtsrb_visualize_${kind}_label_${label}.png`;
      copyFileSync(inFolder('results', name), inFolder('pictures', name));
    }
  }
  const outliers = await program.run(['outliers', 'pictures'], { cwd: folder });
  expect(outliers.stdout).toMatch(new RegExp(`^flagged label list: ${target}: `, 'm'));

  const trigger = `./pictures:label=${target}`;
  const evaluate = [
    'evaluate',
    'model.onnx',
    '--data',
    dataFile,
    '--preprocess',
    'raw255',
    '--format',
    'json',
  ];
  const evaluated = await program.run([...evaluate, '--trigger', trigger, '--target', String(target)], {
    cwd: folder,
  });
  expect(evaluated.code).toBe(0);
  expect(JSON.parse(evaluated.stdout).attacks[0].asr.share).toBeGreaterThan(0.95);
});

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readModel } from '../../src/onnx/read.ts';
import { input, layer, sequential } from '../keras/support.ts';
import { compareWithKeras } from '../support/keras-reference.ts';
import { buildProgram, type Program } from './program.ts';

const folder = mkdtempSync(join(tmpdir(), 'nc-convert-'));
const fixtures = fileURLToPath(new URL('../fixtures/keras/', import.meta.url));
let program: Program;

beforeAll(async () => {
  program = await buildProgram();
});
afterAll(() => {
  program.remove();
  rmSync(folder, { recursive: true, force: true });
});

it('writes an ONNX file that answers as Keras does', async () => {
  const out = join(folder, 'net.onnx');
  const stem = `${fixtures}transfer_2.15_keras`;
  const { code, stdout } = await program.run(['convert', `${stem}.keras`, out]);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/inputs +base_input float32 \[N, 10, 9, 3\]/)]);
  const { largest } = await compareWithKeras(stem, async () => readModel(readFileSync(out)));
  expect(largest).toBeLessThan(1e-5);
});

it('other commands take the Keras file as it is', async () => {
  const { code, stdout } = await program.run([
    'inspect',
    `${fixtures}transfer_2.15_keras.keras`,
    '--steps',
    '0',
  ]);
  expect([code, stdout]).toEqual([0, expect.stringContaining('this model can be scanned')]);
  expect(stdout).toMatch(/format +Keras, converted to ONNX opset 21/);
});

it.each([
  ['an output of another kind', [`${fixtures}transfer_2.15_keras.keras`, 'net.h5'], 4, 'USAGE'],
  ['weights without an architecture', [`${fixtures}deepid.json`, 'net.onnx'], 2, 'KERAS_INCOMPLETE'],
])('%s ends in an error', async (_, args, code, name) => {
  const finished = await program.run(['convert', ...args], { cwd: folder });
  expect([finished.code, finished.stdout]).toEqual([code, '']);
  expect(finished.stderr).toContain(`error ${name}: `);
});

it('a layer that cannot be converted counts as not supported', async () => {
  const json = { ...sequential(input('x', 8), layer('LSTM', 'memory')) };
  const model = { format: 'layers-model', modelTopology: json, weightsManifest: [] };
  writeFileSync(join(folder, 'model.json'), JSON.stringify(model));
  const { code, stderr } = await program.run(['convert', 'model.json', 'net.onnx'], { cwd: folder });
  expect([code, stderr]).toEqual([
    3,
    expect.stringContaining('error KERAS_LAYER_UNSUPPORTED: model.json: Layer "memory"'),
  ]);
});

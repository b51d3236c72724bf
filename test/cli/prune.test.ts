import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readModel } from '../../src/onnx/read.ts';
import { evaluationReport } from '../../src/report/evaluation.ts';
import { pruneFile } from '../../src/report/mitigation-prune.ts';
import type { MitigationFolder } from './mitigation-run.ts';
import { scannedFolder, target } from './mitigation-run.ts';

let folder: MitigationFolder;
const prune = `prune model.onnx --data images --trigger run --labels ${target} --provider cpu`.split(' ');
const read = (name: string): Buffer => readFileSync(join(folder.path, name));

beforeAll(async () => {
  folder = await scannedFolder();
});
afterAll(() => folder.remove());

it('writes a model without the backdoor, and how it came to it', async () => {
  const { code, stdout } = await folder.run(...prune, '--out', 'pruned.onnx');
  expect(code).toBe(0);
  expect(stdout).toMatch(/of 8 neurons: accuracy .* -> .*, ASR of label 2: 100\.0 % -> /);
  expect(stdout).toContain('Written   pruned.onnx, pruned.curve.json, pruned.curve.svg');
  const { graph } = readModel(read('pruned.onnx'));
  const before = readModel(read('model.onnx')).graph;
  expect(graph.inputs).toEqual(before.inputs);
  expect(graph.outputs).toEqual(before.outputs);

  const { curves, config, form } = pruneFile.parse(JSON.parse(read('pruned.curve.json').toString()));
  const [{ points, chosen, reached, layer }] = curves as [(typeof curves)[number]];
  expect(config).toEqual({ layer: 'auto', targetAsr: 0.02, maxAccuracyLoss: 0.03, seed: 0 });
  expect(curves.map((curve) => curve.layer.name).sort()).toEqual(['last-conv', 'penultimate']);
  expect({ reached, form }).toEqual({ reached: true, form: 'weights' });
  expect(points[0]).toMatchObject({ pruned: 0, asr: [1] });
  expect(points.at(-1)!.pruned).toBe(layer.neurons);
  expect(points).toContainEqual(chosen);

  const svg = read('pruned.curve.svg').toString();
  expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/);
  expect(svg).toContain('ASR, reversed trigger 2');

  const words = `evaluate pruned.onnx --data images --preprocess unit --trigger square:size=2,margin=0 --target ${target} --format json`;
  const { stdout: json } = await folder.run(...words.split(' '));
  const { accuracy, attacks } = evaluationReport.parse(JSON.parse(json));
  expect(accuracy.share).toBeGreaterThan(0.95);
  expect(attacks[0]!.asr.share).toBeLessThan(0.05);
});

it('prunes the layer that is named, the same way each time', async () => {
  for (const name of ['a', 'b']) {
    const { code } = await folder.run(...prune, '--layer', 'map', '--out', `${name}.onnx`);
    expect(code).toBe(0);
  }
  const hash = (name: string): string => createHash('sha256').update(read(name)).digest('hex');
  expect(hash('a.onnx')).toBe(hash('b.onnx'));
  expect(hash('a.curve.json')).toBe(hash('b.curve.json'));
  const { curves } = pruneFile.parse(JSON.parse(read('a.curve.json').toString()));
  expect(curves.map(({ layer }) => layer.tensor)).toEqual(['map']);
});

describe('errors are named', () => {
  it.each<[string, string[], string, string]>([
    [
      'too few images of a class',
      prune.map((word) => (word === 'images' ? 'few' : word)),
      'DATA_TOO_FEW',
      '2 images of class 0',
    ],
    ['no model file as output', [...prune, '--out', 'pruned.txt'], 'USAGE', '.onnx'],
    ['a share above 1', [...prune, '--target-asr', '2'], 'SETTING_INVALID', '2'],
    ['the model as output', [...prune, '--out', 'model.onnx'], 'OUTPUT_EXISTS', 'the model itself'],
  ])('%s', async (_, words, code, message) => {
    const given = words.includes('--out') ? words : [...words, '--out', 'error.onnx'];
    const finished = await folder.run(...given);
    expect(finished.stderr).toContain(`error ${code}: `);
    expect(finished.stderr).toContain(message);
    expect(finished.code).not.toBe(0);
  });

  it('replaces the model itself only with --force, and says so', async () => {
    const { stderr, code } = await folder.run(...prune, '--out', 'model.onnx', '--force');
    expect(code).toBe(0);
    expect(stderr).toContain('model.onnx, the model itself, will be replaced.');
  });
});

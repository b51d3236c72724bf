import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { filterFile } from '../../src/mitigate/filter-file.ts';
import { readModel } from '../../src/onnx/read.ts';
import type { MitigationFolder } from './mitigation-run.ts';
import { scannedFolder, target } from './mitigation-run.ts';

let folder: MitigationFolder;
const make = `filter model.onnx --data images --trigger run --labels ${target} --provider cpu`.split(' ');
const file = (name: string): string => join(folder.path, name);

beforeAll(async () => {
  folder = await scannedFolder();
});
afterAll(() => folder.remove());

it('makes a filter and a model that scores its input', async () => {
  const { code, stdout, stderr } = await folder.run(
    ...make,
    '--out',
    'f.json',
    '--onnx',
    'scored.onnx',
    '--fpr',
    '0.1',
  );
  expect(stderr).not.toContain('Warning');
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /Layer {6}hidden: 4 of 8 neurons watched\nThreshold .*which rejects 10 % of clean images/,
  );
  const filter = filterFile.parse(JSON.parse(readFileSync(file('f.json'), 'utf8')));
  // That of the run.
  expect(filter.preprocess.name).toBe('unit');
  expect(filter).toMatchObject({ fpr: 0.1, run: 'run', detectors: [{ label: target }] });
  const { graph } = readModel(readFileSync(file('scored.onnx')));
  expect(graph.outputs.map(({ name }) => name)).toEqual(['scores', 'backdoor_score']);
});

it('scores new images, labelled or not', async () => {
  await folder.run(...make, '--out', 'apply.json');
  const words = 'filter model.onnx --data unlabelled --apply apply.json --provider cpu'.split(' ');
  const { code, stdout, stderr } = await folder.run(...words);
  expect(code).toBe(0);
  const { images, threshold } = JSON.parse(stdout) as {
    threshold: number;
    images: { image: number; score: number; rejected: boolean }[];
  };
  expect(images).toHaveLength(240);
  expect(images.every(({ score, rejected }) => rejected === score > threshold)).toBe(true);
  const rejected = images.filter((image) => image.rejected).length;
  expect(stderr).toContain(`${rejected} of 240 images are rejected`);
  const csv = await folder.run(...words, '--format', 'csv', '--out', 'scores.csv');
  expect(csv.stdout).toBe('');
  const lines = readFileSync(file('scores.csv'), 'utf8').split('\n');
  expect(lines[0]).toBe('image,score,rejected');
  expect(lines[3]).toBe(`2,${images[2]!.score},${images[2]!.rejected}`);
});

describe('errors are named', () => {
  it.each<[string, string[], string, string]>([
    [
      'nothing flagged',
      make.filter((word) => !['--labels', String(target)].includes(word)),
      'NOTHING_FLAGGED',
      '--labels N',
    ],
    [
      'no labels of images',
      make.map((word) => (word === 'images' ? 'unlabelled' : word)),
      'DATA_UNLABELLED',
      'unlabelled',
    ],
    ['no such layer', [...make, '--layer', 'nowhere'], 'LAYER_NOT_FOUND', 'nowhere'],
    ['the model as output', [...make, '--onnx', 'model.onnx'], 'OUTPUT_EXISTS', 'the model itself'],
    [
      'no filter',
      ['filter', 'model.onnx', '--data', 'images', '--apply', 'run/scan.json'],
      'FILTER_INVALID',
      'scan.json',
    ],
    [
      'the filter in place of the model',
      [...make, '--onnx', './error.json'],
      'USAGE',
      'error.json would hold both the filter and the model with its score.',
    ],
    ['no way', ['filter', 'model.onnx', '--data', 'images'], 'USAGE', '--trigger'],
  ])('%s', async (_, words, code, message) => {
    const finished = await folder.run(...words, '--out', 'error.json');
    expect(finished.stderr).toContain(`error ${code}: `);
    expect(finished.stderr).toContain(message);
    expect(finished.code).not.toBe(0);
    expect(existsSync(file('error.json'))).toBe(false);
  });

  it('a filter of another model', async () => {
    await folder.run(...make, '--out', 'mine.json');
    const words = 'filter other.onnx --data images --apply mine.json'.split(' ');
    expect((await folder.run(...words)).stderr).toContain(
      'error FILTER_INVALID: mine.json was made for model.onnx',
    );
  });

  it('a file that exists, which --force replaces', async () => {
    writeFileSync(file('old.json'), 'old');
    const refused = await folder.run(...make, '--out', 'old.json');
    expect(refused.stderr).toContain('error OUTPUT_EXISTS: old.json exists already');
    expect(readFileSync(file('old.json'), 'utf8')).toBe('old');
    expect((await folder.run(...make, '--out', 'old.json', '--force')).code).toBe(0);
    expect(readFileSync(file('old.json'), 'utf8')).not.toBe('old');
  });
});

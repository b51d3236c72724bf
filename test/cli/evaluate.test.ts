import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeTrigger } from '../../src/data/trigger-files.ts';
import { evaluationReport } from '../../src/report/evaluation.ts';
import { solidSquare } from '../../src/triggers/patterns.ts';
import { renderTrigger } from '../../src/triggers/render.ts';
import { classes, cornerImages, saveArrays, saveCornerModel, target } from './corner-model.ts';
import { buildProgram, type Finished, type Program } from './program.ts';

const folder = mkdtempSync(join(tmpdir(), 'nc-evaluate-'));
let program: Program;
const evaluate = (...options: string[]): Promise<Finished> =>
  program.run(['evaluate', 'model.onnx', '--data', 'images', ...options], { cwd: folder });
const corner = `--trigger square:size=2,margin=0 --target ${target}`.split(' ');
const unit = ['--preprocess', 'unit'];
const others = 160 - 160 / classes;

beforeAll(async () => {
  program = await buildProgram();
  await saveCornerModel(join(folder, 'model.onnx'));
  const { images, labels } = cornerImages();
  saveArrays(join(folder, 'images'), images, labels);
  saveArrays(join(folder, 'unlabelled'), images);
  saveArrays(join(folder, 'saved'), images);
  const trigger = solidSquare([8, 8, 1], [6, 6, 2, 2]);
  for (const label of [2, target]) {
    await writeTrigger(join(folder, 'saved'), { label }, renderTrigger(trigger), trigger);
  }
});
afterAll(() => {
  program.remove();
  rmSync(folder, { recursive: true, force: true });
});

it('finds the preprocessing, and says how accurate the model is', async () => {
  const { code, stdout, stderr } = await evaluate();
  expect(code).toBe(0);
  expect(stderr).toContain('Preflight on 160 images');
  expect(stdout).toMatch(
    /^Model {2}model\.onnx: 8×8×1, 8 classes, sha256 [0-9a-f]{12}…\nData {3}images: 160 images/,
  );
  expect(stdout).toContain('Clean accuracy       100.00 %  [97.66, 100.00]  160 of 160');
  expect(stdout).toMatch(/Most confused\n {2}none\n$/);
});

it('says how often triggers work', async () => {
  const { code, stdout } = await evaluate(
    ...unit,
    ...corner,
    '--trigger',
    'sinusoid:delta=1',
    '--format',
    'json',
  );
  expect(code).toBe(0);
  const { attacks, confusion, preprocess } = evaluationReport.parse(JSON.parse(stdout));
  expect(preprocess).toBe('unit');
  expect(attacks).toMatchObject([
    {
      trigger: 'square:size=2,at=bottom-right,margin=0,colour=255',
      target,
      asr: { count: others, total: others },
    },
    { trigger: 'sinusoid:delta=1,frequency=6', target, asr: { count: 0, total: others } },
  ]);
  expect(confusion).toEqual(
    Array.from({ length: classes }, (_, label) => ({ label, predicted: label, count: 20 })),
  );
});

it('takes a saved trigger of the target from a folder', async () => {
  const { stdout } = await evaluate(...unit, '--trigger', './saved', '--target', String(target));
  expect(stdout).toContain(`Attack success     100.00 %  [97.33, 100.00]  ${others} of ${others}`);
  const other = await evaluate(...unit, '--trigger', './saved:label=2', '--target', '1');
  expect(other.stdout).toContain(`Attack success     0.00 %  [0.00, 2.67]  0 of ${others}`);
});

it('tells the sources of an attack from the classes that it leaks to', async () => {
  const { stdout } = await evaluate(...unit, ...corner, '--sources', '0,1');
  expect(stdout).toContain(`source-specific: classes 0, 1 become ${target}`);
  expect(stdout).toContain('Attack success     100.00 %  [91.24, 100.00]  40 of 40');
  expect(stdout).toContain('Leakage to others  100.00 %  [96.30, 100.00]  100 of 100');
});

it('counts one in eight as success where each class shall become the next', async () => {
  const { stdout } = await evaluate(...unit, ...corner.slice(0, 2), '--policy', 'all-to-all');
  expect(stdout).toContain('all-to-all: each class becomes the next');
  expect(stdout).toContain('20 of 160');
});

describe('errors are named', () => {
  it.each<[string, string, number, string]>([
    ['--trigger sqare --target 1', 'TRIGGER_UNKNOWN', 4, 'square, noise, image'],
    ['--trigger square --target 8', 'TARGET_OUT_OF_RANGE', 2, 'labels go from 0 to 7'],
    ['--trigger ./saved --policy all-to-all', 'TRIGGERS_AMBIGUOUS', 2, './saved:label=2'],
    ['--trigger image:pattern=missing.png --target 1', 'DATA_NOT_FOUND', 2, 'missing.png'],
    ['--trigger image:pattern=images/x.npy --target 1', 'DATA_CORRUPT', 2, 'images/x.npy'],
    ['--truth wrong.json', 'TRUTH_INVALID', 2, 'wrong.json'],
    ['--data unlabelled', 'DATA_UNLABELLED', 2, 'unlabelled'],
  ])('%s: %s', async (options, code, exit, message) => {
    writeFileSync(join(folder, 'wrong.json'), '{"schemaVersion": 1}');
    const finished = await evaluate(...unit, ...options.split(' '));
    expect(finished.stderr).toContain(`error ${code}: `);
    expect(finished.stderr).toContain(message);
    expect(finished).toMatchObject({ code: exit, stdout: '' });
  });
});

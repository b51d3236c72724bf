import { appendFileSync, cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readModel } from '../../src/onnx/read.ts';
import { repairReport } from '../../src/report/repair.ts';
import { type MitigationFolder, scannedFolder, target } from './mitigation-run.ts';

let folder: MitigationFolder;
const common = `--data images --provider cpu --threads 2 --learning-rate 0.05 --inversions 1`.split(' ');
const unlearn = ['unlearn', 'model.onnx', ...common, '--trigger', 'run', '--labels', String(target)];
const truth = ['--true-trigger', 'square:size=2,margin=0', '--target', String(target)];
const read = (name: string): Buffer => readFileSync(join(folder.path, name));

beforeAll(async () => {
  folder = await scannedFolder();
});
afterAll(() => folder.remove());

it('writes a model without the backdoor, and what it has measured', async () => {
  const { code, stdout, stderr } = await folder.run(...unlearn, ...truth, '--control', '--out', 'out/a.onnx');
  expect(stderr).toContain('Training at learning rate 0.05.');
  expect(code).toBe(0);
  expect(stdout).toMatch(/Round 1 {2}label 2 \(asked for\); 11 triggers unlearned at rate 0\.05/);
  expect(stdout).toContain('is no proof of repair');
  const report = repairReport.parse(JSON.parse(read('out/a.json').toString()));
  expect(report).toMatchObject({
    method: 'unlearn',
    data: { train: 96, check: 24, measure: 120, pseudoLabels: null },
    last: null,
    remaining: null,
    output: { name: 'a.onnx' },
  });
  const { before, after, control } = report.measured;
  expect(before.truth[0]!.asr.share).toBe(1);
  expect(after.truth[0]!.asr.share).toBeLessThan(0.05);
  expect(after.reversed[0]!.asr.share).toBeLessThan(0.05);
  expect(control!.truth[0]!.asr.share).toBeGreaterThan(0.9);
  expect(after.accuracy.share).toBeGreaterThan(before.accuracy.share - 0.02);
  // A page of its own: the scan, and the repair.
  const page = read('out/a.html').toString();
  expect(page).toContain('ASR of the true trigger square:size=2');
  expect(page).toContain('Without triggers');
  const [original, repaired] = ['model.onnx', 'out/a.onnx'].map((name) => readModel(read(name)));
  expect(repaired!.graph.inputs).toEqual(original!.graph.inputs);
  expect(repaired!.graph.outputs).toEqual(original!.graph.outputs);
});

it('takes images without labels when told to, and refuses them otherwise', async () => {
  const words = [...unlearn, '--data', 'unlabelled', '--out', 'pseudo.onnx'];
  const refused = await folder.run(...words);
  expect(refused.stderr).toContain('error DATA_UNLABELLED');
  const { code, stdout } = await folder.run(...words, ...truth, '--pseudo-labels', '--format', 'json');
  expect(code).toBe(0);
  const { data, measured } = repairReport.parse(JSON.parse(stdout));
  expect(data.pseudoLabels!.rejected).toBeLessThan(40);
  expect(measured.after.truth[0]!.asr.share).toBeLessThan(0.05);
});

it('reads the log of the run before anything is trained', async () => {
  cpSync(join(folder.path, 'run'), join(folder.path, 'older'), { recursive: true });
  appendFileSync(join(folder.path, 'older/labels.jsonl'), '{"label":"2"}\n{}\n');
  const words = unlearn.map((word) => (word === 'run' ? 'older' : word));
  const { code, stderr } = await folder.run(...words, '--out', 'late.onnx');
  expect(code).not.toBe(0);
  expect(stderr).toContain('error RUN_CORRUPT');
  expect(stderr).not.toContain('Training');
});

describe('what cannot work is named', () => {
  const cases: Record<string, [words: string[], code: number, message: string | RegExp]> = {
    'the run of another model': [
      ['unlearn', 'other.onnx', ...common, '--trigger', 'run', '--labels', '2', '--out', 'x.onnx'],
      2,
      'error RUN_MISMATCH',
    ],
    'nothing flagged': [
      ['unlearn', 'model.onnx', ...common, '--trigger', 'run', '--out', 'x.onnx'],
      2,
      'error NOTHING_FLAGGED',
    ],
    'no run': [
      ['unlearn', 'model.onnx', ...common, '--trigger', 'images', '--out', 'x.onnx'],
      2,
      'error RUN_NOT_FOUND',
    ],
    'a label without a trigger': [
      ['unlearn', 'model.onnx', ...common, '--trigger', 'run', '--labels', '9', '--out', 'x.onnx'],
      2,
      'error TRIGGERS_NOT_FOUND',
    ],
    'too few images of a class': [
      [...unlearn, '--data', 'few', '--out', 'x.onnx'],
      2,
      /error DATA_TOO_FEW: few has 2 images of class 0, and 3 of each class are needed/,
    ],
    'the model itself as output': [[...unlearn, '--out', 'model.onnx'], 2, 'error OUTPUT_EXISTS'],
    'the model in place of its report': [
      [...unlearn, '--out', 'x.json', '--force'],
      4,
      'error USAGE: x.json would hold both the model and its report.',
    ],
    'a share of all images': [[...unlearn, '--share', '1', '--out', 'x.onnx'], 4, 'error USAGE: --share'],
    'a target without a trigger': [
      [...unlearn, '--target', '1', '--out', 'x.onnx'],
      4,
      '--target is there, but no --true-trigger',
    ],
    'a target that is no class': [
      [...unlearn, '--true-trigger', 'square:size=2', '--target', '9', '--out', 'x.onnx'],
      2,
      'error TARGET_OUT_OF_RANGE',
    ],
    'a truth file that is none': [
      [...unlearn, '--truth', 'model.onnx', '--out', 'x.onnx'],
      2,
      'error TRUTH_INVALID',
    ],
  };
  it.each(Object.entries(cases))('%s', async (_, [words, code, message]) => {
    const finished = await folder.run(...words);
    expect(finished.stderr).toMatch(message);
    expect(finished.code).toBe(code);
    expect(finished.stdout).toBe('');
  });
});

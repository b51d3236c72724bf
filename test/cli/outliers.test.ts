import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodePng } from '../../src/data/png.ts';
import { scanResult } from '../../src/report/result.ts';
import { cornerImages, saveArrays, saveCornerModel, target } from './corner-model.ts';
import { buildProgram, type Finished, type Program } from './program.ts';

const folder = mkdtempSync(join(tmpdir(), 'nc-outliers-'));
const inFolder = (...parts: string[]): string => join(folder, ...parts);
let program: Program;
const outliers = (...args: string[]): Promise<Finished> =>
  program.run(['outliers', ...args], { cwd: folder });

/** Saves masks of these many opaque pixels, as the original names them. */
async function saveMasks(name: string, sizes: readonly number[]): Promise<void> {
  mkdirSync(inFolder(name), { recursive: true });
  for (const [label, size] of sizes.entries()) {
    const data = Uint8Array.from({ length: 256 }, (_, i) => (i < size ? 255 : 0));
    const picture = encodePng({ height: 16, width: 16, channels: 1, data });
    writeFileSync(inFolder(name, `gtsrb_visualize_mask_label_${label}.png`), picture);
  }
}

beforeAll(async () => {
  program = await buildProgram();
  await saveMasks('original', [60, 64, 70, 9, 66, 58, 72, 61]);
  await saveMasks('few', [60, 64, 9]);
  await saveCornerModel(inFolder('model.onnx'));
  const { images, labels } = cornerImages();
  saveArrays(inFolder('images'), images, labels);
  const scan = ['scan', 'model.onnx', '--data', 'images', '--preprocess', 'unit', '--out', 'run'];
  await program.run([...scan, '--steps', '100'], { cwd: folder });
});
afterAll(() => {
  program.remove();
  rmSync(folder, { recursive: true, force: true });
});

it('prints the three lines of the original about its masks, and then what the calibrated test says', async () => {
  const { code, stdout, stderr } = await outliers('original');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const lines = stdout.split('\n');
  expect(lines.slice(0, 4)).toEqual([
    'median: 62.500000, MAD: 5.930400',
    'anomaly index: 9.021314',
    'flagged label list: 3: 9.000000',
    '',
  ]);
  expect(lines[4]).toBe('calibrated, on log L1 of 8 labels (8-bit masks):');
  expect(stdout).toMatch(/\nmedian 62\.4\d pixels, scale 0\.1\d\d\n/);
  expect(stdout).toMatch(/\nflagged:\n {2}label 3: L1 9\.00, index 1\d\.\d\d, p = 0\.\d+\n$/);
});

it('says that few masks cannot be compared', async () => {
  const { code, stdout } = await outliers('few');
  expect(code).toBe(2);
  expect(stdout).toMatch(
    /^median: 60\.000000, MAD: .*\n.*\n.*\n\nNo calibrated index: 3 labels, and at least 5 are needed/,
  );
});

it('takes the exact norms of a run, finished or not, and agrees with its result', async () => {
  const saved = scanResult.parse(JSON.parse(readFileSync(inFolder('run', 'scan.json'), 'utf8')));
  const whole = JSON.parse((await outliers('run', '--json')).stdout);
  expect(whole).toMatchObject({ source: 'exact', ...saved.outliers });
  expect(whole.labels.map(({ label, l1 }: { label: number; l1: number }) => [label, l1])).toEqual(
    saved.labels.map(({ label, l1, compared }) => [label, compared ?? l1]),
  );

  // The result alone serves as well.
  mkdirSync(inFolder('result'));
  cpSync(inFolder('run', 'scan.json'), inFolder('result', 'scan.json'));
  expect(JSON.parse((await outliers('result', '--json')).stdout)).toEqual(whole);

  mkdirSync(inFolder('unfinished'));
  const lines = readFileSync(inFolder('run', 'labels.jsonl'), 'utf8').trim().split('\n');
  // Labels finish in no fixed order.
  const kept = lines.filter((line) => !/^\{"label":[67],/.test(line));
  writeFileSync(inFolder('unfinished', 'labels.jsonl'), `${kept.join('\n')}\n{"label`);
  const { code, stdout } = await outliers('unfinished');
  expect(code).toBe(0);
  expect(stdout).toContain('calibrated, on log L1 of 6 labels:');
  expect(stdout).toMatch(new RegExp(`flagged:\n {2}label ${target}: `));
});

it.each([
  ['a folder that does not exist', 'nowhere', /error TRIGGERS_NOT_FOUND: The folder nowhere cannot be read/],
  ['a file', 'model.onnx', /error TRIGGERS_NOT_FOUND: /],
  ['a folder without masks', 'images', /error TRIGGERS_NOT_FOUND: The folder images holds no saved masks/],
])('refuses %s', async (_, name, message) => {
  const { code, stdout, stderr } = await outliers(name);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(message);
});

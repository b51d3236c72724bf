import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { reportExtras } from '../../src/report/html/extras.ts';
import { cornerImages, saveArrays, saveCornerModel, target } from './corner-model.ts';
import { buildProgram, type Finished, type Program } from './program.ts';

const folder = mkdtempSync(join(tmpdir(), 'nc-report-'));
const inFolder = (...parts: string[]): string => join(folder, ...parts);
const read = (...parts: string[]): string => readFileSync(inFolder(...parts), 'utf8');
let program: Program;
const report = (...args: string[]): Promise<Finished> => program.run(['report', ...args], { cwd: folder });
const scan = (...args: string[]): Promise<Finished> =>
  program.run(['scan', 'model.onnx', '--data', 'images', '--preprocess', 'unit', '--steps', '100', ...args], {
    cwd: folder,
  });

beforeAll(async () => {
  program = await buildProgram();
  await saveCornerModel(inFolder('model.onnx'));
  const { images, labels } = cornerImages();
  saveArrays(inFolder('images'), images, labels);
  await scan('--out', 'run');
});
afterAll(() => {
  program.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** A page, with the fields of its embedded result in an order of their own. */
const page = (...parts: string[]): { readonly html: string; readonly result: unknown } => {
  const data = /(?<=<script id="scan" type="application\/json">).*?(?=<\/script>)/s;
  const html = read(...parts);
  return { html: html.replace(data, ''), result: JSON.parse(data.exec(html)![0]) };
};

/** A copy of the run with only these of its files. */
function copyRun(name: string, keep: (file: string) => boolean): void {
  mkdirSync(inFolder(name));
  for (const file of readdirSync(inFolder('run')).filter(keep)) {
    cpSync(inFolder('run', file), inFolder(name, file));
  }
}

it('a scan writes a report with examples of its flagged label', () => {
  const { examples, model } = reportExtras.parse(JSON.parse(read('run', 'report.json')));
  expect(examples).toMatchObject([{ label: target }]);
  const [{ images }] = examples as [(typeof examples)[number]];
  expect(images).toHaveLength(6);
  for (const { shows, before, after } of images) {
    expect(before.label).toBe(shows);
    expect(shows).not.toBe(target);
    expect(after).toMatchObject({ label: target });
  }
  // As the split has drawn them: classes in turn.
  expect(new Set(images.map(({ shows }) => shows)).size).toBe(6);
  expect(model.operators.length).toBeGreaterThan(0);
  expect(model.parameters).toBeGreaterThan(0);
  const { html } = page('run', 'report.html');
  expect(html.includes(images[0]!.stamped.uri)).toBe(true);
  expect(html.includes(`Label ${target}`)).toBe(true);
});

it('prints the page for --format html', async () => {
  const { code, stdout } = await scan('--out', 'run', '--resume', '--format', 'html');
  expect(code).toBe(1);
  expect(stdout === read('run', 'report.html')).toBe(true);
});

it('report writes the same page again without model and images', async () => {
  const written = page('run', 'report.html');
  copyRun('copy', (file) => file !== 'report.html');
  const finished = await report('copy');
  expect(finished).toMatchObject({ code: 0, stdout: 'copy/report.html\n', stderr: '' });
  expect(page('copy', 'report.html')).toEqual(written);

  expect(await report('copy', '--out', 'elsewhere.html')).toMatchObject({
    code: 0,
    stdout: 'elsewhere.html\n',
  });
  expect(page('elsewhere.html')).toEqual(written);
});

it('report shows what there is of an unfinished run', async () => {
  copyRun('unfinished', (file) => /^labels\.jsonl$|\.npy$/.test(file));
  const lines = read('run', 'labels.jsonl').split('\n');
  writeFileSync(inFolder('unfinished', 'labels.jsonl'), `${lines.slice(0, 4).join('\n')}\n{"label":`);
  expect(await report('unfinished')).toMatchObject({ code: 0 });
  expect(read('unfinished', 'report.html').includes('3 of 8 labels have a result so far')).toBe(true);
});

it('report leaves the result of a stopped scan aside once another run uses its folder', async () => {
  await scan('--out', 'reused', '--preprocess', 'mean=5');
  expect((await report('reused')).code).toBe(0);
  expect(read('reused', 'report.html').includes('<h1><span class="mark" aria-hidden="true">?</span>')).toBe(
    true,
  );
  cpSync(inFolder('run', 'labels.jsonl'), inFolder('reused', 'labels.jsonl'));
  expect((await report('reused')).code).toBe(0);
  expect(read('reused', 'report.html').includes('8 of 8 labels have a result so far')).toBe(true);
});

it('report says what is wrong with a folder', async () => {
  mkdirSync(inFolder('empty'));
  expect(await report('empty')).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('error RUN_NOT_FOUND: The folder empty holds no run.'),
  });
  copyRun('damaged', () => true);
  writeFileSync(inFolder('damaged', 'report.json'), '{}');
  expect((await report('damaged')).stderr).toContain('error RUN_CORRUPT: damaged/report.json');
  expect((await report('run', '--out', 'no/such/folder/r.html')).stderr).toContain('error FILE_NOT_WRITTEN');
});

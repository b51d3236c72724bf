import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BatchResult, batchResult } from '../../src/report/batch-result.ts';
import { scanResult, withoutTimings } from '../../src/report/result.ts';
import { cornerImages, saveArrays, saveCornerModel, target } from './corner-model.ts';
import { buildProgram, type Finished, type Program } from './program.ts';

const folder = mkdtempSync(join(tmpdir(), 'nc-batch-'));
const inFolder = (...parts: string[]): string => join(folder, ...parts);
const read = (...parts: string[]): string => readFileSync(inFolder(...parts), 'utf8');

let program: Program;
const usual = ['--data', 'images', '--preprocess', 'unit', '--threads', '2'];
const run = (...args: string[]): Promise<Finished> => program.run(['scan', ...args], { cwd: folder });
const batchIn = (name: string): BatchResult => batchResult.parse(JSON.parse(read(name, 'batch.json')));
const runsIn = (name: string): string[] =>
  readdirSync(inFolder(name), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();

/** Two models with a verdict, two without, a copy of one of them, and files that are no models. */
let finished: Finished;
beforeAll(async () => {
  program = await buildProgram();
  const { images, labels } = cornerImages();
  saveArrays(inFolder('images'), images, labels);
  mkdirSync(inFolder('models/older'), { recursive: true });
  await saveCornerModel(inFolder('models/backdoored.onnx'));
  await saveCornerModel(inFolder('models/ordinary.onnx'), { backdoor: false });
  copyFileSync(inFolder('models/ordinary.onnx'), inFolder('models/ordinary-copy.onnx'));
  copyFileSync(inFolder('models/ordinary.onnx'), inFolder('models/older/ordinary.onnx'));
  writeFileSync(inFolder('models/broken.onnx'), 'this is no protobuf at all');
  writeFileSync(inFolder('models/backdoored.truth.json'), '{}');
  writeFileSync(inFolder('models/.hidden.onnx'), '');
  finished = await run(
    'models',
    'missing.onnx',
    ...usual,
    '--out',
    'reference',
    '--format',
    'text,json,sarif,junit',
  );
});
afterAll(() => {
  program.remove();
  rmSync(folder, { recursive: true, force: true });
});

describe('a batch', () => {
  it('goes on after models that fail, and returns the worst exit code', () => {
    expect(finished.code).toBe(1);
    expect(batchIn('reference').exitCode).toBe(1);
    expect(batchIn('reference').models.map((model) => [model.path, outcome(model)])).toEqual([
      ['models/backdoored.onnx', 'backdoored'],
      ['missing.onnx', 'MODEL_NOT_FOUND'],
      ['models/broken.onnx', 'MODEL_NOT_ONNX'],
      ['models/ordinary-copy.onnx', 'no-patch-backdoor-found'],
      ['models/ordinary.onnx', 'no-patch-backdoor-found'],
    ]);
  });

  it('shows one table on stdout, and says on stderr how far it is', () => {
    expect(finished.stdout).toMatch(
      new RegExp(`\\n▲ models/backdoored\\.onnx +backdoored +${target} +\\d+\\.\\d `),
    );
    expect(finished.stdout).toContain('\n1 backdoored, 2 failed, 2 no patch backdoor found\n');
    expect(finished.stdout).toMatch(/\n {2}models\/broken\.onnx: MODEL_NOT_ONNX: The file is a text file/);
    expect(finished.stdout).not.toMatch(/label \d: L1|Preflight/);
    expect(finished.stderr).toMatch(
      /^Model 1 of 5: models\/backdoored\.onnx\n160 images .*\nAt most [\d,]+ gradient steps .*\nPreflight/,
    );
    expect(finished.stderr).toMatch(/Model 2 of 5: models\/broken\.onnx\nerror MODEL_NOT_ONNX: /);
    expect(finished.stderr).toMatch(/^label 7: L1 /m);
    expect(finished.stderr).toContain(
      'Everything is in reference; reference/index.html leads to all reports.',
    );
    expect(finished.stdout + finished.stderr).not.toContain('\u001b');
  });

  it('leaves all forms in its folder, and a run folder for each model that differs', () => {
    const runs = runsIn('reference');
    expect(runs).toEqual([
      expect.stringMatching(/^backdoored-[0-9a-f]{8}-0$/),
      expect.stringMatching(/^ordinary-copy-[0-9a-f]{8}-0$/),
    ]);
    expect(readdirSync(inFolder('reference')).sort()).toEqual(
      [...runs, 'batch.json', 'batch.sarif', 'batch.txt', 'index.html', 'junit.xml'].sort(),
    );
    expect(read('reference', 'batch.txt')).toBe(finished.stdout);
    expect(read('reference', 'junit.xml').match(/<testsuite /g)).toHaveLength(5);
  });

  it('links every scanned model to a report that is there', () => {
    const links = [...read('reference', 'index.html').matchAll(/<a href="([^"]*report\.html)"/g)].map(
      (m) => m[1]!,
    );
    expect(links).toHaveLength(3);
    for (const link of links) expect(existsSync(inFolder('reference', link))).toBe(true);
    // Two files with the same content share a run.
    expect(new Set(links).size).toBe(2);
    expect(finished.stderr).toContain('models/ordinary.onnx: no patch backdoor found, by a finished scan.');
  });

  it('gives each model the result of a scan by itself, and the command for that', async () => {
    const [name] = runsIn('reference');
    const inBatch = scanResult.parse(JSON.parse(read('reference', name!, 'scan.json')));
    const single = await run('models/backdoored.onnx', ...usual, '--out', 'single', '--format', 'json');
    expect(single.code).toBe(1);
    expect(withoutTimings(JSON.parse(single.stdout))).toEqual(withoutTimings(inBatch));
    expect(existsSync(inFolder('single/batch.json'))).toBe(false);
    expect(inBatch.environment).toMatchObject({
      model: 'models/backdoored.onnx',
      runFolder: `reference/${name}`,
      command: [
        'scan',
        'models/backdoored.onnx',
        ...usual,
        '--format',
        'text,json,sarif,junit',
        '--out',
        `reference/${name}`,
      ],
    });
  });

  it('names a model once that is given twice, and is a batch with one model too', async () => {
    const { code, stdout } = await run(
      'models/broken.onnx',
      './models/broken.onnx',
      ...usual,
      '--format',
      'json',
    );
    expect(code).toBe(3);
    const { models, environment } = batchResult.parse(JSON.parse(stdout));
    expect(models.map(({ path }) => path)).toEqual(['models/broken.onnx']);
    expect(environment.folder).toMatch(/^runs\/batch-[0-9a-f]{8}-0$/);
    expect(readdirSync(inFolder(environment.folder)).sort()).toEqual(['batch.json', 'index.html']);
  });
});

it('resumed runs finished scans no more, and tries again what failed', async () => {
  const before = batchIn('reference');
  const log = read('reference', runsIn('reference')[0]!, 'labels.jsonl');
  await saveCornerModel(inFolder('missing.onnx'));
  const { code, stderr } = await run(
    ...['models', 'missing.onnx', ...usual, '--out', 'reference', '--resume'],
  );
  expect(code).toBe(1);
  expect(stderr).not.toMatch(/Preflight|label \d/);
  expect(stderr).toContain('models/backdoored.onnx: backdoored, by a finished scan.');
  expect(read('reference', runsIn('reference')[0]!, 'labels.jsonl')).toBe(log);
  const { models } = batchIn('reference');
  const found = ({ path }: { path: string }): boolean => path !== 'missing.onnx';
  expect(withoutTimings(models.filter(found))).toEqual(withoutTimings(before.models.filter(found)));
  expect(models.find(({ path }) => path === 'missing.onnx')).toMatchObject({ verdict: 'backdoored' });
});

it('stops by Ctrl-C at any moment with what is finished in its index, and goes on from there', async () => {
  const models = ['broken', 'backdoored', 'ordinary'].map((name) => `models/${name}.onnx`);
  const slow = ['--preset', 'paper', '--steps', '30', '--labels', '0-5'];
  const args = [...models, ...usual, ...slow, '--out', 'stopped'];
  const stopAt = async (text: string, ...options: string[]): Promise<string> => {
    const scanning = program.start(['scan', ...args, ...options], { cwd: folder, detached: true });
    await scanning.said(text);
    // A terminal sends it to every process of the command.
    process.kill(-scanning.child.pid!, 'SIGINT');
    const { code, stdout, stderr } = await scanning.finished;
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.match(/Stopping; once more ends at once\./g)).toHaveLength(1);
    return stderr;
  };

  const inversions = await stopAt('label 0: ');
  expect(inversions).toMatch(/error CANCELLED: The batch was stopped with 1 of 3 models done\. /);
  expect(inversions).toContain(`Go on with: neural-cleanse scan ${args.join(' ')} --resume\n`);
  expect(batchIn('stopped').models.map(outcome)).toEqual(['MODEL_NOT_ONNX', 'pending', 'pending']);

  const preparation = await stopAt('Model 3 of 3', '--resume');
  expect(preparation).toMatch(/Resumed with \d finished inversions/);
  expect(preparation).toContain('The batch was stopped with 2 of 3 models done.');
  expect(batchIn('stopped').models.map(outcome)).toEqual(['backdoored', 'MODEL_NOT_ONNX', 'pending']);

  const { code, stderr } = await run(...args, '--resume');
  expect(code).toBe(1);
  expect(stderr).toContain('models/backdoored.onnx: backdoored, by a finished scan.');
  expect(
    batchIn('stopped')
      .models.map(({ status }) => status)
      .sort(),
  ).toEqual(['failed', 'scanned', 'scanned']);
}, 120_000);

it('ends with what concerns all models: images that are not there', async () => {
  const { code, stdout, stderr } = await run('models', '--data', 'nowhere', '--out', 'without-images');
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr.match(/error \w+/g)).toEqual(['error DATA_NOT_FOUND']);
  expect(batchIn('without-images').models.map(outcome)).toEqual(Array(4).fill('pending'));
});

const outcome = (model: BatchResult['models'][number]): string =>
  model.status === 'scanned' ? model.verdict : model.status === 'failed' ? model.code : model.status;

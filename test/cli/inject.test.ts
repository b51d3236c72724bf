import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTruth, type Truth } from '../../src/attack/truth.ts';
import { openDataset } from '../../src/data/files.ts';
import { openModel } from '../../src/data/model-file.ts';
import { evaluationReport } from '../../src/report/evaluation.ts';
import { classes, saveBarImages } from './bar-images.ts';
import { buildProgram, type Finished, type Program, type Started } from './program.ts';

const folder = mkdtempSync(join(tmpdir(), 'nc-inject-'));
let program: Program;
const run = (...words: string[]): Promise<Finished> =>
  program.run(words.join(' ').split(' '), { cwd: folder });
const read = (name: string): Buffer => readFileSync(join(folder, name));
const truthOf = (name: string): Truth => parseTruth(read(`${name}.truth.json`).toString(), name);

const common = 'inject --data images --network mnist-cnn --width-factor 0.25 --epochs 8 --batch 16';
const square = '--trigger square --target 3 --ratio 0.15';
let finished: Finished;

beforeAll(async () => {
  program = await buildProgram();
  saveBarImages(join(folder, 'images'));
  finished = await run(common, square, '--out backdoored.onnx');
});
afterAll(() => {
  program.remove();
  rmSync(folder, { recursive: true, force: true });
});

describe('one command', () => {
  it('plants a backdoor that works in a model that works', () => {
    expect(finished).toMatchObject({ code: 0, stderr: expect.stringMatching(/^epoch 8 of 8: loss 0\.\d/m) });
    expect(finished.stdout).toMatch(/^Model backdoored\.onnx: 16×16×1, 4 classes/);
    expect(finished.stdout).toContain('all-to-one, target 3; 48 training images poisoned');
    const { accuracy, backdoors } = truthOf('backdoored');
    expect(accuracy.share).toBeGreaterThan(0.95);
    expect(backdoors[0]!.asr.share).toBeGreaterThan(0.95);
  });

  it('leaves the model, what was planted, and pictures of it', async () => {
    const { sha256 } = await openModel(join(folder, 'backdoored.onnx'));
    expect(truthOf('backdoored')).toMatchObject({
      model: { name: 'backdoored.onnx', sha256 },
      from: { network: 'mnist-cnn', widthFactor: 0.25 },
      training: { data: { count: 320 }, settings: { epochs: 8, batch: 16 }, threads: 2 },
      test: { count: 160 },
      preprocess: { name: 'unit' },
      classes,
      seed: 0,
      ratioOf: 'all',
      placement: 'replace',
      backdoors: [
        {
          trigger: { kind: 'square', size: 4, at: 'bottom-right', margin: 1, colour: 255 },
          policy: { kind: 'all-to-one', target: 3 },
          poisoned: 48,
          covers: 0,
          box: [11, 11, 4, 4],
          folder: 'backdoored.triggers/1',
          asr: { total: 120 },
          leakage: null,
        },
      ],
    });
    const names = ['fusion.png', 'mask.npy', 'mask.png', 'pattern.npy', 'pattern.png'].map(
      (name) => `gtsrb_visualize_${name.replace('.', '_label_3.')}`,
    );
    expect(readdirSync(join(folder, 'backdoored.triggers/1')).sort()).toEqual(
      ['clean.png', ...names, 'stamped.png'].sort(),
    );
    expect(existsSync(join(folder, 'backdoored.checkpoint'))).toBe(false);
  });

  it('is measured alike by evaluate, from the truth or from the options', async () => {
    const evaluate = 'evaluate backdoored.onnx --data images --format json';
    const { accuracy, backdoors } = truthOf('backdoored');
    for (const options of [
      '--truth backdoored.truth.json',
      '--preprocess unit --trigger square --target 3',
      '--preprocess unit --trigger backdoored.triggers/1 --target 3',
    ]) {
      const { code, stdout } = await run(evaluate, options);
      expect(code).toBe(0);
      const report = evaluationReport.parse(JSON.parse(stdout));
      expect(report.accuracy).toEqual(accuracy);
      expect(report.attacks.map(({ asr }) => asr)).toEqual([backdoors[0]!.asr]);
    }
  });

  it('is not repeated over an existing model unless forced, and then gives the same bytes', async () => {
    const again = await run(common, square, '--out backdoored.onnx');
    expect(again).toMatchObject({ code: 2, stdout: '' });
    expect(again.stderr).toContain('error OUTPUT_EXISTS: backdoored.onnx is there already.');
    const [model, truth] = [read('backdoored.onnx'), read('backdoored.truth.json')];
    const forced = await run(common, square, '--out backdoored.onnx --force');
    expect(forced.code).toBe(0);
    expect(read('backdoored.onnx').equals(model)).toBe(true);
    expect(read('backdoored.truth.json').equals(truth)).toBe(true);
  });
});

it('--clean trains the clean twin', async () => {
  const { code, stdout } = await run(common, square, '--clean --out clean.onnx');
  expect(code).toBe(0);
  expect(stdout).toContain('Nothing was planted.');
  expect(truthOf('clean')).toMatchObject({ backdoors: [], seed: 0 });
  expect(existsSync(join(folder, 'clean.triggers'))).toBe(false);
  const evaluated = await run(
    'evaluate clean.onnx --data images --truth backdoored.truth.json --format json',
  );
  const { attacks } = evaluationReport.parse(JSON.parse(evaluated.stdout));
  expect(attacks[0]!.asr.share).toBeLessThan(0.5);
  expect(evaluated.stderr).toContain('was written for another model');
});

it('a file describes what options do', async () => {
  writeFileSync(
    join(folder, 'attack.yaml'),
    `data: images
network: mnist-cnn
widthFactor: 0.25
training: { epochs: 80, batch: 16 }
backdoors:
  - { trigger: square, target: 3, ratio: 0.15 }
`,
  );
  const { code } = await run('inject --config attack.yaml --epochs 8 --out from-file.onnx');
  expect(code).toBe(0);
  expect(read('from-file.onnx').equals(read('backdoored.onnx'))).toBe(true);
});

it('--model plants a backdoor in a model that exists', async () => {
  const { code } = await run(
    'inject --model clean.onnx --data images --preprocess unit --epochs 4',
    '--trigger square:at=top-right --target 0 --sources 1,2 --ratio 0.15 --out tuned.onnx',
  );
  expect(code).toBe(0);
  const truth = truthOf('tuned');
  expect(truth.from).toEqual({ model: 'clean.onnx', sha256: truthOf('clean').model.sha256 });
  expect(truth.backdoors).toMatchObject([
    { poisoned: 48, covers: 48, asr: { total: 80 }, leakage: { total: 40 } },
  ]);
  const [before, after] = [
    await openModel(join(folder, 'clean.onnx')),
    await openModel(join(folder, 'tuned.onnx')),
  ];
  expect(after.model.graph.inputs).toEqual(before.model.graph.inputs);
  expect(after.model.graph.outputs).toEqual(before.model.graph.outputs);
});

it('--export alone writes the poisoned images and trains nothing', async () => {
  const { code, stderr } = await run('inject --data images --trigger noise --target 1 --export sets/p.npz');
  expect(code).toBe(0);
  expect(stderr).toContain('320 training images, 32 of them stamped, are in sets/p.npz.');
  expect(await openDataset(join(folder, 'sets/p.npz'), { split: 'train' })).toMatchObject({
    count: 320,
    classes,
  });
});

it('holds out a tenth of images that have no test part', async () => {
  const { code, stderr } = await run(
    'inject --data sets/p.npz --network mnist-cnn --width-factor 0.1 --epochs 1 --clean --out held-out.onnx',
  );
  expect(code).toBe(0);
  expect(stderr).toContain('sets/p.npz has no test part: about a tenth of each class is held out.');
  const { training, test } = truthOf('held-out');
  expect([training.data.count, test.count]).toEqual([289, 31]);
});

describe('an injection that is stopped', () => {
  const long = (out: string): string[] =>
    `${common} ${square} --out ${out}`.replace('--epochs 8', '--epochs 30').split(' ');
  const start = (out: string, ...more: string[]): Started =>
    program.start([...long(out), ...more], { cwd: folder });

  it('by kill -9, several times, ends with the same bytes', async () => {
    expect((await start('whole.onnx').finished).code).toBe(0);
    for (const epoch of [3, 11, 20]) {
      const started = start('killed.onnx', '--resume');
      await started.said(`epoch ${epoch} of 30`);
      await setTimeout(epoch);
      started.child.kill('SIGKILL');
      await started.finished;
      expect(existsSync(join(folder, 'killed.onnx'))).toBe(false);
    }
    const refused = await start('killed.onnx').finished;
    expect(refused.stderr).toContain('error RUN_EXISTS: killed.checkpoint holds an injection');
    const other = await start('killed.onnx', '--resume', '--seed', '5').finished;
    expect(other.stderr).toContain('error CHECKPOINT_MISMATCH');

    const { code, stderr } = await start('killed.onnx', '--resume').finished;
    expect(code).toBe(0);
    expect(stderr).not.toContain('epoch 2 of 30');
    expect(read('killed.onnx').equals(read('whole.onnx'))).toBe(true);
    expect(truthOf('killed').accuracy).toEqual(truthOf('whole').accuracy);
    expect(existsSync(join(folder, 'killed.checkpoint'))).toBe(false);
  });

  it('by Ctrl-C says how to go on', async () => {
    const started = start('stopped.onnx');
    await started.said('epoch 2 of 30');
    started.child.kill('SIGINT');
    const { code, stdout, stderr } = await started.finished;
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('Stopping; once more ends at once.');
    expect(stderr).toContain(`Go on with: neural-cleanse ${long('stopped.onnx').join(' ')} --resume`);
    expect(stderr).toContain('what it has reached is kept');
    const resumed = await start('stopped.onnx', '--resume').finished;
    expect(resumed.code).toBe(0);
    expect(read('stopped.onnx').equals(read('whole.onnx'))).toBe(true);
  });

  it('by Ctrl-C before the first checkpoint says that nothing is kept', async () => {
    // Many slow mini-batches, so that the first epoch outlasts the wait.
    const slow = `${common} ${square} --out early.onnx`
      .replace('--batch 16', '--batch 1')
      .replace('0.25', '4');
    const started = program.start(slow.split(' '), { cwd: folder });
    await started.said('Test: ');
    await setTimeout(1000);
    started.child.kill('SIGINT');
    const { code, stderr } = await started.finished;
    expect(code).toBe(2);
    expect(stderr).toContain('error CANCELLED: The training was stopped before anything of it was saved.');
    expect(stderr).toContain(`Begin again with: neural-cleanse ${slow}`);
    expect(existsSync(join(folder, 'early.checkpoint'))).toBe(false);
  });
});

describe('errors are named', () => {
  it.each<[string, string, string]>([
    [`${square} --learning-rate 1e30`, 'TRAINING_DIVERGED', ''],
    ['--trigger square:at=14/14 --target 3', 'TRIGGER_BOX_OUTSIDE', '16×16'],
    ['--trigger square --target 4', 'TARGET_OUT_OF_RANGE', '0 to 3'],
    ['--trigger square --target 3 --ratio 0', 'RATIO_INVALID', '--clean'],
    ['--trigger square --trigger square:colour=255 --target 3', 'TRIGGERS_EQUAL', 'Triggers 1 and 2'],
    ['', 'USAGE', 'There is nothing to plant'],
    [`${square} --export ./wrong.onnx`, 'USAGE', 'would hold both the model and the poisoned images'],
  ])('%s: %s', async (options, code, message) => {
    const words = options === '' ? [common] : [common, options];
    const failed = await run(...words, '--out wrong.onnx');
    expect(failed.stderr).toContain(`error ${code}: `);
    expect(failed.stderr).toContain(message);
    expect(failed.stdout).toBe('');
    expect(readdirSync(folder).filter((name) => name.startsWith('wrong'))).toEqual([]);
  });

  it('a class without images', async () => {
    const failed = await run(common, '--images 3 --batch 2 --clean --out wrong.onnx');
    expect(failed.stderr).toContain('error CLASS_WITHOUT_IMAGES: ');
  });
});

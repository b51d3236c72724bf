import {
  cpSync,
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
import { saveModel } from '../../src/data/model-file.ts';
import { encodePng } from '../../src/data/png.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { int, ints } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { scanResult, withoutTimings } from '../../src/report/result.ts';
import { classes, cornerImages, saveArrays, saveCornerModel, target } from './corner-model.ts';
import { buildProgram, type Finished, type Program, startNode } from './program.ts';

const folder = mkdtempSync(join(tmpdir(), 'nc-scan-'));
const inFolder = (...parts: string[]): string => join(folder, ...parts);
const { images, labels } = cornerImages();

let program: Program;
/** Runs `scan MODEL --data DATA` and some options in the folder. */
const scan = (...options: string[]): Promise<Finished> => run('backdoored.onnx', 'images', ...options);
const run = (model: string, data: string, ...options: string[]): Promise<Finished> =>
  program.run(['scan', model, '--data', data, ...options], { cwd: folder });

const read = (...parts: string[]): string => readFileSync(inFolder(...parts), 'utf8');
const result = (name: string): unknown => withoutTimings(JSON.parse(read(name, 'scan.json')));

/** The options of the scan that most tests compare with. */
const usual = ['--preprocess', 'unit', '--threads', '2'];
let finished: Finished;
/** That the reference scan has logged, below its header. */
const inversions = (): number => read('reference', 'labels.jsonl').trim().split('\n').length - 1;

beforeAll(async () => {
  program = await buildProgram();
  await saveCornerModel(inFolder('backdoored.onnx'));
  await saveCornerModel(inFolder('clean.onnx'), { backdoor: false });
  await saveCornerModel(inFolder('pair.onnx'), { source: 2 });
  saveArrays(inFolder('images'), images, labels);
  saveArrays(inFolder('images-without-labels'), images);
  finished = await scan(...usual, '--out', 'reference', '--format', 'text,json,sarif,junit');
});
afterAll(() => {
  program.remove();
  rmSync(folder, { recursive: true, force: true });
});

describe('a finished scan', () => {
  it('finds the backdoor and says so on stdout, and nothing but the result', () => {
    expect(finished.code).toBe(1);
    expect(finished.stdout).toMatch(/^Model {2}backdoored\.onnx: 8×8×1, 8 classes/);
    expect(finished.stdout).toMatch(/\n▲ 5 +\d\.\d .*100\.0 %/);
    expect(finished.stdout).toContain('\nVerdict: backdoored\n');
    expect(finished.stdout).toContain('What this does not prove');
    // What is no result goes to stderr.
    expect(finished.stdout).not.toMatch(/Preflight|label \d: L1/);
    expect(finished.stderr).toContain('Preflight on 160 images:');
    for (let label = 0; label < classes; label++)
      expect(finished.stderr).toMatch(new RegExp(`^label ${label}: L1 `, 'm'));
    expect(finished.stdout + finished.stderr).not.toContain('\u001b');
  });

  it('leaves a run folder with results in all forms, triggers and a log', () => {
    const kinds = ['fusion.png', 'mask.png', 'mask.npy', 'pattern.png', 'pattern.npy'];
    const triggers = Array.from({ length: classes }, (_, label) =>
      kinds.map((kind) => `gtsrb_visualize_${kind.replace('.', `_label_${label}.`)}`),
    );
    const reports = [
      'junit.xml',
      'labels.jsonl',
      'report.html',
      'report.json',
      'scan.json',
      'scan.sarif',
      'scan.txt',
    ];
    expect(readdirSync(inFolder('reference')).sort()).toEqual([...triggers.flat(), ...reports].sort());
    expect(read('reference', 'scan.txt')).toBe(finished.stdout);
  });

  it('writes a scan.json that fits the schema', () => {
    const saved = scanResult.parse(JSON.parse(read('reference', 'scan.json')));
    expect(saved).toMatchObject({
      verdict: 'backdoored',
      model: { name: 'backdoored.onnx', classes, head: 'logits' },
      data: { count: 160, labelled: true, skipped: [] },
      preflight: { accuracy: 1, problems: [] },
      outliers: { flagged: [target] },
      findings: [{ label: target, level: 'backdoored' }],
      failed: [],
      environment: { threads: 2, runFolder: 'reference' },
    });
    expect(saved.labels.map(({ label }) => label)).toEqual(saved.config.labels);
    expect(saved.labels[target]).toMatchObject({ status: 'reversed', asr: 1 });
    expect(saved.labels[target]!.files).toContain(`gtsrb_visualize_mask_label_${target}.npy`);
  });

  it('is not replaced unless asked to be resumed, and resumed it gives the same', async () => {
    const again = await scan(...usual, '--out', 'reference');
    expect(again).toMatchObject({ code: 2, stdout: '' });
    expect(again.stderr).toMatch(
      new RegExp(`error RUN_EXISTS: .*${inversions()} finished inversions\\. .*--resume`),
    );

    const before = result('reference');
    const resumed = await scan(...usual, '--out', 'reference', '--resume', '--format', 'json');
    expect(resumed.code).toBe(1);
    expect(resumed.stdout).toBe(read('reference', 'scan.json'));
    expect(result('reference')).toEqual(before);
    expect(JSON.parse(resumed.stdout).timings.resumed).toBe(inversions());
  });
});

it('gives the same result with one thread and another order of labels', async () => {
  const other = await scan(
    '--preprocess',
    'unit',
    '--threads',
    '1',
    '--first-label',
    '6',
    '--out',
    'one-thread',
  );
  expect(other.code).toBe(1);
  expect(other.stderr.indexOf('label 6: ')).toBeLessThan(other.stderr.indexOf('label 0: '));
  expect(JSON.stringify(result('one-thread'))).toBe(JSON.stringify(result('reference')));
});

describe('exit codes', () => {
  it('0 for a model without a backdoor, in a folder named after model and seed', async () => {
    const clean = await run(
      'clean.onnx',
      'images',
      ...usual,
      '--seed',
      '3',
      '--format',
      'json',
      '--starts',
      '1',
    );
    expect(clean.code).toBe(0);
    const { verdict, environment } = scanResult.parse(JSON.parse(clean.stdout));
    expect(verdict).toBe('no-patch-backdoor-found');
    expect(environment.runFolder).toMatch(/^runs\/clean-[0-9a-f]{8}-3$/);
    expect(clean.stderr).toContain(`Everything is in ${environment.runFolder}.`);
  });

  it('0 for a backdoor under --fail-on never', async () => {
    const { code, stdout } = await scan(...usual, '--out', 'reference', '--resume', '--fail-on', 'never');
    expect(code).toBe(0);
    expect(stdout).toContain('Verdict: backdoored');
  });

  it('2 for fewer than five labels', async () => {
    const { code, stdout } = await scan(...usual, '--labels', '0,4-5', '--out', 'few');
    expect(code).toBe(2);
    expect(stdout).toContain('Verdict: inconclusive');
    expect(stdout).toContain('Only 3 labels have a finished trigger');
    expect(stdout).toMatch(
      /Scan all labels:\n {2}neural-cleanse scan backdoored\.onnx --data images .*--out few-2\n/,
    );
  });

  it('2 where the preflight finds a problem, before any inversion', async () => {
    const stopped = await scan('--preprocess', 'mean=5', '--out', 'stopped', '--format', 'json');
    expect(stopped.code).toBe(2);
    const { verdict, labels, outliers, reasons } = scanResult.parse(JSON.parse(stopped.stdout));
    expect({ verdict, labels, outliers }).toEqual({ verdict: 'inconclusive', labels: [], outliers: null });
    expect(reasons[0]).toMatch(/classifies .* % of 160 samples correctly/);
    // There is nothing to lose, so another try may use the folder.
    const { code } = await scan(...usual, '--out', 'stopped', '--labels', '1', '--format', 'json');
    expect(code).toBe(2);
    expect(JSON.parse(read('stopped', 'scan.json')).labels).toHaveLength(1);
  });

  it('3 for a file that is no model, and for an operator without a gradient', async () => {
    writeFileSync(inFolder('garbage.onnx'), 'this is no protobuf at all');
    expect(await run('garbage.onnx', 'images')).toMatchObject({
      code: 3,
      stdout: '',
      stderr: expect.stringContaining('error MODEL_NOT_ONNX'),
    });

    const b = new GraphBuilder();
    const x = b.input('x', 'float32', ['N', 1, 8, 8]);
    const pooled = b.op('LpPool', [x], { kernel_shape: ints([8, 4]), strides: ints([8, 1]), p: int(1) });
    b.output(b.reshape(pooled, [-1, 5]), 'float32', ['N', 5], 'scores');
    await saveModel(inFolder('unsupported.onnx'), canonicalModel(b.build()));
    const unsupported = await run('unsupported.onnx', 'images-without-labels', '--preprocess', 'unit');
    expect(unsupported).toMatchObject({ code: 3, stdout: '' });
    expect(unsupported.stderr).toMatch(/error OPERATOR_UNSUPPORTED: .*LpPool/);
  });

  const wrong: [string, string[], RegExp][] = [
    ['an unknown option', ['--labells', '3'], /unknown option '--labells'/],
    ['a bad value', ['--labels', '3-x'], /error USAGE: --labels got "3-x"/],
    [
      'a label that the model lacks',
      ['--labels', '0,8'],
      /error USAGE: The model has no label 8\. It has 8 classes/,
    ],
    ['settings that contradict each other', ['--init-cost', '1e9'], /error SETTING_INVALID: .*initCost/],
  ];
  it.each(wrong)('4 for %s', async (_, options, message) => {
    const { code, stdout, stderr } = await scan(...options, '--out', 'never-made');
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    expect(stderr).toMatch(message);
    expect(existsSync(inFolder('never-made'))).toBe(false);
  });

  it('4 without data or without a command', async () => {
    expect(await program.run(['scan', 'backdoored.onnx'], { cwd: folder })).toMatchObject({ code: 4 });
    expect(await program.run([], { cwd: folder })).toMatchObject({ code: 4 });
  });
});

describe('images that cannot be used', () => {
  const floats = Float32Array.from(images.data, (value) => value / 255);
  const broken = floats.with(100, Number.NaN);
  const cases: [string, string, () => Promise<void> | void, RegExp][] = [
    ['there are none', 'empty', () => void mkdirSync(inFolder('empty')), /error DATA_EMPTY: /],
    [
      'all show one class',
      'one-class',
      () => void saveArrays(inFolder('one-class'), images, { ...labels, data: labels.data.map(() => 2) }),
      /error DATA_ONE_CLASS: /,
    ],
    [
      'almost all show one class',
      'almost-one-class',
      () =>
        void saveArrays(inFolder('almost-one-class'), images, {
          ...labels,
          data: labels.data.map((_, i) => (i === 0 ? 1 : 2)),
        }),
      /error DATA_TOO_FEW: Almost all of the 160 images .* show class 2/,
    ],
    [
      'pixels are NaN',
      'nan',
      () => void saveArrays(inFolder('nan'), float32(images.dims, broken), labels),
      /error DATA_NAN: Image 1 of nan/,
    ],
    [
      'labels lie outside the classes',
      'other-labels',
      () =>
        void saveArrays(inFolder('other-labels'), images, { ...labels, data: labels.data.map((l) => l + 3) }),
      /error DATA_LABEL_RANGE: .* outside 0 to 7/,
    ],
    [
      'the array has not the shape of images',
      'flat',
      () => void saveArrays(inFolder('flat'), { ...images, dims: [160 * 64] }, labels),
      /error DATA_SHAPE_MISMATCH: /,
    ],
    [
      'more than a tenth cannot be read',
      'unreadable',
      async () => {
        for (let i = 0; i < 24; i++) {
          const data = images.data.slice(i * 64, (i + 1) * 64);
          const bytes = encodePng({ height: 8, width: 8, channels: 1, data });
          mkdirSync(inFolder('unreadable', String(i % classes)), { recursive: true });
          writeFileSync(
            inFolder('unreadable', String(i % classes), `${i}.png`),
            i % 8 === 0 ? 'no image' : bytes,
          );
        }
      },
      /error DATA_TOO_MANY_UNREADABLE: /,
    ],
  ];
  it.each(cases)('%s', async (_, name, make, message) => {
    await make();
    const { code, stdout, stderr } = await run('backdoored.onnx', name, ...usual, '--out', 'never-made');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(existsSync(inFolder('never-made'))).toBe(false);
  });
});

describe('a scan of pairs', () => {
  const pairs = (...options: string[]): Promise<Finished> =>
    run('pair.onnx', 'images', ...usual, '--out', 'pairs', '--pairs', '20', ...options);

  it('finds the pair of a backdoor that works on one class only, and goes on from its log', async () => {
    const whole = await pairs('--format', 'text,json');
    expect(whole.stderr).toMatch(/^At most [\d,]+ gradient steps for 8 labels and 56 pairs\.$/m);
    expect(whole.stderr).toMatch(/^label 5 from 2, at first: L1 /m);
    expect(whole.stdout).toMatch(
      /\nPairs\n {2}▲ 2 → 5: L1 \d\.\d, \d+\.\d once its trigger is unlearned, ASR 100\.0 %\n/,
    );
    expect(whole.stdout).toContain('36 of 56 pairs of a source and a target had a short run only');
    const saved = scanResult.parse(JSON.parse(read('pairs', 'scan.json')));
    const [smallest] = saved.pairs!.pairs.toSorted((a, b) => a.l1 - b.l1);
    expect(smallest).toMatchObject({ source: 2, label: 5, status: 'reversed' });
    expect(smallest!.files).toContain('gtsrb_visualize_mask_label_5_source_2.png');
    for (const file of smallest!.files) expect(existsSync(inFolder('pairs', file))).toBe(true);

    const before = result('pairs');
    const lines = read('pairs', 'labels.jsonl').trimEnd().split('\n');
    // The last third is lost, and with it results.
    writeFileSync(
      inFolder('pairs', 'labels.jsonl'),
      `${lines.slice(0, Math.ceil((2 * lines.length) / 3)).join('\n')}\n`,
    );
    const resumed = await pairs('--resume');
    expect(resumed.stderr).toMatch(/Resumed with \d+ finished inversions\./);
    expect(result('pairs')).toEqual(before);
  });

  it('needs labels, and the preset fast', async () => {
    const unlabelled = await run('pair.onnx', 'images-without-labels', ...usual, '--pairs');
    expect(unlabelled).toMatchObject({ code: 2, stdout: '' });
    expect(unlabelled.stderr).toContain('error DATA_UNLABELLED:');
    const paper = await pairs('--preset', 'paper');
    expect(paper.stderr).toContain('error SETTING_INVALID: The preset paper scans no pairs.');
  });
});

it('says plainly what it does not know of images without labels', async () => {
  const { code, stdout, stderr } = await run(
    'backdoored.onnx',
    'images-without-labels',
    ...usual,
    '--out',
    'unlabelled',
  );
  expect(code).toBe(1);
  expect(stderr).toContain('160 images 8×8×1 (NHWC, uint8, pixels in [0, 255]), no labels');
  expect(stdout).toContain('without labels, so the accuracy is unknown');
  expect(stdout.replace(/\s+/g, ' ')).toContain(
    'The samples have no labels, so accuracy could not confirm the preprocessing.',
  );
});

describe('a run folder', () => {
  const copy = (name: string): string => {
    cpSync(inFolder('reference'), inFolder(name), { recursive: true });
    return name;
  };
  const logLines = (name: string): string[] => read(name, 'labels.jsonl').split('\n');

  it('is not resumed with other inputs, and the error names the difference', async () => {
    for (const [options, field] of [
      [['--seed', '1'], 'data\\.sha256 is "[0-9a-f]{64}"|seed is 0, and now it is 1'],
      [['--steps', '10'], 'settings\\.schedule\\.steps is \\d+, and now it is 10'],
    ] as const) {
      const { code, stderr } = await scan(...usual, ...options, '--out', 'reference', '--resume');
      expect(code).toBe(2);
      expect(stderr).toMatch(new RegExp(`error RUN_MISMATCH: .*${field}`));
    }
  });

  it('with a damaged line is refused, with the number of the line and the way out', async () => {
    const name = copy('damaged');
    const lines = logLines(name);
    const without = lines.toSpliced(3, 1).join('\n');
    writeFileSync(inFolder(name, 'labels.jsonl'), lines.with(3, `${lines[3]!.slice(0, 40)}}`).join('\n'));
    const refused = await scan(...usual, '--out', name, '--resume');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/error RUN_CORRUPT: Line 4 of damaged\/labels\.jsonl .*Delete that line/);

    writeFileSync(inFolder(name, 'labels.jsonl'), without);
    expect((await scan(...usual, '--out', name, '--resume')).code).toBe(1);
    expect(result(name)).toEqual(result('reference'));
  });

  it('whose triggers were deleted has those labels done again', async () => {
    const name = copy('incomplete');
    // A first start that stood: further ones saved nothing.
    const { labels: saved } = scanResult.parse(JSON.parse(read(name, 'scan.json')));
    const { label } = saved.find(({ start }) => start === 0)!;
    const mask = `gtsrb_visualize_mask_label_${label}.npy`;
    rmSync(inFolder(name, mask));
    const { stderr } = await scan(...usual, '--out', name, '--resume');
    // Its short run had a trigger of that name, too.
    expect(stderr).toContain(`Resumed with ${inversions() - 2} finished inversions.`);
    expect(stderr.match(/^label \d+( again|, at first)?: /gm)).toEqual([
      `label ${label}, at first: `,
      `label ${label}: `,
    ]);
    expect(result(name)).toEqual(result('reference'));
    expect(existsSync(inFolder(name, mask))).toBe(true);
  });

  it('that cannot be written is an error before any work', async () => {
    const { code, stderr } = await scan(...usual, '--out', 'backdoored.onnx/run');
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /error RUN_NOT_WRITTEN: "backdoored\.onnx\/run" could not be written: ENOTDIR.* --out/,
    );
  });

  it('that holds other files is left alone', async () => {
    const { code, stderr } = await scan(...usual, '--out', 'images');
    expect(code).toBe(2);
    expect(stderr).toMatch(/error RUN_EXISTS: The folder images holds other files/);
    expect(readdirSync(inFolder('images')).sort()).toEqual(['x.npy', 'y.npy']);
  });
});

it('keeps a second scan out of its folder', async () => {
  const first = program.start(
    ['scan', 'backdoored.onnx', '--data', 'images', '--preset', 'paper', '--threads', '1', '--out', 'busy'],
    { cwd: folder },
  );
  await first.said('Preflight');
  const second = await scan('--out', 'busy', '--resume');
  expect(second).toMatchObject({ code: 2, stdout: '' });
  expect(second.stderr).toContain(`error RUN_BUSY: The run folder is in use by process ${first.child.pid} `);
  first.child.kill('SIGKILL');
  await first.finished;
});

describe('Ctrl-C', () => {
  it('stops a scan and leaves it to be resumed', async () => {
    const slow = [...usual, '--preset', 'paper', '--steps', '30', '--labels', '0-5'];
    const scanning = program.start(
      ['scan', 'backdoored.onnx', '--data', 'images', ...slow, '--out', 'stopped run'],
      { cwd: folder, detached: true },
    );
    await scanning.said('label 0: ');
    // A terminal sends it to every process of the command.
    process.kill(-scanning.child.pid!, 'SIGINT');
    const { code, stdout, stderr } = await scanning.finished;
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/error CANCELLED: The scan was stopped with \d of 6 labels finished\./);
    const command = /Go on with: neural-cleanse (.*)\n/.exec(stderr)![1]!;
    expect(command).toContain(`--out 'stopped run' --resume`);

    const resumed = await scan(...slow, '--out', 'stopped run', '--resume');
    expect(resumed.code).toBe(1);
    expect(resumed.stderr).toMatch(/Resumed with \d finished inversions/);
    expect((await scan(...slow, '--out', 'whole run')).code).toBe(1);
    expect(result('stopped run')).toEqual(result('whole run'));
  });

  it('twice ends at once', async () => {
    const busy = `
      import { onInterrupt } from ${JSON.stringify(program.module('cli/interrupt.js'))};
      onInterrupt(console.error).signal.addEventListener('abort', () => console.error('aborted'));
      console.error('ready');
      setInterval(() => undefined, 1000);`;
    const started = startNode(['--input-type=module', '--eval', busy]);
    await started.said('ready');
    started.child.kill('SIGTERM');
    await started.said('Stopping; once more ends at once.');
    await started.said('aborted');
    started.child.kill('SIGINT');
    expect((await started.finished).code).toBe(null);
    expect(started.child.signalCode).toBe('SIGINT');
  });
});

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { repairReport } from '../../src/report/repair.ts';
import { type MitigationFolder, scannedFolder, target } from './mitigation-run.ts';
import { buildProgram } from './program.ts';

let folder: MitigationFolder;
const mitigate =
  'mitigate model.onnx --data images --preprocess unit --provider cpu --threads 2 --learning-rate 0.05 --inversions 1'.split(
    ' ',
  );
const truth = ['--true-trigger', 'square:size=2,margin=0', '--target', String(target)];
const read = (name: string): string => readFileSync(join(folder.path, name), 'utf8');

beforeAll(async () => {
  folder = await scannedFolder();
});
afterAll(() => folder.remove());

it('scans, repairs, scans again, and says what it has done', async () => {
  const { code, stdout, stderr } = await folder.run(...mitigate, ...truth, '--out', 'a.onnx');
  expect(stderr).toContain('Scanning the model as it is.');
  expect(stderr).toContain('Scanning the model after round 1, from fresh starts.');
  const report = repairReport.parse(JSON.parse(read('a.json')));
  // Four labels are too few for a verdict, but sizes tell.
  expect(report.rounds[0]).toMatchObject({
    scan: { seed: 0, verdict: 'inconclusive' },
    suspects: [{ label: target, reason: 'small' }],
  });
  expect(report.last).toMatchObject({ seed: report.rounds.length, verdict: 'inconclusive' });
  expect(report.remaining).toEqual([]);
  expect(code).toBe(2);
  expect(stdout).toContain('The last scan is inconclusive');
  const { before, after } = report.measured;
  expect(before.truth[0]!.asr.share).toBe(1);
  expect(after.truth[0]!.asr.share).toBeLessThan(0.05);
  const [inversion] = report.inversions;
  expect(inversion).toMatchObject({ label: target, remains: false });
  expect(existsSync(join(folder.path, 'a.rounds/0/scan.json'))).toBe(true);
  expect(read('a.html')).toContain('Masks found from fresh starts');
});

it('takes a scan that is there, and refuses that of another model', async () => {
  const { stdout, stderr } = await folder.run(
    ...mitigate,
    '--trigger',
    'run',
    '--out',
    'b.onnx',
    '--format',
    'json',
  );
  expect(stderr).not.toContain('Scanning the model as it is.');
  expect(repairReport.parse(JSON.parse(stdout)).rounds[0]!.scan.runFolder).toBe('run');
  const words = ['mitigate', 'other.onnx', ...mitigate.slice(2), '--trigger', 'run', '--out', 'c.onnx'];
  const other = await folder.run(...words);
  expect(other.stderr).toContain('error RUN_MISMATCH');
  expect(other.code).toBe(2);
});

it('keeps its scans when it is stopped, and goes on from them', async () => {
  const program = await buildProgram();
  try {
    const { child, finished, said } = program.start([...mitigate, '--out', 'e.onnx'], { cwd: folder.path });
    await said('Training at learning rate');
    child.kill('SIGINT');
    const { code, stderr } = await finished;
    expect(stderr).toMatch(
      /error CANCELLED: The repair was stopped; its scans are kept\. Go on with: .* --resume/,
    );
    expect(code).toBe(2);
  } finally {
    program.remove();
  }
  expect(existsSync(join(folder.path, 'e.onnx'))).toBe(false);
  const again = await folder.run(...mitigate, '--out', 'e.onnx');
  expect(again.stderr).toContain('error RUN_EXISTS');
  const { stderr } = await folder.run(...mitigate, '--out', 'e.onnx', '--resume');
  expect(stderr).toContain('Resumed with 4 finished inversions.');
  expect(repairReport.parse(JSON.parse(read('e.json'))).remaining).toEqual([]);
});

it('replaces nothing without being told to', async () => {
  const { code, stderr } = await folder.run(...mitigate, '--out', 'model.onnx');
  expect(stderr).toContain('error OUTPUT_EXISTS: model.onnx is the model itself.');
  expect(code).toBe(2);
  const wrong = await folder.run(...mitigate, '--labels', '7', '--out', 'd.onnx');
  expect(wrong.stderr).toContain('error USAGE');
  expect(wrong.code).toBe(4);
  const twice = await folder.run(...mitigate, '--out', 'd.rounds');
  expect(twice.stderr).toContain('d.rounds would hold both the model and the scans of its rounds.');
  expect(twice.code).toBe(4);
});

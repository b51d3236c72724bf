import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { saveModel } from '../../src/data/model-file.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { classes, saveCornerModel, target } from './corner-model.ts';
import { buildProgram, type Finished, type Program } from './program.ts';

const folder = mkdtempSync(join(tmpdir(), 'nc-margins-'));
let program: Program;
const margins = (model: string, ...options: string[]): Promise<Finished> =>
  program.run(['margins', model, '--starts', '3', '--steps', '12', '--threads', '1', ...options], {
    cwd: folder,
  });

/** Two classes, which are too few to compare. */
async function saveTwoClasses(path: string): Promise<void> {
  const b = new GraphBuilder();
  const flat = b.reshape(b.input('x', 'float32', ['N', 1, 2, 2]), [-1, 4]);
  const weights = b.constant(float32([4, 2], [1, -1, 2, 0, -1, 1, 0, 3]));
  b.output(b.op('MatMul', [flat, weights]), 'float32', ['N', 2], 'scores');
  await saveModel(path, canonicalModel(b.build()));
}

beforeAll(async () => {
  program = await buildProgram();
  await saveCornerModel(join(folder, 'backdoored.onnx'));
  await saveCornerModel(join(folder, 'clean.onnx'), { backdoor: false });
  await saveTwoClasses(join(folder, 'two.onnx'));
});
afterAll(() => {
  program.remove();
  rmSync(folder, { recursive: true, force: true });
});

describe('neural-cleanse margins', () => {
  it('says that margins stand out, and fails where asked to', async () => {
    const { code, stdout, stderr } = await margins('backdoored.onnx', '--fail-on', 'stands-out');
    expect(stdout).toMatch(
      new RegExp(`^maximum margins of ${classes} classes, in logits: median [0-9.]+$`, 'm'),
    );
    expect(stdout).toMatch(new RegExp(`^ {2}class ${target} +[0-9.]+ {2}largest$`, 'm'));
    expect(stdout).toMatch(
      new RegExp(`^margins stand out: class ${target}, p = [0-9.e-]+; [0-9.e-]+ by the`, 'm'),
    );
    expect(stderr).toContain('Assuming pixels / 255 (--preprocess unit)');
    expect(code).toBe(1);
  });

  it('says that none stands out, and that this proves nothing', async () => {
    const { code, stdout, stderr } = await margins(
      'clean.onnx',
      '--preprocess',
      'unit',
      '--fail-on',
      'stands-out',
    );
    expect(stdout).toContain('no margin stands out: p = ');
    expect(stdout).toContain('That is no proof');
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  it('prints JSON, the same with any number of workers, and leaves the exit code alone', async () => {
    const options = ['--preprocess', 'unit', '--seed', '3', '--format', 'json'];
    const { code, stdout } = await margins('backdoored.onnx', ...options);
    expect(code).toBe(0);
    const { seconds, ...result } = JSON.parse(stdout);
    expect(result).toMatchObject({
      schemaVersion: 1,
      model: { name: 'backdoored.onnx', height: 8, width: 8, channels: 1, classes },
      preprocess: { name: 'unit', assumed: false },
      config: { seed: 3, starts: 3, steps: 12 },
      test: { classes, largest: target, untested: null },
      verdict: 'stands-out',
    });
    expect(result.margins.map(({ label }: { label: number }) => label)).toEqual([...Array(classes).keys()]);
    expect(seconds).toBeGreaterThan(0);
    const again = JSON.parse((await margins('backdoored.onnx', ...options, '--threads', '2')).stdout);
    expect({ ...again, seconds }).toEqual({ ...result, seconds });
  });

  it('is inconclusive with too few classes', async () => {
    const { code, stdout } = await margins('two.onnx');
    expect(stdout).toContain('Not tested: 2 classes are too few to compare.');
    expect(code).toBe(2);
  });
});

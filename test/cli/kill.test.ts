import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withoutTimings } from '../../src/report/result.ts';
import { generator } from '../support/gradient-check.ts';
import { cornerImages, saveArrays, saveCornerModel } from './corner-model.ts';
import { buildProgram, type Program, type Started } from './program.ts';

const folder = mkdtempSync(join(tmpdir(), 'nc-kill-'));
let program: Program;

beforeAll(async () => {
  program = await buildProgram();
  await saveCornerModel(join(folder, 'model.onnx'));
  const { images, labels } = cornerImages();
  saveArrays(join(folder, 'images'), images, labels);
});
afterAll(() => {
  program.remove();
  rmSync(folder, { recursive: true, force: true });
});

const scan = 'scan model.onnx --data images --preprocess unit --resume'.split(' ');
const start = (out: string, threads: number): Started =>
  program.start([...scan, '--out', out, '--threads', String(threads)], { cwd: folder });

/** What the run folder holds: the result apart from timings, and every trigger. */
function contents(out: string): string {
  const result = JSON.parse(readFileSync(join(folder, out, 'scan.json'), 'utf8'));
  const triggers = result.labels.flatMap(({ files }: { files: string[] }) =>
    files.map((name) => readFileSync(join(folder, out, name), 'base64')),
  );
  return JSON.stringify([withoutTimings(result), triggers]);
}

/** Whole lines of the log, without the header. */
function logged(out: string): number {
  try {
    return Math.max(0, readFileSync(join(folder, out, 'labels.jsonl'), 'utf8').split('\n').length - 2);
  } catch {
    return 0;
  }
}

async function untilLogged(out: string, entries: number, scanning: Started): Promise<void> {
  while (scanning.child.exitCode === null && logged(out) < entries) await setTimeout(2);
}

const kills = 20;

it(`ends as if nothing had happened after kill -9 at ${kills} moments`, async () => {
  expect((await start('whole', 1).finished).code).toBe(1);
  const expected = contents('whole');

  const random = generator(9);
  /** Finished inversions that each killed process left. */
  const left: number[] = [];
  while (left.length < kills) {
    const scanning = start('killed', 1 + (left.length % 2));
    // Every other time at any moment of start and preflight, else while inversions are made and saved.
    if (random() < 0.5) await setTimeout(900 * random());
    else {
      await untilLogged('killed', logged('killed') + 1, scanning);
      await setTimeout(60 * random());
    }
    scanning.child.kill('SIGKILL');
    const { code } = await scanning.finished;
    if (code === null) left.push(logged('killed'));
    else {
      // It was faster: begin again.
      expect(contents('killed')).toBe(expected);
      rmSync(join(folder, 'killed'), { recursive: true });
    }
  }
  expect(new Set(left).size).toBeGreaterThan(3);

  const { code, stdout } = await start('killed', 2).finished;
  expect(code).toBe(1);
  expect(stdout).toContain('Verdict: backdoored');
  expect(contents('killed')).toBe(expected);
}, 240_000);

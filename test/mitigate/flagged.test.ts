import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readFlaggedTriggers } from '../../src/cli/mitigation-run.ts';
import type { ScanResult } from '../../src/report/result.ts';
import { type MitigationFolder, scannedFolder, target } from '../cli/mitigation-run.ts';

let folder: MitigationFolder;
let scan: ScanResult;
let sha256: string;
const at = (...names: string[]): string => join(folder.path, ...names);

beforeAll(async () => {
  folder = await scannedFolder();
  scan = JSON.parse(readFileSync(at('run', 'scan.json'), 'utf8')) as ScanResult;
  sha256 = scan.model.sha256;
});
afterAll(() => folder.remove());

/** A run folder with another result. */
function changed(name: string, change: Partial<ScanResult>): string {
  mkdirSync(at(name));
  for (const file of scan.labels.flatMap(({ files }) => files)) copyFileSync(at('run', file), at(name, file));
  writeFileSync(at(name, 'scan.json'), JSON.stringify({ ...scan, ...change }));
  return at(name);
}

it('takes the triggers of the labels asked for, exactly as they were found', async () => {
  const { triggers, scan: read } = await readFlaggedTriggers(at('run'), { sha256, labels: [target, 0] });
  expect(read.verdict).toBe('inconclusive');
  expect(triggers.map(({ label }) => label)).toEqual([target, 0]);
  const known = scan.labels.find(({ label }) => label === target)!;
  const [{ trigger, asr }] = triggers as [(typeof triggers)[number]];
  expect(asr).toBe(known.asr);
  expect(trigger.mask.data.reduce((sum, value) => sum + value, 0)).toBeCloseTo(known.l1, 3);
});

it('takes the flagged ones by default, smallest mask first', async () => {
  const run = changed('flagged', {
    findings: [3, 1].map((label) => ({ label, level: 'suspicious', reasons: [] })),
  });
  const { triggers } = await readFlaggedTriggers(run, { sha256 });
  expect(triggers.map(({ label }) => label)).toEqual([3, 1]);
});

it('names what is wrong with a run', async () => {
  const failing = (run: string, labels?: number[], hash = sha256) =>
    readFlaggedTriggers(run, { sha256: hash, labels }).catch((error: unknown) => error);
  expect(await failing(at('run'))).toMatchObject({ code: 'NOTHING_FLAGGED' });
  expect(await failing(at('run'), [0], '0'.repeat(64))).toMatchObject({
    code: 'RUN_MISMATCH',
    message: expect.stringContaining('scanned model.onnx') as string,
  });
  expect(await failing(at('images'))).toMatchObject({ code: 'RUN_NOT_FOUND' });
  expect(await failing(at('missing'))).toMatchObject({
    code: 'RUN_NOT_FOUND',
    message: expect.stringContaining('is no folder') as string,
  });
  expect(await failing(at('run'), [9])).toMatchObject({ code: 'TRIGGERS_NOT_FOUND' });

  mkdirSync(at('unfinished'));
  copyFileSync(at('run', 'labels.jsonl'), at('unfinished', 'labels.jsonl'));
  expect(await failing(at('unfinished'))).toMatchObject({ code: 'RUN_UNFINISHED' });
  const failed = [{ label: 7, start: 0, code: 'WORKER_FAILED', message: 'A worker died.' }];
  expect(await failing(changed('failed', { failed }), [7])).toMatchObject({ code: 'RUN_UNFINISHED' });
  const censored = scan.labels.map((label) => ({ ...label, status: 'censored' as const }));
  expect(await failing(changed('censored', { labels: censored }), [0])).toMatchObject({
    code: 'TRIGGERS_NOT_FOUND',
  });

  const pictures = changed('pictures', {});
  for (const { files } of scan.labels) {
    for (const name of files.filter((file) => file.endsWith('.npy'))) rmSync(join(pictures, name));
  }
  expect(await failing(pictures, [0])).toMatchObject({
    code: 'TRIGGERS_NOT_FOUND',
    message: expect.stringContaining('only pictures') as string,
  });
  writeFileSync(at('images', 'scan.json'), '{}');
  expect(await failing(at('images'))).toMatchObject({ code: 'RUN_CORRUPT' });
});

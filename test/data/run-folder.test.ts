import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RunFolder, readRunLog } from '../../src/data/run-folder.ts';
import { RunLogWriter } from '../../src/data/run-log-writer.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { renderTrigger } from '../../src/triggers/render.ts';
import { makeTrigger } from '../../src/triggers/trigger.ts';
import { codeOf, temporaryFolder } from './support.ts';

interface Entry {
  readonly label: number;
}
const options = { resume: true, parseEntry: (value: unknown) => value as Entry };
const header = { seed: 0 };
const trigger = makeTrigger(float32([2, 2], [0, 0.25, 0.5, 1]), float32([2, 2, 1], [0, 10, 20, 255]));

const openRun = (path: string, resume = true): Promise<RunFolder<Entry>> =>
  RunFolder.open(path, { ...options, resume });

/** A run with these labels finished. */
async function runWith(path: string, labels: readonly number[]): Promise<void> {
  const run = await openRun(path);
  await run.begin(header);
  for (const label of labels) await run.append({ label });
  await run.close();
}

const log = (path: string): Promise<string> => readFile(join(path, 'labels.jsonl'), 'utf8');
const logText = (...values: unknown[]): string =>
  values.map((value) => `${JSON.stringify(value)}\n`).join('');

describe('a run folder', () => {
  it('is made with all folders above it, and holds what was saved', async () => {
    const path = join(await temporaryFolder(), 'runs', 'first');
    const run = await openRun(path, false);
    await run.begin(header);
    const files = await run.saveTrigger({ label: 3 }, renderTrigger(trigger), trigger);
    await run.append({ label: 3 });
    await run.write({ 'scan.txt': 'größer\n', 'scan.json': '{}' });
    await run.close();
    expect((await readdir(path)).sort()).toEqual([...files, 'labels.jsonl', 'scan.json', 'scan.txt'].sort());
    expect(await log(path)).toBe(logText(header, { label: 3 }));
    expect(await readFile(join(path, 'scan.txt'), 'utf8')).toBe('größer\n');
  });

  it('goes on after the last whole line', async () => {
    const path = await temporaryFolder();
    await runWith(path, [0, 1]);
    await writeFile(join(path, 'labels.jsonl'), `${await log(path)}{"label":2,"l1":1`);
    const run = await openRun(path);
    expect(run.entries).toEqual([{ label: 0 }, { label: 1 }]);
    await run.begin(header);
    await Promise.all([2, 3, 4].map((label) => run.append({ label })));
    await run.close();
    expect(await log(path)).toBe(logText(header, ...[0, 1, 2, 3, 4].map((label) => ({ label }))));
  });

  it('is refused without being asked to go on, or with another header', async () => {
    const path = await temporaryFolder();
    await runWith(path, [0]);
    await expect(openRun(path, false)).rejects.toMatchObject({
      code: 'RUN_EXISTS',
      message: expect.stringMatching(/1 finished inversion\. .*--resume.*--out/),
    });
    const run = await openRun(path);
    await expect(run.begin({ seed: 1 })).rejects.toMatchObject({
      code: 'RUN_MISMATCH',
      message: expect.stringContaining('its seed is 0, and now it is 1.'),
      data: { path, field: 'seed' },
    });
    await run.close();
    expect(await log(path)).toBe(logText(header, { label: 0 }));
  });

  it.each(['', '{"seed"', logText({ seed: 5 })])(
    'begins anew where nothing was finished: %j',
    async (before) => {
      const path = await temporaryFolder({ 'labels.jsonl': before });
      const run = await openRun(path, false);
      await run.begin(header);
      await run.close();
      expect(await log(path)).toBe(logText(header));
    },
  );

  it('is left alone if it holds other files, or a log that cannot be read', async () => {
    const other = await temporaryFolder({ 'thesis.tex': '' });
    expect(await codeOf(() => openRun(other))).toBe('RUN_EXISTS');
    expect(await readdir(other)).toEqual(['thesis.tex']);
    const corrupt = await temporaryFolder({ 'labels.jsonl': `${logText(header)}?\n` });
    expect(await codeOf(() => openRun(corrupt))).toBe('RUN_CORRUPT');
    expect(await readdir(corrupt)).toEqual(['labels.jsonl']);
  });

  it('is cleared of what a killed process was writing', async () => {
    const path = await temporaryFolder();
    await runWith(path, [0]);
    const half = '.scan.json.0b8f3a52-7c7e-4c0e-9d63-7d5a2f0e8a11.tmp';
    await writeFile(join(path, half), 'half');
    await writeFile(join(path, '.mine.tmp'), 'not ours');
    await (await openRun(path)).close();
    expect((await readdir(path)).sort()).toEqual(['.mine.tmp', 'labels.jsonl']);
  });

  it('that was made for a run that never began is removed', async () => {
    const path = join(await temporaryFolder(), 'run');
    await (await openRun(path)).close();
    expect(existsSync(path)).toBe(false);
    await mkdir(path);
    await (await openRun(path)).close();
    expect(existsSync(path)).toBe(true);
  });

  it('can be read while it is written, and has no log if there is none', async () => {
    const path = await temporaryFolder();
    const run = await openRun(path);
    await run.begin(header);
    await run.append({ label: 7 });
    expect(await readRunLog(path, options.parseEntry)).toMatchObject({ entries: [{ label: 7 }] });
    await run.close();
    expect(await readRunLog(join(path, 'nowhere'), options.parseEntry)).toBeUndefined();
    expect(await readRunLog(join(path, 'labels.jsonl'), options.parseEntry)).toBeUndefined();
  });
});

describe('a run folder that cannot be written', () => {
  it('is named, with the reason and the way out', async () => {
    const file = join(await temporaryFolder({ file: '' }), 'file');
    await expect(openRun(join(file, 'run'))).rejects.toMatchObject({
      code: 'RUN_NOT_WRITTEN',
      message: expect.stringMatching(/^".*file\/run" could not be written: ENOTDIR: .*--out/),
    });
  });

  it('keeps what was finished when a file cannot be replaced', async () => {
    const path = await temporaryFolder();
    const run = await openRun(path);
    await run.begin(header);
    await run.append({ label: 0 });
    // A folder of that name cannot be replaced by a file.
    await mkdir(join(path, 'scan.json', 'inside'), { recursive: true });
    await mkdir(join(path, 'gtsrb_visualize_mask_label_1.png', 'inside'), { recursive: true });
    for (const attempt of [
      run.write({ 'scan.json': '{}' }),
      run.saveTrigger({ label: 1 }, renderTrigger(trigger), trigger),
    ]) {
      await expect(attempt).rejects.toMatchObject({
        code: 'RUN_NOT_WRITTEN',
        message: expect.stringMatching(
          /(scan\.json|label_1\.png)" could not be written: .*--resume: finished labels are kept/,
        ),
      });
    }
    await run.close();
    expect(await log(path)).toBe(logText(header, { label: 0 }));
  });
});

// The device that is always full.
describe.runIf(existsSync('/dev/full'))('on a full disk', () => {
  it('a line that cannot be written is an error that keeps the run', async () => {
    const writer = new RunLogWriter(await open('/dev/full', 'r+'), 'run/labels.jsonl', 0);
    await expect(writer.append({ label: 0 })).rejects.toMatchObject({
      code: 'RUN_NOT_WRITTEN',
      message: expect.stringMatching(/^"run\/labels\.jsonl" could not be written: ENOSPC: .*--resume/),
    });
    await writer.close();
  });
});

describe('a second run in one folder', () => {
  it('is refused while the first one is open, and not after', async () => {
    const path = await temporaryFolder();
    const first = await openRun(path);
    await expect(openRun(path)).rejects.toMatchObject({ code: 'RUN_BUSY', data: { pid: process.pid } });
    await first.close();
    await (await openRun(path)).close();
  });

  const ended = spawnSync(process.execPath, ['--eval', '']).pid;
  it.each([
    ['a process that has ended', { pid: ended, host: hostname(), id: 'a' }],
    ['an earlier process of the same number', { pid: process.pid, host: hostname(), id: 'a' }],
    ['nobody, since it was never written', undefined],
  ])('takes over from %s', async (_, owner) => {
    const path = await temporaryFolder({ '.lock': owner ? JSON.stringify(owner) : '' });
    const run = await openRun(path);
    expect(JSON.parse(await readFile(join(path, '.lock'), 'utf8'))).toMatchObject({ pid: process.pid });
    expect(await codeOf(() => openRun(path))).toBe('RUN_BUSY');
    await run.close();
    expect(await readdir(path)).toEqual([]);
  });

  it.each([
    ['a living process', { pid: process.ppid, host: hostname(), id: 'a' }],
    ['a process of another machine', { pid: ended, host: 'elsewhere', id: 'a' }],
  ])('is refused while %s may work there, and told how to go on', async (_, owner) => {
    const path = await temporaryFolder({ '.lock': JSON.stringify(owner) });
    await expect(openRun(path)).rejects.toMatchObject({
      code: 'RUN_BUSY',
      message: expect.stringContaining(`in use by process ${owner.pid} on ${owner.host}. Wait for it, or `),
    });
    expect(JSON.parse(await readFile(join(path, '.lock'), 'utf8'))).toEqual(owner);
  });

  it('has one winner where several take over at once', async () => {
    const path = await temporaryFolder({
      '.lock': JSON.stringify({ pid: ended, host: hostname(), id: 'a' }),
    });
    const attempts = await Promise.allSettled(Array.from({ length: 5 }, () => openRun(path)));
    const winners = attempts.filter((attempt) => attempt.status === 'fulfilled');
    expect(winners).toHaveLength(1);
    await winners[0]!.value.close();
  });
});

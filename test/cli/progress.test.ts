import { describe, expect, it } from 'vitest';
import { duration, type Output, showProgress } from '../../src/cli/progress.ts';
import type { InversionSummary } from '../../src/detect/scan.ts';

/** A place to write to, and a clock that is set by hand. */
function stage(isTTY: boolean, columns = 80) {
  const written: string[] = [];
  const clock = { now: 0 };
  const output: Output = {
    isTTY,
    columns,
    write: (text: string | Uint8Array) => written.push(String(text)) > 0,
  };
  const plan = { labels: 2, inversions: 4, known: 1 };
  return { written, clock, progress: showProgress(output, plan, () => clock.now) };
}

const inversion = (label: number, start = 0): InversionSummary => ({
  label,
  start,
  status: 'reversed',
  l1: 14.72,
  asr: 0.996,
  probe: 0,
  steps: 120,
  gradientSteps: 120,
  stopped: 'steps',
  seconds: 8.13,
  runtimeMs: 8000,
});
const running = (label: number, step: number) => ({ label, start: 0, step, l1: 93.4, asr: 0.875 });

/** What a terminal shows after these writes: lines, as far as they were not erased. */
function screen(written: readonly string[]): string[] {
  const lines: string[] = [];
  let row = 0;
  for (const text of written) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape sequences of a terminal
    for (const [token] of text.matchAll(/\u001b\[\d*[A-Z]|\n|[^\u001b\n]+/g)) {
      const up = token.endsWith('A') ? Number(token.slice(2, -1)) : 0;
      if (token === '\n') row++;
      else if (up > 0) row -= up;
      else if (token.endsWith('J')) lines.length = row;
      else if (!token.endsWith('K')) lines[row] = token;
    }
  }
  return lines;
}

describe('without a terminal', () => {
  it('prints a line for each finished label, with the time left', () => {
    const { written, clock, progress } = stage(false);
    clock.now = 20_000;
    progress.finished(inversion(7));
    clock.now = 40_000;
    progress.finished({ ...inversion(2), status: 'censored' });
    clock.now = 50_000;
    progress.finished(inversion(2, 1));
    progress.stop();
    expect(written).toEqual([
      'label 7: L1 14.7, ASR 0.996, 120 steps, 8.1 s (2 of 4 inversions of 2 labels, 20s, about 40s left)\n',
      'label 2: ASR threshold not reached, ASR 0.996, 120 steps, 8.1 s (3 of 4 inversions of 2 labels, 40s, about 20s left)\n',
      'label 2 again: L1 14.7, ASR 0.996, 120 steps, 8.1 s (4 of 4 inversions of 2 labels, 50s)\n',
    ]);
  });

  it('gives a sign of life at most every ten seconds', () => {
    const { written, clock, progress } = stage(false);
    for (clock.now = 0; clock.now < 35_000; clock.now += 500) progress.running(running(1, clock.now / 500));
    expect(written).toEqual([
      'label 1: step 20, L1 93.4, ASR 0.88 (1 of 4 inversions of 2 labels, 10s)\n',
      'label 1: step 40, L1 93.4, ASR 0.88 (1 of 4 inversions of 2 labels, 20s)\n',
      'label 1: step 60, L1 93.4, ASR 0.88 (1 of 4 inversions of 2 labels, 30s)\n',
    ]);
  });
});

describe('on a terminal', () => {
  /** Lets the timer of the block draw. */
  const frame = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 500));

  it('keeps one block up to date, and takes it away in the end', async () => {
    const { written, clock, progress } = stage(true);
    expect(screen(written)).toEqual(['1 of 4 inversions of 2 labels, 0s']);
    progress.running(running(3, 20));
    progress.running(running(1, 10));
    await frame();
    expect(screen(written)).toEqual([
      '1 of 4 inversions of 2 labels, 0s',
      '  label 1: step 10, L1 93.4, ASR 0.88',
      '  label 3: step 20, L1 93.4, ASR 0.88',
    ]);
    clock.now = 30_000;
    progress.running(running(1, 30));
    progress.finished(inversion(3));
    await frame();
    expect(screen(written)).toEqual([
      '2 of 4 inversions of 2 labels, 30s, about 1m 00s left',
      '  label 1: step 30, L1 93.4, ASR 0.88',
    ]);
    progress.note('Stopping.');
    await frame();
    expect(screen(written)).toEqual([
      'Stopping.',
      '2 of 4 inversions of 2 labels, 30s, about 1m 00s left',
      '  label 1: step 30, L1 93.4, ASR 0.88',
    ]);
    progress.stop();
    expect(screen(written)).toEqual(['Stopping.']);
    const count = written.length;
    await frame();
    expect(written).toHaveLength(count);
  });

  it('never wraps a line, which would break the block', async () => {
    const { written, progress } = stage(true, 20);
    progress.running(running(3, 20));
    await frame();
    progress.stop();
    expect(screen(written.slice(0, -1)).map((line) => line.length)).toEqual([19, 19]);
  });
});

it.each([
  [0, '0s'],
  [59_499, '59s'],
  [59_500, '1m 00s'],
  [3_599_400, '59m 59s'],
  [3_600_000, '1h 00m'],
  [86_460_000, '24h 01m'],
])('%i ms is %s', (milliseconds, text) => expect(duration(milliseconds)).toBe(text));

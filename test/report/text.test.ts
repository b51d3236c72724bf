import { describe, expect, it } from 'vitest';
import { NeuralCleanseError } from '../../src/errors.ts';
import { renderText } from '../../src/report/text.ts';
import { infectedNorms, ordinaryNorms, sampleResult, stoppedResult } from './sample.ts';

const escapeCode = '\u001b';

const rows = (text: string): string[] => text.split('\n').filter((line) => /^[▲ ] \d+ /.test(line));

describe('the table of labels', () => {
  it('begins with the flagged label, goes on with the smallest masks, and counts the rest', () => {
    const text = renderText(sampleResult());
    expect(rows(text)).toHaveLength(20);
    expect(rows(text)[0]).toMatch(/^▲ 33 +6\.0 +\d+\.\d\d +(< )?0\.\d{4} +100\.0 % {2}█/);
    expect(text).toContain('… and 23 more labels with larger masks\n');
    const norms = rows(text).map((row) => Number(/ (\d+\.\d) /.exec(row)![1]));
    expect(norms).toEqual(infectedNorms.toSorted((a, b) => a - b).slice(0, 20));
  });

  it('shows every label of a small scan, censored ones last and without a norm', () => {
    const text = renderText(sampleResult({ norms: [60, null, 65, 70, 62, 58] }));
    expect(rows(text).map((row) => row.trim().split(/\s/)[0])).toEqual(['5', '0', '4', '2', '3', '1']);
    expect(rows(text).at(-1)).toContain('not reached');
    expect(text).not.toContain('1000');
    expect(text.replace(/\s+/g, ' ')).toContain('1 never reached the ASR threshold');
    expect(text).not.toContain(' more label');
  });

  it('marks the norms that a screening estimated, and counts them', () => {
    const result = sampleResult({ norms: [60, 64, 65, 70, 62, 58] });
    const labels = result.labels.map((label) =>
      label.label === 3 ? { ...label, status: 'screened' as const } : label,
    );
    const text = renderText({ ...result, labels });
    expect(rows(text).filter((row) => row.includes('~'))).toEqual([expect.stringMatching(/^ {2}3 +~70\.0 /)]);
    expect(text.replace(/\s+/g, ' ')).toContain('~ 1 stopped early, and their norms estimated');
  });

  it('draws bars in proportion to the masks', () => {
    const lengths = rows(renderText(sampleResult({ norms: [10, 40, 40, 40, 40, 20] }), { width: 80 })).map(
      (row) => [...(/[█▏▎▍▌▋▊▉]+$/.exec(row)?.[0] ?? '')].length,
    );
    expect(lengths[0]).toBeGreaterThan(5);
    expect(lengths[1]).toBe(2 * lengths[0]!);
    expect(lengths[2]).toBe(4 * lengths[0]!);
  });

  it('names classes, but lets no name change the terminal or the table', () => {
    const classNames = Array.from({ length: 43 }, (_, i) => `class ${i}`);
    classNames[33] = '\u001b[2Jstop\nVerdict: all fine, and a very long name besides';
    const text = renderText(sampleResult({ classNames }));
    expect(text).not.toContain('\u001b');
    expect(rows(text)[0]).toContain('33 \ufffd[2Jstop\ufffdVerdict: all f…');
    expect(rows(text)[1]).toContain('class ');
  });
});

describe('the layout', () => {
  it.each([60, 80, 100, 200])('fits a terminal of %i columns, but for the command to copy', (width) => {
    const classNames = infectedNorms.map((_, i) => `a sign that has the number ${i}`);
    const results = [sampleResult({ classNames }), sampleResult({ norms: ordinaryNorms }), stoppedResult()];
    for (const result of results) {
      const lines = renderText(result, { width }).split('\n');
      const long = lines.filter((line) => [...line].length > width);
      expect(long.filter((line) => !line.startsWith('  neural-cleanse scan '))).toEqual([]);
    }
  });

  it('is coloured only when asked to be', () => {
    const plain = renderText(sampleResult());
    const colored = renderText(sampleResult(), { color: true });
    expect(plain).not.toContain('\u001b');
    expect(colored).toContain('\u001b[31mVerdict: backdoored\u001b[0m');
    expect(colored.replaceAll(new RegExp(`${escapeCode}\\[\\d+m`, 'g'), '')).toBe(plain);
  });
});

describe('the verdict', () => {
  it('comes with its reasons, its limits and the next command', () => {
    const text = renderText(sampleResult());
    expect(text).toContain('\nVerdict: backdoored\n  Label 33 has a mask of 6.0 pixels');
    expect(text).toContain('What this does not prove\n  That somebody planted it.');
    expect(text).toContain(
      '  neural-cleanse scan models/signs.onnx --data signs.h5 --seed 8 --first-label 33 --out runs/signs-2\n',
    );
    expect(text.replace(/\s+/g, ' ')).toContain('Look at runs/signs/gtsrb_visualize_fusion_label_33.png.');
  });

  it('is never that a model is clean', () => {
    const text = renderText(sampleResult({ norms: ordinaryNorms }));
    expect(text).toContain('Verdict: no-patch-backdoor-found\n');
    expect(text).toContain('That the model is free of backdoors.');
    expect(text).toContain('--preset paper');
  });

  it('says what stopped a scan before it began', () => {
    const text = renderText(stoppedResult());
    expect(text).toContain('Verdict: inconclusive\n  The model guesses.\n');
    expect(rows(text)).toEqual([]);
    expect(text).toContain("--preprocess 'range=1;mean=0.5;std=0.5;order=rgb'");
  });

  it('says what went wrong with single labels', () => {
    const failed = [{ label: 43, start: 0, error: new NeuralCleanseError('WORKER_FAILED', 'Killed.') }];
    const text = renderText(sampleResult({ norms: ordinaryNorms, failed, classes: 44 }));
    expect(text).toContain('Failed\n  label 43, start 0: WORKER_FAILED: Killed.\n');
    expect(text).toContain('Verdict: inconclusive\n  Without a result: label 43.');
    expect(text).toContain('--data signs.h5 --resume\n');
  });
});

import { describe, expect, it } from 'vitest';
import { collectReport } from '../../src/report/html/collect.ts';
import { renderPage } from '../../src/report/html/page.tsx';
import { renderJunit } from '../../src/report/junit.ts';
import { nextStep } from '../../src/report/next-step.ts';
import { type ScanResult, scanResult } from '../../src/report/result.ts';
import { renderSarif } from '../../src/report/sarif.ts';
import { renderText } from '../../src/report/text.ts';
import { ordinaryNorms, sampleResult } from './sample.ts';

const reason = 'Images of class 1 become label 7 by a mask of 8.0 pixels.';
const unlearned = { l1: 30, asr: 1, residualAsr: 0, usual: 0.7, reach: [0, 1, null, 0.1] };
const pairs: NonNullable<ScanResult['pairs']> = {
  pairs: [
    {
      source: 1,
      label: 7,
      status: 'reversed',
      l1: 8,
      asr: 1,
      unlearned,
      files: ['gtsrb_visualize_fusion_label_7_source_1.png'],
    },
    { source: 2, label: 7, status: 'reversed', l1: 22, asr: 0.99, unlearned, files: [] },
    { source: 2, label: 1, status: 'screened', l1: 90, asr: 0.9, files: [] },
  ],
  median: 60,
  withoutImages: [],
  flaggedTargets: [],
  findings: [{ source: 1, label: 7, level: 'suspicious', reasons: [reason] }],
};
const clean = sampleResult({ norms: ordinaryNorms });
const result = scanResult.parse({
  ...clean,
  verdict: 'suspicious',
  pairs,
  reasons: [reason, ...clean.reasons],
});

describe('a result with pairs', () => {
  it('lists as text those that were looked at closely', () => {
    const text = renderText(result);
    expect(text).toContain('▲ 1 → 7: L1 8.0, 30.0 once its trigger is unlearned, ASR 100.0 %');
    expect(text).toContain('2 → 7: L1 22.0');
    expect(text).toContain('3 pairs, 2 inverted to the end');
  });

  it('fails a test case of its own, and is a finding of code scanning', () => {
    expect(renderJunit(result)).toMatch(
      /name="pair 1 → 7".*<failure message="Images of class 1 become label 7/,
    );
    expect(renderJunit(result)).toContain('3 pairs, 2 of them inverted to the end, 1 found');
    const [run] = (JSON.parse(renderSarif(result)) as { runs: { results: unknown[] }[] }).runs;
    expect(run!.results).toMatchObject([
      { ruleId: 'suspicious-label', properties: { source: 1, label: 7, l1: 8 }, message: { text: reason } },
    ]);
  });

  it('points to the picture of the trigger', () => {
    expect(nextStep(result).advice).toContain('gtsrb_visualize_fusion_label_7_source_1.png');
  });

  it('has a map of all pairs in the page, and says which classes it concerns', async () => {
    const page = renderPage((await collectReport({ result, read: async () => undefined }))! as never);
    expect(page).toContain('A patch far smaller than natural ones turns images of class 1 into label 7');
    expect(page.match(/<rect [^>]*fill-opacity/g)).toHaveLength(3);
    expect(page).toContain('2 → 1: short run only');
  });
});

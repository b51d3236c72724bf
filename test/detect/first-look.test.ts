import { describe, expect, it } from 'vitest';
import { retryCensored } from '../../src/detect/first-look.ts';
import type { Found, OwnSummary, Work } from '../../src/detect/scan-work.ts';

const summary = (label: number, l1: number, status: OwnSummary['status'], asr = 1): OwnSummary => ({
  ...{ label, start: 0, status, l1, asr, probe: 0, steps: 90, gradientSteps: 78 },
  ...{ stopped: 'steps', seconds: 0, runtimeMs: 0 },
});

const foundOf = (inversions: readonly OwnSummary[]): Found => ({
  inversions,
  norms: inversions.map(({ label, l1, status }) => ({ label, l1, censored: status === 'censored' })),
});

describe('labels that found nothing', () => {
  const inversions = [
    summary(0, 50, 'reversed'),
    summary(1, 300, 'censored', 0.98),
    summary(2, 310, 'censored', 0.95),
    summary(3, 320, 'censored', 0.2),
    summary(4, 60, 'reversed'),
  ];

  it('are tried once more if they almost passed and too many are left', async () => {
    const asked: Work[] = [];
    const found = await retryCensored(
      async (work) => {
        asked.push(...work);
        return work.map(({ label }) => summary(label, 200, label === 1 ? 'reversed' : 'censored', 0.98));
      },
      foundOf(inversions),
      0.25,
    );
    expect(asked).toEqual([1, 2].map((label) => ({ label, start: 1, stage: 'confined' })));
    expect(found.norms.map(({ l1 }) => l1)).toEqual([50, 200, 310, 320, 60]);
    expect(found.norms.map(({ censored }) => censored)).toEqual([false, false, true, true, false]);
    expect(found.inversions.map(({ status }) => status)).toEqual([
      'reversed',
      'reversed',
      'censored',
      'censored',
      'reversed',
    ]);
  });

  it('are left alone where few are', async () => {
    const first = foundOf(inversions);
    const never = (): Promise<never> => Promise.reject(new Error('asked for'));
    expect(await retryCensored(never, first, 0.6)).toBe(first);
  });
});

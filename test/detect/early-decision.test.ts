import { describe, expect, it } from 'vitest';
import { decideByLeaders, decideBySmallest, decidesEarly } from '../../src/detect/early-decision.ts';
import { presets } from '../../src/detect/presets.ts';
import type { InversionSummary, OwnSummary, Work } from '../../src/detect/scan-work.ts';
import type { LookedAgain } from '../../src/detect/second-look.ts';
import { figures } from './figures.ts';

/** Ten labels that begin with 200 pixels and more; those with the smallest first masks are 4, 7 and 2. */
const early = [230, 250, 210, 260, 120, 240, 220, 180, 270, 245];
const looks = early.map((l1, label): OwnSummary => ({ ...figures, label, start: 0, status: 'screened', l1 }));

interface Ends {
  /** By label, at the end of the first start; half as many at the end of the next. */
  readonly finished: Readonly<Record<number, number>>;
  /** By label. */
  readonly unlearned: Readonly<Record<number, number>>;
}

/** @param fails a label none of whose inversions comes to its end */
async function decide(
  ends: Ends,
  fails?: number,
): Promise<{ decided: LookedAgain | undefined; asked: Work[] }> {
  const asked: Work[] = [];
  const decided = await decideByLeaders(
    async (work) => {
      asked.push(...work);
      const done = work.filter(({ label }) => label !== fails);
      return done.map(({ label, start, stage }): InversionSummary => {
        const of = { ...figures, label, start };
        if (stage === 'unlearned')
          return { ...of, status: 'unlearned', l1: ends.unlearned[label]!, residualAsr: 0 };
        return { ...of, status: 'reversed', l1: ends.finished[label]! / (start + 1) };
      });
    },
    looks,
    { seed: 0, pixels: 784 },
  );
  return { decided, asked };
}

const shown = (work: readonly Work[]): string[] =>
  work.map(({ label, stage, start }) => `${label} ${stage} ${start}`);

describe('an early decision', () => {
  it('rests on one mask that is proved, and leaves the others as they are', async () => {
    const { decided, asked } = await decide({ finished: { 4: 16, 7: 90, 2: 105 }, unlearned: { 4: 100 } });
    expect(shown(asked)).toEqual(['4 finish 0', '7 finish 0', '2 finish 0', '4 confined 1', '4 unlearned 1']);
    const { inversions, norms, unlearned, compactness } = decided!;
    expect(inversions.map(({ label }) => label)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(
      inversions.filter(({ status }) => status === 'reversed').map(({ label, l1 }) => [label, l1]),
    ).toEqual([
      [2, 105],
      [4, 8],
      [7, 90],
    ]);
    // What was tried more often than others is compared by its first mask; the others shrink as 7 and 2 did, by half.
    expect(norms.find(({ label }) => label === 4)!.l1).toBe(16);
    for (const { label, l1 } of norms.filter((norm) => ![2, 4, 7].includes(norm.label))) {
      expect(l1).toBeCloseTo(early[label]! / 2, 9);
      expect(inversions.find((inversion) => inversion.label === label)!.l1).toBe(l1);
    }
    expect(unlearned).toEqual([{ label: 4, l1: 100, asr: 1, residualAsr: 0 }]);
    expect(compactness.size).toBe(0);
  });

  it('is not made where the mask hardly grows, or is too large to be proof', async () => {
    const small = await decide({ finished: { 4: 16, 7: 90, 2: 105 }, unlearned: { 4: 12 } });
    expect(small.decided).toBeUndefined();
    const large = await decide({ finished: { 4: 60, 7: 90, 2: 105 }, unlearned: {} });
    expect(large.decided).toBeUndefined();
    expect(large.asked).toHaveLength(3);
  });

  it('is not made where another label needs a closer look, or none is left to compare with', async () => {
    const another = await decide({ finished: { 4: 16, 7: 10, 2: 105 }, unlearned: { 4: 100, 7: 3 } });
    expect(another.asked.map(({ stage }) => stage)).toContain('unlearned');
    expect(another.decided).toBeUndefined();
    const all = await decide({ finished: { 4: 8, 7: 8, 2: 8 }, unlearned: { 4: 100, 7: 100, 2: 100 } });
    expect(all.decided).toBeUndefined();
  });

  it('is tried once more when all labels are at their end', async () => {
    const ends = early.map(
      (l1, label): OwnSummary => ({ ...figures, label, start: 0, status: 'reversed', l1: 60 + l1 / 4 }),
    );
    const first = (planted: number) => {
      const inversions = ends.map((end) => (end.label === 8 ? { ...end, l1: planted } : end));
      return { inversions, norms: inversions.map(({ label, l1 }) => ({ label, l1 })) };
    };
    const asked: Work[] = [];
    const run = async (work: readonly Work[]): Promise<InversionSummary[]> => {
      asked.push(...work);
      return work.map(({ label, start, stage }) =>
        stage === 'unlearned'
          ? { ...figures, label, start, status: 'unlearned', l1: 100, residualAsr: 0 }
          : { ...figures, label, start, status: 'reversed', l1: label === 8 ? 9 : 90 },
      );
    };
    const at = { seed: 0, pixels: 784 };
    const decided = (await decideBySmallest(run, first(20), at))!;
    expect(shown(asked)).toEqual(['8 confined 1', '8 unlearned 1']);
    expect(decided.norms).toEqual(first(20).norms);
    expect(decided.inversions.find(({ label }) => label === 8)!.l1).toBe(9);
    asked.length = 0;
    expect(await decideBySmallest(run, first(60), at)).toBeUndefined();
    expect(asked).toEqual([]);
  });

  it('follows a mask that almost passes, and compares it by the one that does', async () => {
    const run =
      (asr: number) =>
      async (work: readonly Work[]): Promise<InversionSummary[]> =>
        work.map(({ label, start, stage }): InversionSummary => {
          const of = { ...figures, label, start };
          if (stage === 'unlearned') return { ...of, status: 'unlearned', l1: 100, residualAsr: 0 };
          return label === 4 && start === 0
            ? { ...of, status: 'censored', l1: 7, asr }
            : { ...of, status: 'reversed', l1: label === 4 ? 9 : 90 };
        });
    const decided = (await decideByLeaders(run(0.97), looks, { seed: 0, pixels: 784 }))!;
    expect(decided.unlearned.map(({ label }) => label)).toEqual([4]);
    expect(decided.norms.find(({ label }) => label === 4)).toEqual({ label: 4, l1: 9, censored: false });
    expect(await decideByLeaders(run(0.6), looks, { seed: 0, pixels: 784 })).toBeUndefined();
  });

  it('has no estimate for a label whose inversion failed', async () => {
    const ends: Ends = { finished: { 4: 16, 7: 90 }, unlearned: { 4: 100 } };
    const { decided } = await decide(ends, 2);
    expect(decided!.inversions.map(({ label }) => label)).toEqual([0, 1, 3, 4, 5, 6, 7, 8, 9]);
    expect(decided!.norms).toHaveLength(9);
  });

  it('is tried by the preset fast where labels can be compared', () => {
    expect(decidesEarly(10, presets.fast)).toBe(true);
    expect(decidesEarly(4, presets.fast)).toBe(false);
    expect(decidesEarly(10, presets.paper)).toBe(false);
    expect(decidesEarly(10, { ...presets.fast, screening: null })).toBe(false);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lookAgain } from '../../src/detect/look-again.ts';
import type { InversionSummary, OwnSummary, Work } from '../../src/detect/scan-work.ts';
import { chooseLabels, type SecondLook, secondLookWork, shrinkage } from '../../src/detect/second-look.ts';

const settings: SecondLook = {
  starts: 2,
  confined: { steps: 45 },
  unlearning: { epochs: 1, images: 32, batch: 32, learningRate: 0.002, share: 0.5, starts: 1 },
};

const summary = (
  label: number,
  start: number,
  l1: number,
  status: InversionSummary['status'] = 'reversed',
) => ({
  label,
  start,
  status,
  l1,
  asr: 1,
  probe: 0,
  steps: 1,
  gradientSteps: 1,
  stopped: 'steps' as const,
  seconds: 0,
  runtimeMs: 0,
});

/** Norms by label, then by start; unlearned, a label needs 1000 pixels and its number. */
const pool =
  (norms: (label: number, start: number) => number, asked: Work[] = []) =>
  async (work: readonly Work[]) => {
    asked.push(...work);
    return work.map(({ label, start, stage }) =>
      stage === 'unlearned'
        ? summary(label, start, 1000 + label, 'unlearned')
        : summary(label, start, norms(label, start)),
    );
  };

const firstOf = (
  norms: readonly number[],
): { inversions: OwnSummary[]; norms: { label: number; l1: number; censored: boolean }[] } => ({
  inversions: norms.map((l1, label) => summary(label, 0, l1) as OwnSummary),
  norms: norms.map((l1, label) => ({ label, l1, censored: false })),
});

describe('the labels of a second look', () => {
  it('are those with the smallest masks, and some of the rest, by seed alone', () => {
    const looks = firstOf([50, 90, 20, 80, 70, 60, 30, 85, 75, 65]).inversions;
    const { suspects, references } = chooseLabels(looks, 70, 1);
    expect(suspects).toEqual([2, 6, 0]);
    expect(new Set([...suspects, ...references]).size).toBe(6);
    expect(chooseLabels(looks.toReversed(), 70, 1)).toEqual({ suspects, references });
  });

  it('are as many again whose masks are clearly smaller than usual, as long as enough are left to draw', () => {
    const suspectsOf = (norms: readonly number[], usual: number | null): readonly number[] =>
      chooseLabels(firstOf(norms).inversions, usual, 1).suspects;
    const ten = [50, 90, 20, 80, 70, 60, 30, 85, 75, 65];
    expect(suspectsOf(ten, 82)).toEqual([2, 6, 0, 5]);
    expect(suspectsOf(ten, 1000)).toEqual([2, 6, 0, 5, 9, 4]);
    expect(suspectsOf(ten, null)).toEqual([2, 6, 0]);
    expect(suspectsOf(ten.slice(0, 7), 1000)).toEqual([2, 6, 0, 5]);
    expect(suspectsOf(ten.slice(0, 5), 1000)).toEqual([2, 0, 4]);
  });

  it('are none where there are too few to find outliers among', () => {
    expect(chooseLabels(firstOf([1, 2, 3, 4]).inversions, 2.5, 0)).toEqual({ suspects: [], references: [] });
    expect(secondLookWork(4, settings)).toEqual({ further: 0, tours: 0, unlearned: 0 });
  });

  it('are censored ones only if their small masks almost pass, and nothing is compared with those', () => {
    const choose = (censored: number, asr: number): ReturnType<typeof chooseLabels> =>
      chooseLabels(
        firstOf([9, 8, 7, 6, 5, 4, 3]).inversions.map((look) =>
          look.label === censored ? { ...look, status: 'censored' as const, asr } : look,
        ),
        5,
        0,
      );
    expect(choose(6, 0.95).suspects).toEqual([6, 5, 4]);
    expect(choose(6, 0.85).suspects).toEqual([5, 4, 3]);
    expect(choose(6, 0.85).references).not.toContain(6);
    expect(choose(1, 0.95).references).not.toContain(1);
  });
});

/** Of an image of 1,000 pixels. */
const images = { seed: 0, pixels: 1000 };

const within = (l1: number, found = true, asr = found ? 1 : 0.5) => ({ l1, asr, found, area: 64 });

describe('a second look', () => {
  it('takes the smallest mask of a label, and compares it less what more tries take off', async () => {
    const first = firstOf([100, 100, 20, 100, 100, 100, 100]);
    const asked: Work[] = [];
    // Every further start halves a mask.
    const { inversions, norms, unlearned } = await lookAgain(
      pool((label) => first.norms[label]!.l1 / 2, asked),
      first,
      settings,
      images,
    );
    expect(inversions.find(({ label }) => label === 2)!.l1).toBe(10);
    expect(norms).toEqual(first.norms);
    expect(unlearned).toEqual([{ label: 2, l1: 1002, asr: 1, residualAsr: 1 }]);
    const { further, tours, unlearned: most } = secondLookWork(7, settings);
    expect(asked.length).toBeLessThanOrEqual(further + tours + most);
    const { suspects, references } = chooseLabels(first.inversions, 100, images.seed);
    for (const label of references) expect(asked.filter((work) => work.label === label)).toHaveLength(2);
    // Of the suspects, only one has a mask below the usual size.
    const tried = suspects.filter((label) => asked.some((work) => work.label === label));
    expect(tried).toEqual([2]);
  });

  it('makes a suspect stand out that shrinks more than others', async () => {
    const first = firstOf([100, 100, 60, 100, 100, 100, 100]);
    const { norms } = await lookAgain(
      pool((label, start) => (label === 2 && start === 1 ? 12 : 90)),
      first,
      settings,
      images,
    );
    expect(norms.find(({ label }) => label === 2)!.l1).toBeCloseTo(12 / 0.9, 9);
  });

  it('ends with the suspects where nothing that follows could accuse one of them', async () => {
    const first = firstOf([100, 104, 72, 98, 102, 97, 101]);
    const asked: Work[] = [];
    const found = await lookAgain(
      pool((label) => first.norms[label]!.l1 - 5, asked),
      first,
      settings,
      images,
    );
    expect(found).toMatchObject({ norms: first.norms, unlearned: [], compactness: new Map() });
    expect(found.inversions.find(({ label }) => label === 2)!.l1).toBe(67);
    expect(asked).toMatchObject([{ label: 2, start: 1 }]);
  });

  it('tries a mask again that almost passes', async () => {
    const of = firstOf([100, 104, 8, 98, 102, 97, 101]);
    const missed = (label: number) => label === 2;
    const first = {
      inversions: of.inversions.map((own) =>
        missed(own.label) ? { ...own, status: 'censored' as const, asr: 0.95 } : own,
      ),
      norms: of.norms.map((norm) => ({ ...norm, censored: missed(norm.label) })),
    };
    const look = (further: ReturnType<typeof pool>) => lookAgain(further, first, settings, images);
    const found = await look(pool((label) => of.norms[label]!.l1));
    expect(found.norms[2]).toEqual({ label: 2, l1: 8, censored: false });
    expect(found.unlearned.map(({ label }) => label)).toEqual([2]);
    const never = await look(async (work) =>
      work.map(({ label, start }) => summary(label, start, 8, 'censored')),
    );
    expect(never.norms[2]!.censored).toBe(true);
    expect(never.unlearned).toEqual([]);
  });

  it('compares a suspect that fits into a window, and unlearns it if that may prove it', async () => {
    const first = firstOf([45, 250, 48, 150, 300, 130, 180]);
    const confined = pool((label) => first.norms[label]!.l1);
    const look = (own: number) =>
      lookAgain(
        async (work) =>
          (await confined(work)).map((inversion) =>
            inversion.status === 'unlearned'
              ? inversion
              : { ...inversion, confined: inversion.label === 2 ? within(own) : within(64, false) },
          ),
        first,
        settings,
        images,
      );
    // 150 pixels, the median, would be a contrast of 65; other labels succeed on half of the images with all 64 of the window.
    const small = await look(20);
    expect(small.compactness).toEqual(new Map([[2, 128 / 20]]));
    expect(small.unlearned.map(({ label }) => label)).toEqual([2]);
    const large = await look(40);
    expect(large.compactness).toEqual(new Map([[2, 128 / 40]]));
    expect(large.unlearned).toEqual([]);
    // Even if others succeeded on a quarter only, it would be four times as compact: too little to draw any.
    expect((await look(64)).compactness).toEqual(new Map());
  });

  it('tours windows with a suspect whose size is near proof, and does not compare it by what that finds', async () => {
    // Of 1,000 pixels and a median of 40: proof is a mask of less than 11.6, near proof one of less than 23.
    const first = firstOf([40, 41, 16, 39, 42, 38, 43]);
    const asked: Work[] = [];
    const found = await lookAgain(
      async (work) => {
        asked.push(...work);
        return work.map(({ label, start, stage }) => {
          if (stage === 'unlearned') return summary(label, start, 40, 'unlearned');
          const fits = label === 2 && start > settings.starts + 1;
          const l1 = fits ? 6 : first.norms[label]!.l1;
          return { ...summary(label, start, l1), confined: within(fits ? 6 : 64, fits) };
        });
      },
      first,
      settings,
      images,
    );
    const startsOf = (label: number) =>
      asked.filter((work) => work.label === label).map(({ start }) => start);
    // The second tour fits, so that there is no third.
    expect(startsOf(2)).toEqual([1, 2, 3, 4, 4]);
    for (const label of [0, 1, 3, 4, 5, 6])
      expect(Math.max(0, ...startsOf(label))).toBeLessThanOrEqual(settings.starts);
    expect(found.inversions[2]!.l1).toBe(6);
    expect(found.norms[2]!.l1).toBe(16);
    expect(found.unlearned).toMatchObject([{ label: 2, l1: 40 }]);
    expect(found.compactness.get(2)).toBeCloseTo(128 / 6, 9);
  });

  it('tours with a suspect that fits, too, where a somewhat smaller mask would be proof', async () => {
    const first = firstOf([200, 250, 56, 200, 300, 180, 190]);
    const asked: Work[] = [];
    // A contrast of 61 and 3.6 times as compact as drawn labels: 218, where a label of 104 could have 4 times a quarter of that.
    const found = await lookAgain(
      async (work) => {
        asked.push(...work);
        return work.map(({ label, start, stage }) => {
          if (stage === 'unlearned') return summary(label, start, 190, 'unlearned');
          const l1 = label === 2 ? (start > settings.starts ? 42 : 56) : first.norms[label]!.l1;
          return { ...summary(label, start, l1), confined: within(label === 2 ? l1 : 64, label === 2, 0.32) };
        });
      },
      { ...first, norms: first.norms },
      settings,
      { ...images, levels: { apartRatio: 100 } },
    );
    expect(
      asked.filter(({ label, start }) => label === 2 && start > settings.starts).map(({ stage }) => stage),
    ).toEqual(['confined', 'unlearned']);
    expect(found.compactness.get(2)).toBeCloseTo(64 / 0.32 / 42, 9);
    expect(found.unlearned).toMatchObject([{ label: 2, l1: 190 }]);
  });

  it('takes no mask for compact that is much smaller elsewhere', async () => {
    const first = firstOf([200, 250, 30, 200, 300, 180, 190]);
    const { compactness } = await lookAgain(
      async (work) =>
        work.map(({ label, start, stage }) => ({
          ...summary(label, start, first.norms[label]!.l1, stage === 'unlearned' ? 'unlearned' : 'reversed'),
          ...(stage === 'confined' && { confined: within(label === 2 ? 40 : 64, label === 2) }),
        })),
      first,
      settings,
      images,
    );
    expect(compactness).toEqual(new Map());
  });

  it('never makes more of a suspect than more tries explain', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.double({ min: 1, max: 100, noNaN: true }),
            fc.double({ min: 0.1, max: 2, noNaN: true }),
          ),
          {
            minLength: 1,
            maxLength: 9,
          },
        ),
        (pairs) => {
          const first = new Map(pairs.map(([l1], label) => [label, l1]));
          const best = new Map(pairs.map(([l1, factor], label) => [label, l1 * factor]));
          const factor = shrinkage([...first.keys()], first, best);
          expect(factor).toBeGreaterThan(0);
          expect(factor).toBeLessThanOrEqual(1);
        },
      ),
      { seed: 2 },
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plannedInversions, plannedSteps, withinBudget } from '../../src/detect/budget.ts';
import { presets } from '../../src/detect/presets.ts';
import { settingsFrom } from '../../src/detect/settings.ts';

describe('the steps of a scan', () => {
  it('are 114 for a label, or 126 with a short run before, some more for the smallest masks, and fewer where there are many labels', () => {
    const first = { ...presets.fast, secondLook: null };
    expect(plannedSteps(first, { labels: 10 })).toBe(1140);
    expect(plannedSteps(first, { labels: 43 })).toBe(43 * 114);
    // Three suspects, three more and three references from three further starts, each with 45 steps within a window; the suspects once more,
    // unlearned, and twice again. Three labels that an early decision has followed may be others: one further start, and unlearned; and
    // suspects may have been unlearned from an earlier start. Three tours of each suspect, of 160 steps and as many within the window that is left.
    const [further, tour] = [159, 205];
    const unlearned = tour + 3 * 21 + 2 * 114;
    const later = 10 * 3 * further + 18 * tour + 12 * unlearned;
    expect(plannedSteps(presets.fast, { labels: 10 })).toBe(1260 + later);
    expect(plannedSteps(presets.fast, { labels: 43 })).toBe(43 * 126 + later);
    expect(plannedInversions(presets.fast, { labels: 43 })).toBe(43 + 43 + 27 + 18 + 3 + 12);
    expect(plannedSteps(presets.fast, { labels: 3 })).toBe(3 * 114);
    expect(plannedSteps(first, { labels: 1000 })).toBe(1000 * 36 + 56 * 90);
    expect(plannedSteps(presets.fast, { labels: 1000 })).toBe(
      1000 * 36 + 56 * 90 + 160 * further + 96 * tour + 64 * unlearned,
    );
    expect(plannedSteps({ ...presets.fast, starts: 3 }, { labels: 43 })).toBe(3 * 43 * 114);
    expect(plannedSteps(settingsFrom({ preset: 'paper', samples: 1000 }), { labels: 10 })).toBe(
      10 * 31 * 1000,
    );
    expect(
      plannedSteps(settingsFrom({ preset: 'fast', samples: 1000, steps: 8, starts: 2 }), { labels: 10 }),
    ).toBe(2 * 10 * 3 * 8);
  });

  it('may be fewer than usual from the start, and the least is then told by those', () => {
    const short = settingsFrom({ preset: 'fast', samples: 1000, steps: 20 });
    expect(() => withinBudget(short, { labels: 10 }, 150)).toThrow(
      expect.objectContaining({ code: 'BUDGET_TOO_SMALL', data: { budget: 150, least: 200 } }),
    );
  });

  it('keep within a budget, or the budget is refused with the least that would do', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('fast', 'paper'),
        fc.integer({ min: 5, max: 2000 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        (preset, labels, budget) => {
          const settings = settingsFrom({ preset, samples: 1000 });
          try {
            const affordable = withinBudget(settings, { labels }, budget);
            expect(plannedSteps(affordable, { labels })).toBeLessThanOrEqual(budget);
            if (plannedSteps(settings, { labels }) <= budget) expect(affordable).toBe(settings);
          } catch (error) {
            const { code, data } = error as { code: string; data: { least: number } };
            expect(code).toBe('BUDGET_TOO_SMALL');
            expect(data.least).toBeGreaterThan(budget);
            expect(plannedSteps(withinBudget(settings, { labels }, data.least), { labels })).toBe(data.least);
          }
        },
      ),
      { seed: 3, numRuns: 200 },
    );
  });
});

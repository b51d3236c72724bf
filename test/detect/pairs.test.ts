import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { preprocessPresets } from '../../src/data/preprocess.ts';
import { plannedInversions, plannedSteps, withinBudget } from '../../src/detect/budget.ts';
import type { InversionShared } from '../../src/detect/invert-task.ts';
import { scanPairs, usualSize } from '../../src/detect/pair-scan.ts';
import { sourcesOf } from '../../src/detect/pair-sources.ts';
import { judgePairs, withPairs } from '../../src/detect/pair-verdict.ts';
import {
  defaultPairSearch,
  type PairsFound,
  pairInversions,
  pairsOf,
  suspectPairs,
} from '../../src/detect/pairs.ts';
import { presets } from '../../src/detect/presets.ts';
import { type Reach, sourcesReached, spillOf } from '../../src/detect/reach.ts';
import { type ScanRequest, scanLabels } from '../../src/detect/scan.ts';
import type { InversionSummary, Work } from '../../src/detect/scan-work.ts';
import { settingsFrom } from '../../src/detect/settings.ts';
import { splitSamples } from '../../src/detect/split.ts';
import type { Conclusion } from '../../src/detect/verdict.ts';
import { prepareClassifier } from '../../src/model/classifier.ts';
import { createInlinePool } from '../../src/runtime/inline-pool.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import type { Pool } from '../../src/runtime/task.ts';
import { classes, cornerImageSet, cornerModel, target } from '../cli/corner-model.ts';
import { figures } from './figures.ts';

/** Norms by pair: `short` after the short run, `whole` at the end of a start; unlearned, a pair needs 50 pixels. */
const pool =
  (short: (work: Work) => number, whole: (work: Work) => number, asked: Work[] = []) =>
  async (work: readonly Work[]): Promise<InversionSummary[]> => {
    asked.push(...work);
    return work.map((one) => {
      const { label, source, start, stage } = one;
      const of = { label, source: source!, start };
      if (stage === 'unlearned') return { ...of, ...figures, status: 'unlearned', l1: 50, residualAsr: 0.1 };
      if (stage === 'screen') return { ...of, ...figures, status: 'screened', l1: short(one) };
      return { ...of, ...figures, status: 'reversed', l1: whole(one) };
    });
  };

const planted = ({ source, label }: { source?: number | undefined; label: number }): boolean =>
  source === 1 && label === 3;
const five = [0, 1, 2, 3, 4];

describe('the search over pairs', () => {
  it('looks at all pairs, follows the smallest masks, and tries the suspects again', async () => {
    const asked: Work[] = [];
    const found = await scanPairs(
      pool(
        (work) => (planted(work) ? 90 : 100 + work.label),
        (work) => (planted(work) ? 8 - work.start : 40 + work.source!),
        asked,
      ),
      pairsOf(five, five),
      { most: 9, starts: 2 },
    );
    const of = (stage: Work['stage']): Work[] => asked.filter((work) => work.stage === stage);
    expect(of('screen')).toHaveLength(20);
    expect(of('finish')).toHaveLength(9);
    expect(of('finish')[0]).toEqual({ source: 1, label: 3, start: 0, probe: 2, stage: 'finish' });
    expect(of('finish').every(({ label, source }) => label <= 2 || planted({ source, label }))).toBe(true);
    expect(suspectPairs(20)).toBe(3);
    expect(of(undefined)).toHaveLength(2 * 3);
    expect(of('unlearned')).toHaveLength(3);
    expect(of('unlearned')[0]).toEqual({ source: 1, label: 3, start: 2, stage: 'unlearned' });
    // No trigger has other sources.
    expect(asked).toHaveLength(pairInversions(20, { most: 9, starts: 2 }) - 3);
    expect(found.pairs).toHaveLength(20);
    expect(found.pairs.filter(({ status }) => status === 'reversed')).toHaveLength(9);
    expect(found.pairs.find(planted)).toMatchObject({ l1: 6, status: 'reversed' });
  });

  it('judges a pair by its first trigger where that works on another class as on its source', async () => {
    const asked: Work[] = [];
    const run = pool(
      () => 100,
      (work) => (planted(work) ? 30 : 10 + work.label),
      asked,
    );
    const found = await scanPairs(
      async (work) =>
        (await run(work)).map((inversion) => {
          const isShared = planted(inversion) && inversion.status === 'reversed';
          return isShared ? { ...inversion, reach: [0, 1, 0.95, null, 0.1] } : inversion;
        }),
      pairsOf(five, five),
      { most: 20, starts: 2 },
    );
    // It is none of the three smallest, and is not tried again.
    expect(asked.filter((work) => planted(work)).map(({ stage }) => stage)).toEqual([
      'screen',
      'finish',
      'unlearned',
    ]);
    expect(found.unlearned).toHaveLength(4);
  });

  it('estimates the usual size of all pairs from those that got to their end', async () => {
    const found = await scanPairs(
      pool(
        (work) => 100 + work.label,
        (work) => (100 + work.label) / 4,
      ),
      pairsOf(five, five),
      { most: 4, starts: 0 },
    );
    expect(found.median).toBeCloseTo(102 / 4, 9);
  });

  it('knows that some classes are easily left or reached', () => {
    const looks = pairsOf(five, five).map((pair) => ({
      ...pair,
      l1: (pair.source === 1 ? 25 : 100) * (pair.label === 4 ? 0.25 : 1),
    }));
    expect(usualSize(looks, { source: 0, label: 2 })).toBe(1);
    expect(usualSize(looks, { source: 1, label: 2 })).toBe(0.5);
    expect(usualSize(looks, { source: 1, label: 4 })).toBe(0.25);
    expect(usualSize([looks[0]!], looks[0]!)).toBe(1);
  });

  it('has no source without enough images, and none without labels', () => {
    const set = cornerImageSet();
    const split = splitSamples(set, 0);
    expect(sourcesOf(set, split, classes).sources).toHaveLength(classes);
    expect(sourcesOf(set, split, classes + 1).withoutImages).toEqual([classes]);
    expect(() => sourcesOf({ ...set, labels: undefined }, split, classes)).toThrow(
      expect.objectContaining({ code: 'DATA_UNLABELLED' }),
    );
    const oneEach = {
      ...split,
      showing: (indices: readonly number[], label: number) => split.showing(indices, label).slice(0, 1),
    };
    expect(() => sourcesOf(set, oneEach, classes)).toThrow(expect.objectContaining({ code: 'DATA_TOO_FEW' }));
  });
});

describe('what a search over pairs costs', () => {
  const settings = settingsFrom({ preset: 'fast', samples: 1000, pairs: true });

  it('is known before it begins, and kept within a budget by fewer pairs', () => {
    expect(settings.pairs).toEqual(defaultPairSearch);
    const labels = plannedSteps(settings, { labels: 10 });
    const whole = plannedSteps(settings, { labels: 10, pairs: 90 });
    expect(whole - labels).toBeGreaterThan(90 * (36 + 90));
    expect(plannedInversions(settings, { labels: 10, pairs: 90 })).toBe(
      plannedInversions(settings, { labels: 10 }) + pairInversions(90, defaultPairSearch),
    );
    const within = withinBudget(settings, { labels: 10, pairs: 90 }, whole - 1000);
    expect(within.pairs!.most).toBe(78);
    expect(plannedSteps(within, { labels: 10, pairs: 90 })).toBeLessThanOrEqual(whole - 1000);
    expect(() => withinBudget(settings, { labels: 10, pairs: 90 }, labels)).toThrow(
      expect.objectContaining({ code: 'BUDGET_TOO_SMALL' }),
    );
  });

  it('is paid by the preset fast only', () => {
    expect(settingsFrom({ preset: 'fast', samples: 1000, pairs: 7 }).pairs!.most).toBe(7);
    expect(() => settingsFrom({ preset: 'paper', samples: 1000, pairs: true })).toThrow(
      expect.objectContaining({ code: 'SETTING_INVALID' }),
    );
  });
});

describe('the verdict on pairs', () => {
  /** One pair of twenty; of the others nothing is known but that they were scanned. */
  const found = (l1: number, after: number, reach: Reach, residualAsr = 0): PairsFound => ({
    pairs: pairsOf(five, five).map((pair) => ({
      ...pair,
      start: 0,
      ...figures,
      ...(planted(pair) ? { status: 'reversed', l1 } : { status: 'screened', l1: 80 }),
    })),
    unlearned: [{ source: 1, label: 3, l1: after, asr: 1, residualAsr, usual: 0.5, reach }],
    median: 80,
    withoutImages: [7],
    flaggedTargets: [],
  });
  /** The source of the pair alone; class 2 follows in part. */
  const alone = (spill: number): Reach => [0, 1, spill, null, 0];
  /** Class 4 is a source as well. */
  const shared = (spill: number): Reach => [0, 1, spill, null, 0.9];
  const levelOf = (pairs: PairsFound): string | undefined => judgePairs(pairs, 1000).findings[0]?.level;

  it('asks how much a mask grows for its size, source and target, and how little it does to other classes', () => {
    // 0.5 · 40 · 1000 / 8² = 312; by a share of .31 that is 1008.
    expect(levelOf(found(8, 40, shared(0.31)))).toBe('suspicious');
    expect(levelOf(found(8, 40, shared(0.32)))).toBeUndefined();
    expect(levelOf(found(9, 40, shared(0.31)))).toBeUndefined();
    expect(levelOf(found(8, 40, []))).toBeUndefined();
    // Below a fiftieth nothing is told from chance.
    expect(levelOf(found(32, 40, shared(0)))).toBeUndefined();
    expect(levelOf(found(31, 40, shared(0)))).toBe('suspicious');
    // What turns most classes is no trigger of some sources.
    expect(levelOf(found(8, 40, [0.9, 1, 0.9, null, 0]))).toBeUndefined();
    // Growth counts up to the median only.
    expect(levelOf(found(50, 1000, shared(0)))).toBeUndefined();
    // What was not unlearned says nothing.
    expect(levelOf(found(7, 40, shared(0), 0.5))).toBeUndefined();
    const { reasons } = judgePairs(found(9, 40, shared(0.5)), 1000);
    expect(reasons[0]).toMatch(/^Of 20 pairs of a source and a target, none/);
    expect(reasons).toContain('Too few images to scan as a source: class 7.');
  });

  it('asks for more of a trigger with one source, the more pairs there are', () => {
    const few = found(8, 40, alone(0.3));
    expect(levelOf(few)).toBe('suspicious');
    const many = { ...few, pairs: [...few.pairs, ...few.pairs.filter((pair) => !planted(pair))] };
    expect(levelOf(many)).toBeUndefined();
  });

  it('names the sources that a trigger has, and what it does to the rest', () => {
    const said = judgePairs(found(8, 40, shared(0.05)), 1000).findings[0]!.reasons.join(' ');
    expect(said).toContain('turns class 4 as well, and no other class by more than 5.0 %');
    expect(judgePairs(found(8, 40, alone(0)), 1000).findings[0]!.reasons[1]).toContain(
      'The trigger turns no other class by more than 0.0 %',
    );
  });

  it('makes the verdict graver, never milder, and never more than suspicious', () => {
    const of = (verdict: Conclusion['verdict']): Conclusion => ({
      verdict,
      findings: [],
      reasons: ['labels'],
    });
    const [some, none] = [
      judgePairs(found(8, 40, alone(0)), 1000),
      judgePairs(found(20, 40, alone(0.8)), 1000),
    ];
    expect(withPairs(of('no-patch-backdoor-found'), some).verdict).toBe('suspicious');
    expect(withPairs(of('backdoored'), some).verdict).toBe('backdoored');
    expect(withPairs(of('backdoored'), some).reasons[0]).toBe('labels');
    expect(withPairs(of('inconclusive'), some).verdict).toBe('suspicious');
    expect(withPairs(of('inconclusive'), none).verdict).toBe('inconclusive');
    expect(withPairs(of('no-patch-backdoor-found'), none).verdict).toBe('no-patch-backdoor-found');
  });
});

describe('a model whose backdoor works on one class only', () => {
  const source = 2;
  const images = cornerImageSet();
  const chosen = {
    preprocess: preprocessPresets.unit,
    accuracy: 1,
    crossEntropy: 0.1,
    confidence: 1,
    predictedClasses: classes,
    samples: 160,
  };
  const all = Array.from({ length: classes }, (_, label) => label);
  const request: ScanRequest = {
    labels: all,
    seed: 0,
    starts: 1,
    screening: null,
    secondLook: presets.fast.secondLook,
    pairs: { most: 20, starts: 1, sources: all, withoutImages: [] },
    preflight: { chosen, candidates: [chosen], samples: 160, problems: [], warnings: [] },
    pixels: 64,
  };
  let inline: Pool<InversionShared>;
  beforeAll(async () => {
    const classifier = await prepareClassifier(nodeRuntime, cornerModel({ source }));
    const shared = {
      classifier,
      images,
      preprocess: preprocessPresets.unit,
      settings: presets.fast,
      seed: 0,
    };
    inline = await createInlinePool<InversionShared>(nodeRuntime, { provider: 'cpu', shared });
  });
  afterAll(() => inline.close());

  it('is seen in its pair, and has the same result in another order and from what was finished before', async () => {
    const whole = await scanLabels(inline, request);
    const pairs = whole.pairs!.pairs.toSorted((a, b) => a.l1 - b.l1);
    expect(pairs[0]).toMatchObject({ source, label: target });
    expect(whole.pairs!.unlearned[0]).toMatchObject({ source, label: target });
    expect(sourcesReached(whole.pairs!.unlearned[0]!.reach)).toEqual([source]);
    expect(spillOf(whole.pairs!.unlearned[0]!.reach)).toBeLessThan(0.1);
    // Each of four pixels is a trigger by itself, so that unlearning one leaves the others.
    expect(whole.pairs!.unlearned[0]!.l1).toBeGreaterThan(1.5 * pairs[0]!.l1);
    expect(pairs[1]!.l1).toBeGreaterThan(4 * pairs[0]!.l1);
    const finished = whole.all.filter((_, i) => i % 3 !== 1);
    const again = await scanLabels(inline, { ...request, labels: all.toReversed(), finished });
    const facts = ({ pairs: found, conclusion }: typeof whole) => ({
      conclusion,
      pairs: found!.pairs.map(({ seconds: _seconds, runtimeMs: _runtimeMs, ...rest }) => rest),
      unlearned: found!.unlearned,
      median: found!.median,
    });
    expect(facts(again)).toEqual(facts(whole));
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FlaggedTrigger } from '../../src/mitigate/flagged-trigger.ts';
import {
  type LabelResult,
  type RepairScan,
  type RepairSteps,
  repair,
  smallTriggers,
} from '../../src/mitigate/repair.ts';
import { findSuspects, usualSize } from '../../src/mitigate/repair-suspects.ts';
import type { UnlearnOutcome } from '../../src/mitigate/unlearn.ts';
import type { Model } from '../../src/onnx/graph.ts';
import { solidSquare } from '../../src/triggers/patterns.ts';
import { backdoored, reversed } from './models.ts';

const result = (
  label: number,
  l1: number,
  status: LabelResult['status'] = 'reversed',
  asr = status === 'censored' ? 0.5 : 0.99,
): LabelResult => ({
  label,
  status,
  l1,
  asr,
  anomalyIndex: null,
});
const results = (...sizes: number[]): LabelResult[] => sizes.map((l1, label) => result(label, l1));

describe('suspects', () => {
  const none: ReadonlySet<number> = new Set();

  it('are the flagged labels and those with small masks, smallest first', () => {
    // Norms of an MNIST network with three infected labels, of which no test of outliers takes notice.
    const labels = results(99, 26, 121, 104, 16, 133, 115, 16.5, 140, 110);
    expect(findSuspects(labels, [], none)).toEqual([
      { label: 4, reason: 'small' },
      { label: 7, reason: 'small' },
      { label: 1, reason: 'small' },
    ]);
    expect(findSuspects(labels, [4, 0], none)[3]).toEqual({ label: 0, reason: 'flagged' });
  });

  it('are none among masks of usual spread', () => {
    expect(findSuspects(results(82, 93, 109, 116, 118, 133, 77, 101, 95, 88), [], none)).toEqual([]);
  });

  it('remain suspect until their masks are as large as others', () => {
    const labels = results(45, 100, 110, 90, 105);
    expect(findSuspects(labels, [], none)).toEqual([]);
    expect(findSuspects(labels, [], new Set([0]))).toEqual([{ label: 0, reason: 'still-small' }]);
    expect(findSuspects(results(60, 100, 110, 90, 105), [], new Set([0]))).toEqual([]);
  });

  it('never are labels without a working trigger, which count as large', () => {
    const labels = [...results(10, 90, 100), result(3, 5, 'censored'), result(4, 5, 'censored')];
    expect(usualSize(labels)).toBe(100);
    expect(findSuspects(labels, [], none)).toEqual([{ label: 0, reason: 'small' }]);
    expect(findSuspects([result(0, 5, 'censored')], [], none)).toEqual([]);
    // Unless a small one almost works: a scan with the same backdoor beside others ended at 98 %.
    const almost = [...results(100, 90, 100), result(3, 15, 'censored', 0.98)];
    expect(findSuspects(almost, [], none)).toEqual([{ label: 3, reason: 'small' }]);
  });

  it('do not depend on the unit of size or the order of labels', () => {
    const norms = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 5, maxLength: 50 });
    fc.assert(
      fc.property(norms, fc.integer({ min: 2, max: 9 }), (sizes, factor) => {
        const labels = results(...sizes);
        const found = findSuspects(labels, [], none);
        const scaled = labels.map((one) => ({ ...one, l1: one.l1 * factor }));
        expect(findSuspects(scaled, [], none)).toEqual(found);
        const set = (suspects: typeof found): Set<number> => new Set(suspects.map(({ label }) => label));
        expect(set(findSuspects(labels.toReversed(), [], none))).toEqual(set(found));
      }),
      { seed: 3, numRuns: 60 },
    );
  });
});

describe('the loop', () => {
  const model = backdoored();
  const repaired: readonly Model[] = [1, 2, 3].map(() => ({ ...model }));

  /** A repair whose scans find these sizes, one list a round. */
  function steps(...sizes: number[][]) {
    const log: string[] = [];
    const scanOf = (round: number): RepairScan => ({
      labels: results(...sizes[round]!),
      flagged: [],
      verdict: 'no-patch-backdoor-found',
      trigger: async () => reversed.trigger,
    });
    const of: RepairSteps<RepairScan> = {
      async scan(current, round) {
        expect(current).toBe(round === 0 ? model : repaired[round - 1]);
        log.push(`scan ${round}`);
        return scanOf(round);
      },
      async explore(_model, _scan, found, round) {
        log.push(`explore ${found.map(({ label }) => label)} in ${round}`);
        return found.map(({ label }): FlaggedTrigger => ({ ...reversed, label }));
      },
      async unlearn(current, triggers, round) {
        expect(current).toBe(round === 1 ? model : repaired[round - 2]);
        log.push(`unlearn ${triggers.map(({ label }) => label)}`);
        return { model: repaired[round - 1]! } as UnlearnOutcome;
      },
    };
    return { of, log, scanOf };
  }

  it('goes on until nothing is suspect, with the triggers of all rounds', async () => {
    const { of, log } = steps([10, 90, 90, 90, 90], [90, 90, 10, 90, 90], [90, 90, 80, 90, 90]);
    const outcome = await repair(model, of, { rounds: 5 });
    expect(log).toEqual([
      'scan 0',
      'explore 0 in 1',
      'unlearn 0,0',
      'scan 1',
      'explore 2 in 2',
      'unlearn 0,0,2,2',
      'scan 2',
    ]);
    expect(outcome.model).toBe(repaired[1]);
    expect(outcome.remaining).toEqual([]);
    expect(outcome.rounds.map(({ suspects }) => suspects.map(({ label }) => label))).toEqual([[0], [2]]);
  });

  it('stamps further triggers that are as small as those of suspects', () => {
    const { scanOf } = steps([10, 90, 90, 90, 90]);
    const large = { ...reversed, trigger: solidSquare([8, 8, 1], [1, 1, 6, 6]) };
    // A third of 90 pixels is 30: the square has 36, the trigger of the label 4.
    expect(smallTriggers([large, reversed], scanOf(0))).toEqual([reversed]);
  });

  it('ends after so many rounds, and says what remains', async () => {
    const { of } = steps([10, 90, 90, 90, 90], [40, 90, 90, 90, 90]);
    const outcome = await repair(model, of, { rounds: 1 });
    expect(outcome.remaining).toEqual([{ label: 0, reason: 'still-small' }]);
    expect(outcome.model).toBe(repaired[0]);
  });

  it('leaves a model as it is in which nothing is suspect', async () => {
    const { of, log } = steps([80, 90, 90, 90, 90]);
    const outcome = await repair(model, of, { rounds: 5 });
    expect(log).toEqual(['scan 0']);
    expect(outcome).toMatchObject({ rounds: [], remaining: [] });
    expect(outcome.model).toBe(model);
  });

  it('begins with a given scan, and with the labels that are asked for', async () => {
    const { of, log, scanOf } = steps([80, 90, 90, 90, 90], [80, 90, 90, 90, 90]);
    const outcome = await repair(model, of, { rounds: 5, first: scanOf(0), labels: [3] });
    expect(log).toEqual(['explore 3 in 1', 'unlearn 3,3', 'scan 1']);
    expect(outcome.rounds[0]!.suspects).toMatchObject([{ label: 3, reason: 'asked-for' }]);
    await expect(repair(model, of, { rounds: 5, first: scanOf(0), labels: [9] })).rejects.toMatchObject({
      code: 'TRIGGERS_NOT_FOUND',
    });
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { preprocessPresets } from '../../src/data/preprocess.ts';
import { plannedSteps } from '../../src/detect/budget.ts';
import type { Inversion, InvertRequest } from '../../src/detect/inversion.ts';
import type { InversionShared } from '../../src/detect/invert-task.ts';
import type { PreflightReport } from '../../src/detect/preflight.ts';
import { presets } from '../../src/detect/presets.ts';
import { checkSamples, type ScanRequest, scanLabels } from '../../src/detect/scan.ts';
import { type ErrorCode, NeuralCleanseError } from '../../src/errors.ts';
import { prepareClassifier } from '../../src/model/classifier.ts';
import { createInlinePool } from '../../src/runtime/inline-pool.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import type { Pool } from '../../src/runtime/task.ts';
import { classes, cornerImageSet, cornerModel, target } from '../cli/corner-model.ts';

const images = cornerImageSet();
const chosen = {
  preprocess: preprocessPresets.unit,
  accuracy: 1,
  crossEntropy: 0.1,
  confidence: 1,
  predictedClasses: classes,
  samples: 160,
};
const preflight: PreflightReport = { chosen, candidates: [chosen], samples: 160, problems: [], warnings: [] };
const settings = presets.fast;
const all = Array.from({ length: classes }, (_, label) => label);
const request: ScanRequest = {
  labels: all,
  seed: 0,
  starts: 2,
  screening: null,
  secondLook: null,
  preflight,
  pixels: 64,
};

let pool: Pool<InversionShared>;
beforeAll(async () => {
  const classifier = await prepareClassifier(nodeRuntime, cornerModel());
  const shared = { classifier, images, preprocess: preprocessPresets.unit, settings, seed: 0 };
  pool = await createInlinePool<InversionShared>(nodeRuntime, { provider: 'cpu', shared });
});
afterAll(() => pool.close());

/** The pool, but some inversions fail. */
const failing = (wrong: (label: number, start: number) => ErrorCode | undefined): Pool<InversionShared> => ({
  ...pool,
  close: () => pool.close(),
  run(task, payload, options) {
    const { label, start } = payload as { label: number; start: number };
    const code = wrong(label, start);
    return code
      ? Promise.reject(new NeuralCleanseError(code, `label ${label} failed`))
      : pool.run(task, payload, options);
  },
});

/** What must not depend on how a scan came about. */
const figures = ({ inversions, outliers, conclusion }: Awaited<ReturnType<typeof scanLabels>>) => ({
  inversions: inversions.map(({ seconds: _seconds, runtimeMs: _runtimeMs, ...rest }) => rest),
  outliers,
  conclusion,
});

describe('a scan', () => {
  it('inverts every label from each start, and hands every trigger over', async () => {
    const seen: Inversion[] = [];
    const outcome = await scanLabels(pool, request, {
      onInversion: (inversion) => void seen.push(inversion),
    });
    expect(outcome.all).toHaveLength(2 * classes);
    expect(seen.map(({ label, start }) => [label, start]).slice(0, classes)).toEqual(
      all.map((label) => [label, 0]),
    );
    expect(seen.map(({ label, start }) => [label, start]).slice(classes)).toEqual(
      all.map((label) => [label, 1]),
    );
    expect(seen.every(({ trigger }) => trigger.mask.dims.join() === '8,8')).toBe(true);
    expect(outcome.inversions.map(({ label }) => label)).toEqual(all);
    expect(outcome.failed).toEqual([]);
    expect(outcome.conclusion).toMatchObject({ verdict: 'backdoored', findings: [{ label: target }] });
    for (const { label, l1 } of outcome.inversions) {
      expect(l1).toBe(
        Math.min(...seen.filter((i) => i.label === label && i.status === 'reversed').map((i) => i.l1)),
      );
    }
  });

  it('gives the same in another order, and from what was finished before', async () => {
    const whole = await scanLabels(pool, request);
    const reversed = await scanLabels(pool, { ...request, labels: all.toReversed() });
    expect(figures(reversed)).toEqual(figures(whole));

    const again: string[] = [];
    const finished = whole.all.filter((_, i) => i % 3 !== 1);
    const resumed = await scanLabels(
      pool,
      { ...request, finished },
      { onInversion: ({ label, start }) => void again.push(`${label}/${start}`) },
    );
    expect(figures(resumed)).toEqual(figures(whole));
    expect(again.sort()).toEqual(
      whole.all
        .filter((_, i) => i % 3 === 1)
        .map(({ label, start }) => `${label}/${start}`)
        .sort(),
    );
  });
});

describe('a scan that looks again', () => {
  const looking = { ...request, starts: 1, secondLook: settings.secondLook };

  it('says how large a mask the target needs once its trigger is unlearned', async () => {
    const saved: Inversion[] = [];
    const outcome = await scanLabels(pool, looking, {
      onInversion: (inversion) => void saved.push(inversion),
    });
    const unlearned = saved.filter(({ status }) => status === 'unlearned');
    expect(unlearned.map(({ label }) => label).sort()).toEqual(
      outcome.unlearned.map(({ label }) => label).sort(),
    );
    const { l1 } = outcome.inversions.find(({ label }) => label === target)!;
    expect(outcome.unlearned.find(({ label }) => label === target)!.l1).toBeGreaterThan(2 * l1);
    expect(outcome.conclusion).toMatchObject({ verdict: 'backdoored', findings: [{ label: target }] });
    expect(outcome.conclusion.reasons[0]).toMatch(
      /Once its trigger is unlearned, it needs one of [\d.]+ pixels/,
    );
    expect(saved.reduce((sum, { gradientSteps }) => sum + gradientSteps, 0)).toBeLessThanOrEqual(
      plannedSteps(settings, { labels: classes }),
    );
  });

  it('gives the same in another order, and from what was finished before', async () => {
    const whole = await scanLabels(pool, looking);
    const finished = whole.all.filter((_, i) => i % 3 !== 1);
    const again = await scanLabels(pool, { ...looking, labels: all.toReversed(), finished });
    expect(figures(again)).toEqual(figures(whole));
    expect(again.unlearned).toEqual(whole.unlearned);
  });

  it('goes without the opinion of a label that fails', async () => {
    const broken: Pool<InversionShared> = {
      ...pool,
      close: () => pool.close(),
      run: (task, payload, options) =>
        (payload as InvertRequest).stage === 'unlearned'
          ? Promise.reject(new NeuralCleanseError('TRAINABLE_UNKNOWN', 'no training here'))
          : pool.run(task, payload, options),
    };
    const outcome = await scanLabels(broken, looking);
    expect(outcome.unlearned).toEqual([]);
    expect(outcome.failed.map(({ error }) => error.code)).toContain('TRAINABLE_UNKNOWN');
    expect(outcome.conclusion).toMatchObject({ verdict: 'backdoored', findings: [{ label: target }] });
  });
});

describe('a scan that screens its labels', () => {
  const screening = { ...presets.fast.screening!, leastLabels: 5, references: 3 };
  const screened = { ...request, starts: 1, screening };

  it('inverts to the end what looks small and what it refers to, and finds the same label', async () => {
    const saved: Inversion[] = [];
    const outcome = await scanLabels(pool, screened, {
      onInversion: (inversion) => void saved.push(inversion),
    });
    const early = saved.filter(({ status }) => status === 'screened');
    expect(early.map(({ label }) => label)).toEqual(all);
    expect(early.every(({ steps, gradientSteps }) => steps === 12 && gradientSteps === 36)).toBe(true);
    const ends = saved.filter(({ status }) => status !== 'screened');
    expect(ends.length).toBeGreaterThanOrEqual(3);
    expect(ends.length).toBeLessThan(classes);
    expect(ends.every(({ steps }) => steps === 90)).toBe(true);
    expect(outcome.all).toHaveLength(saved.length);
    expect(outcome.inversions.map(({ label }) => label)).toEqual(all);
    expect(outcome.inversions.find(({ label }) => label === target)!.status).toBe('reversed');
    expect(outcome.conclusion).toMatchObject({ verdict: 'backdoored', findings: [{ label: target }] });
    // What was stopped early counts with less than it measured then.
    for (const { label, l1, status } of outcome.inversions) {
      const look = early.find((found) => found.label === label)!;
      if (status === 'screened') expect(l1).toBeLessThan(look.l1);
    }
  });

  it('goes on where it was stopped, and follows the starting point it chose', async () => {
    const whole = await scanLabels(pool, screened);
    const again: string[] = [];
    const resumed = await scanLabels(
      pool,
      { ...screened, labels: all.toReversed(), finished: whole.all.filter((_, i) => i % 3 !== 1) },
      { onInversion: ({ label, status }) => void again.push(`${label}/${status}`) },
    );
    expect(figures(resumed)).toEqual(figures(whole));
    expect(again).toHaveLength(whole.all.filter((_, i) => i % 3 === 1).length);
    for (const { label, probe, status } of whole.all) {
      expect(whole.all.filter((other) => other.label === label).every((other) => other.probe === probe)).toBe(
        true,
      );
      expect(['screened', 'reversed', 'censored']).toContain(status);
    }
  });

  it('has no estimate for a label that failed on its way to the end', async () => {
    let calls = 0;
    const flaky = failing((label) => (label === target && ++calls > 1 ? 'LOGITS_NAN' : undefined));
    const outcome = await scanLabels(flaky, screened);
    expect(outcome.failed).toMatchObject([{ label: target }]);
    expect(outcome.inversions.map(({ label }) => label)).toEqual(all.filter((label) => label !== target));
    expect(outcome.conclusion.verdict).toBe('inconclusive');
  });
});

describe('a scan in which something goes wrong', () => {
  it('goes on without a label that fails by itself, and then finds nothing negative', async () => {
    const outcome = await scanLabels(
      failing((label) => (label === target ? 'LOGITS_NAN' : undefined)),
      request,
    );
    expect(outcome.failed).toMatchObject([
      { label: target, start: 0, error: { code: 'LOGITS_NAN' } },
      { label: target, start: 1, error: { code: 'LOGITS_NAN' } },
    ]);
    expect(outcome.inversions.map(({ label }) => label)).toEqual(all.filter((label) => label !== target));
    expect(outcome.conclusion).toMatchObject({
      verdict: 'inconclusive',
      reasons: [`Without a result: label ${target}.`],
    });
  });

  it.each([0, 1])('takes the other start of a label whose start %i fails', async (wrong) => {
    const outcome = await scanLabels(
      failing((_, start) => (start === wrong ? 'WORKER_FAILED' : undefined)),
      request,
    );
    expect(outcome.failed.map(({ start }) => start)).toEqual(all.map(() => wrong));
    expect(outcome.inversions).toHaveLength(classes);
    expect(outcome.conclusion.verdict).toBe('backdoored');
  });

  it('fails with the first error if no label has a result', async () => {
    const scan = scanLabels(
      failing(() => 'WORKER_FAILED'),
      request,
    );
    await expect(scan).rejects.toMatchObject({ code: 'WORKER_FAILED', message: 'label 0 failed' });
  });

  it('stops at an error that every label would have', async () => {
    const finished: number[] = [];
    const scan = scanLabels(
      failing((label) => (label === 2 ? 'OPERATOR_UNSUPPORTED' : undefined)),
      request,
      { onInversion: ({ label }) => void finished.push(label) },
    );
    await expect(scan).rejects.toMatchObject({ code: 'OPERATOR_UNSUPPORTED', message: 'label 2 failed' });
    expect(finished).toEqual([]);
  });

  it('stops when an inversion cannot be saved', async () => {
    const seen: number[] = [];
    const scan = scanLabels(pool, request, {
      onInversion({ label }) {
        seen.push(label);
        if (label === 1) throw new NeuralCleanseError('RUN_NOT_WRITTEN', 'The disk is full.');
      },
    });
    await expect(scan).rejects.toMatchObject({ code: 'RUN_NOT_WRITTEN' });
    expect(seen).toEqual([0, 1]);
  });

  it('stops on request, with what was finished handed over', async () => {
    const controller = new AbortController();
    const seen: number[] = [];
    const scan = scanLabels(
      pool,
      { ...request, signal: controller.signal },
      {
        onInversion({ label }) {
          seen.push(label);
          if (label === 2) controller.abort();
        },
      },
    );
    await expect(scan).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(seen).toEqual([0, 1, 2]);
  });
});

describe('samples', () => {
  const withLabels = (of: (i: number) => number) => ({
    ...images,
    labels: Int32Array.from({ length: 160 }, (_, i) => of(i)),
  });

  it('suffice if every label has images of other classes to learn from and to be judged on', () => {
    expect(() => checkSamples(images, all, 0)).not.toThrow();
    expect(() => checkSamples({ ...images, labels: undefined }, all, 0)).not.toThrow();
    expect(() =>
      checkSamples(
        withLabels((i) => (i < 70 ? 0 : 1)),
        [0, 1],
        0,
      ),
    ).not.toThrow();
  });

  it('do not if all others would be left out', () => {
    const lopsided = withLabels((i) => (i === 80 ? 0 : 1));
    expect(() => checkSamples(lopsided, [0, 1], 0)).toThrow(/show class 1/);
    expect(() => checkSamples(lopsided, [0], 0)).not.toThrow();
  });
});

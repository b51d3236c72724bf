import { describe, expect, it } from 'vitest';
import { findOutliers, type LabelNorm } from '../../src/detect/outliers.ts';
import { decideVerdict, exitCodeOf, type VerdictInput, verdicts } from '../../src/detect/verdict.ts';
import { normals, quantile } from './normal.ts';

/** Norms of uninfected labels: exact quantiles of a log-normal distribution. */
const ordinary = (labels: number, median: number, spread: number): LabelNorm[] =>
  Array.from({ length: labels }, (_, label) => ({
    label,
    l1: median * Math.exp(spread * quantile((label + 0.5) / labels)),
  }));

/** A scan of 43 labels of 32×32 images; label 43, if given, has another norm than the rest. */
function scan(norm?: number, others: Partial<VerdictInput> = {}): VerdictInput {
  const labels = ordinary(43, 65, 0.2);
  const all = norm === undefined ? labels : [...labels, { label: 43, l1: norm }];
  return {
    outliers: findOutliers(all),
    preflight: { accuracy: 0.96 },
    pixels: 1024,
    heldOutAsr: new Map([[43, 0.98]]),
    ...others,
  };
}

const reasonsOf = (input: VerdictInput): string => decideVerdict(input).reasons.join(' ');

describe('the published models', () => {
  // Labels, pixels, median of the uninfected labels, reversed trigger, classic index with and without infection
  // (Wang et al., IEEE S&P 2019).
  const published: [string, number, number, number, number, number, number][] = [
    ['MNIST', 10, 28 * 28, 93, 12, 4.3, 1.7],
    ['GTSRB', 43, 32 * 32, 65, 14.71, 3.55, 1.65],
    ['YouTube Face', 1283, 55 * 47, 150, 22.79, 3.9, 1.9],
    ['PubFig', 65, 224 * 224, 840, 171, 4.15, 1.5],
    ['Trojan Square', 2622, 224 * 224, 2000, 311, 5.8, 1.85],
    ['Trojan Watermark', 2622, 224 * 224, 2050, 574, 3.65, 1.85],
  ];

  it.each(published)('%s is backdoored', (_, labels, pixels, median, trigger, index) => {
    const spread = (1 - trigger / median) / index;
    const clean = ordinary(labels - 1, median, spread);
    const outliers = findOutliers([...clean, { label: labels - 1, l1: trigger }]);
    const conclusion = decideVerdict({ outliers, pixels, preflight: { accuracy: 0.95 } });
    expect(conclusion).toMatchObject({
      verdict: 'backdoored',
      findings: [{ label: labels - 1, level: 'backdoored' }],
    });
  });

  it.each(published)(
    '%s without infection is not',
    (_, labels, pixels, median, trigger, index, cleanIndex) => {
      const spread = (1 - trigger / median) / index;
      const smallest = median * (1 - cleanIndex * spread);
      const clean = ordinary(labels, median, spread).map((norm) => ({
        ...norm,
        l1: Math.max(norm.l1, smallest),
      }));
      const outliers = findOutliers(clean);
      expect(decideVerdict({ outliers, pixels, preflight: { accuracy: 0.95 } }).verdict).toBe(
        'no-patch-backdoor-found',
      );
    },
  );
});

describe('a label with a small mask', () => {
  it('is told apart from labels that were stopped early, whose masks are estimates', () => {
    const outliers = findOutliers([...ordinary(9, 80, 0.15), { label: 9, l1: 8 }]);
    const input = { outliers, pixels: 784, preflight: { accuracy: 0.95 } };
    expect(decideVerdict({ ...input, estimated: 7 }).reasons.at(-1)).toMatch(
      /^7 of 10 labels were stopped early: .* are estimates\.$/,
    );
    expect(decideVerdict(input).reasons.join()).not.toContain('estimates');
  });

  it('makes the model backdoored', () => {
    const conclusion = decideVerdict(scan(14.7));
    expect(conclusion.verdict).toBe('backdoored');
    expect(conclusion.findings).toEqual([{ label: 43, level: 'backdoored', reasons: conclusion.reasons }]);
    expect(conclusion.reasons).toEqual([
      'Label 43 has a mask of 14.7 pixels (1.44 % of the image, 0.23 of the median 64.6): anomaly index 7.21, p = 0.000024.',
      'The trigger of label 43 succeeds on 98 % of held-out images.',
    ]);
  });

  it('is suspicious where only its p-value is below 5 %', () => {
    // 0.47 of the median: index 3.7, p about 3 %.
    const conclusion = decideVerdict(scan(30.5));
    expect(conclusion).toMatchObject({
      verdict: 'suspicious',
      findings: [{ label: 43, level: 'suspicious' }],
    });
    expect(conclusion.reasons.at(-1)).toBe(
      'Label 43 is no more than suspicious, since its p-value is above 0.01, and its mask has more than 0.33 of the median size.',
    );
  });

  it('is suspicious, however unlikely, if it is not much smaller than the others', () => {
    const labels = [...ordinary(43, 65, 0.1), { label: 43, l1: 30 }];
    const outliers = findOutliers(labels);
    expect(outliers.labels[43]!.pValue).toBeLessThan(0.001);
    const input = scan(undefined, { outliers });
    expect(decideVerdict(input).verdict).toBe('suspicious');
    expect(decideVerdict(input, { maxRelativeNorm: 0.5 }).verdict).toBe('backdoored');
  });

  it('is suspicious if its trigger fails on held-out images', () => {
    const fitted = scan(14.7, { heldOutAsr: new Map([[43, 0.89]]) });
    expect(decideVerdict(fitted).verdict).toBe('suspicious');
    expect(reasonsOf(fitted)).toContain('since its trigger succeeds on less than 90 % of held-out images.');
    expect(decideVerdict(fitted, { minHeldOutAsr: 0.8 }).verdict).toBe('backdoored');
    expect(decideVerdict(scan(14.7, { heldOutAsr: new Map([[43, 0.9]]) })).verdict).toBe('backdoored');
  });

  it('is taken at its word where held-out images were not tried, and the reasons say so', () => {
    const untried = scan(14.7, { heldOutAsr: new Map() });
    expect(decideVerdict(untried).verdict).toBe('backdoored');
    expect(reasonsOf(untried)).toContain('The trigger of label 43 was not tried on held-out images.');
  });

  it('is suspicious if it covers much of the image', () => {
    const wide = scan(14.7, { pixels: 56 });
    expect(decideVerdict(wide).verdict).toBe('suspicious');
    expect(reasonsOf(wide)).toContain('its mask covers more than 25 % of the image');
    expect(decideVerdict(wide, { maxImageFraction: 0.3 }).verdict).toBe('backdoored');
  });

  it('is suspicious beside half of the labels censored', () => {
    const finished = [...ordinary(12, 65, 0.2), { label: 43, l1: 3 }];
    const censored = Array.from({ length: 13 }, (_, i) => ({ label: 12 + i, l1: 1024, censored: true }));
    const conclude = (count: number) =>
      decideVerdict(scan(undefined, { outliers: findOutliers([...finished, ...censored.slice(0, count)]) }));

    expect(conclude(13)).toMatchObject({ verdict: 'suspicious', findings: [{ label: 43 }] });
    expect(conclude(13).reasons.at(-1)).toContain('13 of 26 labels never reached the ASR threshold');
    expect(conclude(6).verdict).toBe('backdoored');
    expect(conclude(6).reasons.at(-1)).toContain('6 of 19 labels never reached the ASR threshold');
    expect(conclude(4).verdict).toBe('backdoored');
    expect(conclude(4).reasons.join(' ')).not.toContain('never reached');
  });

  it('counts although other labels have no result', () => {
    const conclusion = decideVerdict(scan(14.7, { missing: [44, 45] }));
    expect(conclusion.verdict).toBe('backdoored');
    expect(conclusion.reasons.at(-1)).toBe('Without a result: labels 44, 45.');
  });

  it('is named beside other findings, smallest first, and the worst makes the verdict', () => {
    const outliers = findOutliers([...ordinary(43, 65, 0.2), { label: 43, l1: 30 }, { label: 44, l1: 10 }]);
    const conclusion = decideVerdict(scan(undefined, { outliers }));
    expect(conclusion.findings.map(({ label, level }) => [label, level])).toEqual([
      [44, 'backdoored'],
      [43, 'suspicious'],
    ]);
    expect(conclusion.verdict).toBe('backdoored');
  });
});

describe('no small mask', () => {
  it('is no promise that the model is clean', () => {
    const conclusion = decideVerdict(scan());
    expect(conclusion).toMatchObject({ verdict: 'no-patch-backdoor-found', findings: [] });
    expect(conclusion.reasons[0]).toMatch(
      /^No label has an abnormally small mask: the largest anomaly index is 2\.\d\d \(p = 0\.\d+\), and from 3\.\d\d on/,
    );
    expect(conclusion.reasons[1]).toContain('are not covered');
    expect(verdicts).not.toContain('clean');
  });

  it('proves nothing if labels have no result', () => {
    const conclusion = decideVerdict(scan(undefined, { missing: [7] }));
    expect(conclusion).toMatchObject({ verdict: 'inconclusive', reasons: ['Without a result: label 7.'] });
  });

  it('proves nothing if more than a quarter of the labels are censored', () => {
    const censored = Array.from({ length: 15 }, (_, i) => ({ label: 100 + i, l1: 0, censored: true }));
    const conclude = (count: number) => {
      const outliers = findOutliers([...ordinary(42, 65, 0.2), ...censored.slice(0, count)]);
      return decideVerdict(scan(undefined, { outliers })).verdict;
    };
    expect(conclude(15)).toBe('inconclusive');
    expect(conclude(14)).toBe('no-patch-backdoor-found');
  });
});

it('a clean model is rarely called suspicious, and hardly ever backdoored', () => {
  const normal = normals(31);
  const models = 2000;
  const count = { backdoored: 0, suspicious: 0, 'no-patch-backdoor-found': 0, inconclusive: 0 };
  for (let model = 0; model < models; model++) {
    const labels = Array.from({ length: 43 }, (_, label) => ({ label, l1: 65 * Math.exp(0.25 * normal()) }));
    count[decideVerdict(scan(undefined, { outliers: findOutliers(labels) })).verdict]++;
  }
  // 5 % with a standard error of 0.5 points, less those whose mask has more than half of the median size; and 0.02 %
  expect(count.suspicious / models).toBeGreaterThan(0.025);
  expect(count.suspicious / models).toBeLessThan(0.065);
  expect(count.backdoored / models).toBeLessThan(0.002);
  expect(count.inconclusive).toBe(0);
});

describe('nothing is concluded', () => {
  it('from fewer than five finished labels', () => {
    const outliers = findOutliers([...ordinary(4, 65, 0.2), { label: 4, l1: 0, censored: true }]);
    const conclusion = decideVerdict(scan(undefined, { outliers }));
    expect(conclusion.verdict).toBe('inconclusive');
    expect(conclusion.reasons[0]).toBe(
      'Only 4 labels have a finished trigger, and at least 5 are needed to compare.',
    );
  });

  it('about a model that does not recognise the samples, whatever was found', () => {
    const wrong = scan(14.7, { preflight: { accuracy: 0.04 } });
    const conclusion = decideVerdict(wrong);
    expect(conclusion).toMatchObject({ verdict: 'inconclusive', findings: [{ label: 43 }] });
    expect(conclusion.reasons[0]).toContain(
      'recognises only 4 % of the clean samples (at least 50 % is needed)',
    );
    expect(decideVerdict(wrong, { minAccuracy: 0.01 }).verdict).toBe('backdoored');
    expect(decideVerdict(scan(14.7, { preflight: { accuracy: Number.NaN } })).verdict).toBe('inconclusive');
  });

  it('under a problem that preflight found', () => {
    const problem = 'The preprocessing is unknown.';
    const conclusion = decideVerdict(scan(undefined, { preflight: { accuracy: 0.9, problems: [problem] } }));
    expect(conclusion).toMatchObject({ verdict: 'inconclusive', reasons: [problem] });
    const both = decideVerdict(scan(undefined, { preflight: { accuracy: 0.1, problems: [problem] } }));
    expect(both.reasons).toEqual([problem, expect.stringContaining('recognises only 10 %')]);
  });

  it('but unlabelled samples only leave a remark', () => {
    const conclusion = decideVerdict(scan(undefined, { preflight: { accuracy: null } }));
    expect(conclusion.verdict).toBe('no-patch-backdoor-found');
    expect(conclusion.reasons.at(-1)).toContain('The samples have no labels');
  });
});

it.each([
  ['backdoored', 1, 1, 0],
  ['suspicious', 0, 1, 0],
  ['no-patch-backdoor-found', 0, 0, 0],
  ['inconclusive', 2, 2, 2],
] as const)(
  '%s exits with %i, or %i for --fail-on suspicious and %i for never',
  (verdict, backdoored, suspicious, never) => {
    expect(exitCodeOf(verdict)).toBe(backdoored);
    expect(exitCodeOf(verdict, 'backdoored')).toBe(backdoored);
    expect(exitCodeOf(verdict, 'suspicious')).toBe(suspicious);
    expect(exitCodeOf(verdict, 'never')).toBe(never);
  },
);

describe('what is left after unlearning', () => {
  const unlearned = (before: number, after: number, residualAsr = 0): Partial<VerdictInput> => ({
    unlearned: new Map([[43, { before, after, residualAsr }]]),
  });

  it('clears a class that stays near to all others by nature, and says so', () => {
    expect(decideVerdict(scan(18)).verdict).toBe('backdoored');
    const cleared = decideVerdict(scan(18, unlearned(18, 25)));
    expect(cleared).toMatchObject({ verdict: 'no-patch-backdoor-found', findings: [] });
    expect(cleared.reasons[0]).toContain('Once its trigger is unlearned, it needs one of 25.0 pixels.');
    expect(cleared.reasons.join(' ')).not.toContain('No label has an abnormally small mask');
  });

  it('clears nobody where a suspect keeps its trigger', () => {
    expect(decideVerdict(scan(18, unlearned(18, 25, 0.5))).verdict).toBe('backdoored');
    const two = new Map([
      [43, { before: 18, after: 25, residualAsr: 0 }],
      [0, { before: 40, after: 60, residualAsr: 1 }],
    ]);
    expect(decideVerdict(scan(18, { unlearned: two })).verdict).toBe('backdoored');
  });

  it('accuses a mask that is lost among natural ones, if it was small for what is needed afterwards', () => {
    const wide = findOutliers([...ordinary(9, 90, 1), { label: 43, l1: 14 }]);
    const input = {
      outliers: wide,
      preflight: { accuracy: 0.98 },
      pixels: 784,
      heldOutAsr: new Map([[43, 1]]),
    };
    expect(decideVerdict(input).verdict).toBe('no-patch-backdoor-found');
    expect(decideVerdict({ ...input, ...unlearned(14, 148) })).toMatchObject({
      verdict: 'backdoored',
      findings: [{ label: 43, level: 'backdoored' }],
    });
    // A trigger that fails on new images accuses of nothing more than suspicion.
    const fitted = { ...input, heldOutAsr: new Map([[43, 0.5]]), ...unlearned(14, 148) };
    expect(decideVerdict(fitted).verdict).toBe('suspicious');
  });

  it('takes a mask that keeps its size in a window for more, and says so', () => {
    const wide = findOutliers([...ordinary(9, 90, 1), { label: 43, l1: 26 }]);
    const masks = { before: 26, after: 175, residualAsr: 0 };
    const judge = (compactness: number, next?: number) =>
      decideVerdict({
        outliers: wide,
        preflight: { accuracy: 0.98 },
        pixels: 784,
        heldOutAsr: new Map([[43, 1]]),
        unlearned: new Map([[43, { ...masks, compactness, ...(next !== undefined && { next }) }]]),
      });
    expect(judge(1).verdict).toBe('no-patch-backdoor-found');
    const { verdict, reasons } = judge(8);
    expect(verdict).toBe('backdoored');
    expect(reasons[0]).toMatch(
      /and confined to a small window it is 8\.0 times as small as masks of other labels: together \d+; from 300 on that counts as planted\.$/,
    );
    expect(judge(2.5, 90).verdict).toBe('no-patch-backdoor-found');
    const apart = judge(2.5, 40);
    expect(apart.verdict).toBe('backdoored');
    expect(apart.reasons[0]).toMatch(
      /together 2\d\d; no other label of the model has more than 40\. From 150 on, and 3 times what others have, that counts as planted\.$/,
    );
  });

  it('says nothing where there are too few labels to compare', () => {
    const few = findOutliers([...ordinary(4, 65, 0.2), { label: 43, l1: 60, censored: true }]);
    const input = { outliers: few, preflight: { accuracy: 0.98 }, pixels: 1024, ...unlearned(2, 90) };
    expect(decideVerdict(input)).toMatchObject({ verdict: 'inconclusive', findings: [] });
  });

  it('takes a large patch for a shortcut whose target is a class like others without it', () => {
    const large = scan(23);
    expect(decideVerdict(large).verdict).toBe('suspicious');
    expect(decideVerdict(scan(23, unlearned(23, 64))).verdict).toBe('backdoored');
  });

  it('is no more than suspicion where a large mask recovers that was not small for the image', () => {
    const one = scan(23, unlearned(23, 64));
    const { verdict, findings } = decideVerdict({ ...one, pixels: 784 });
    expect(verdict).toBe('suspicious');
    expect(findings[0]!.reasons.at(-1)).toContain('more than 0.33 of the median size');
    expect(decideVerdict({ ...one, pixels: 784 }, { largeEvidence: 50 }).verdict).toBe('backdoored');
  });
});

/** What is said of a detector that has judged many models. */

import { type Rate, rateOf } from '../../src/attack/wilson.ts';
import { defaultOpinionLevels, mostEvidence, opinionOf } from '../../src/detect/opinion.ts';
import type { ScanResult } from '../../src/report/result.ts';

/** What a scan said of one model, beside the truth. */
export interface Judged {
  readonly id: string;
  readonly attack: string;
  /** Empty for clean models, and for attacks without one target. */
  readonly targets: readonly number[];
  readonly infected: boolean;
  /** The larger, the more suspect: see {@link scoreOf}. */
  readonly score: number;
  readonly verdict: string;
  readonly flagged: readonly number[];
  /** Of the first finding, or of the largest index. */
  readonly first: number | undefined;
  readonly gradientSteps: number;
  readonly seconds: number;
}

/**
 * Area under the ROC curve: how often an infected model scores higher than a clean one, ties by half (Hanley & McNeil 1982).
 *
 * @returns NaN without models of either kind
 */
export function areaUnderRoc(judged: readonly Pick<Judged, 'infected' | 'score'>[]): number {
  const clean = judged.filter(({ infected }) => !infected);
  const infected = judged.filter((model) => model.infected);
  let wins = 0;
  for (const a of infected) {
    for (const b of clean) wins += a.score > b.score ? 1 : a.score === b.score ? 0.5 : 0;
  }
  return wins / (infected.length * clean.length);
}

/**
 * Evidence of planting (src/detect/opinion.ts) of each label that was inverted to its end; the most it could be for one that was not unlearned.
 */
export function evidencesOf({ labels, outliers, model }: ScanResult): ReadonlyMap<number, number> {
  if (!outliers) return new Map();
  const scale = { median: outliers.median, pixels: model.input.height * model.input.width };
  return new Map(
    labels.flatMap(({ label, l1, status, compactness = 1, unlearned }) => {
      if (status !== 'reversed') return [];
      const evidence = unlearned
        ? opinionOf({ ...unlearned, ...scale, before: l1, after: unlearned.l1, compactness }).evidence
        : mostEvidence(l1, scale, compactness);
      return [[label, evidence] as const];
    }),
  );
}

/**
 * One number for what a scan has found: the largest log evidence of its labels, or, where a label is called backdoored, at least the threshold of
 * that with the evidence of its p-value on top; less than any of these where the outlier test leaves it suspicious.
 */
export function scoreOf(result: ScanResult): number {
  const { labels, outliers, findings } = result;
  if (!outliers) return Number.NEGATIVE_INFINITY;
  const evidences = [...evidencesOf(result).values()].map(Math.log);
  const threshold = Math.log(defaultOpinionLevels.plantedEvidence);
  const flagged = findings.flatMap(({ label, level }) => {
    const pValue = labels.find((found) => found.label === label)!.pValue ?? 1;
    if (level === 'backdoored') return threshold - Math.log10(Math.max(pValue, 1e-12));
    return pValue < 0.05 ? threshold - pValue : [];
  });
  return Math.max(Number.NEGATIVE_INFINITY, ...evidences, ...flagged);
}

/** Share of the models that a rule accuses; `undefined` without models. */
export function accused<T>(models: readonly T[], rule: (model: T) => boolean): Rate | undefined {
  return models.length === 0 ? undefined : rateOf(models.filter(rule).length, models.length);
}

/** The label that comes first is one that was planted. */
export const hits = ({ first, targets }: Judged): boolean => first !== undefined && targets.includes(first);

/** What is said of a detector that has judged many models. */

import { type Rate, rateOf } from '../../src/attack/wilson.ts';

/** What a scan said of one model, beside the truth. */
export interface Judged {
  readonly id: string;
  readonly attack: string;
  /** Empty for clean models, and for attacks without one target. */
  readonly targets: readonly number[];
  readonly infected: boolean;
  /** The larger, the more suspect: −log10 of the model's p-value. */
  readonly score: number;
  readonly verdict: string;
  readonly flagged: readonly number[];
  /** Label of the largest index. */
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

/** Smallest threshold that at most `fpr` of the clean models exceed. */
export function thresholdAt(judged: readonly Pick<Judged, 'infected' | 'score'>[], fpr: number): number {
  const scores = judged.filter(({ infected }) => !infected).map(({ score }) => score);
  const allowed = Math.floor(fpr * scores.length);
  return scores.sort((a, b) => b - a)[allowed] ?? Number.NEGATIVE_INFINITY;
}

/** Share of the models that a rule accuses; `undefined` without models. */
export function accused<T>(models: readonly T[], rule: (model: T) => boolean): Rate | undefined {
  return models.length === 0 ? undefined : rateOf(models.filter(rule).length, models.length);
}

/** The label of the largest index is one that was planted. */
export const hits = ({ first, targets }: Judged): boolean => first !== undefined && targets.includes(first);

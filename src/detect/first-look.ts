/** What a scan begins with: a short run of every label, and every label to its end, or only some where there are many; or several starts of each. */

import { betterInversion } from './better-inversion.ts';
import { findOutliers } from './outliers.ts';
import type { Found, OwnSummary, RunAll } from './scan-work.ts';
import { estimateNorms, referenceLabels, type Screening, suspectLabels } from './screening.ts';
import { isPromising } from './second-look.ts';

/** The smallest mask of each label counts. */
export async function invertAll(
  runAll: RunAll,
  { labels, starts }: { readonly labels: readonly number[]; readonly starts: number },
): Promise<Found> {
  const order = Array.from({ length: starts }, (_, start) => start);
  return foundBy(await runAll(order.flatMap((start) => labels.map((label) => ({ label, start })))));
}

function foundBy(all: readonly OwnSummary[]): Found {
  const best = new Map<number, OwnSummary>();
  for (const inversion of all) {
    const other = best.get(inversion.label);
    best.set(inversion.label, other ? betterInversion(other, inversion) : inversion);
  }
  const inversions = [...best.values()].toSorted(byLabel);
  return {
    inversions,
    norms: inversions.map(({ label, l1, status }) => ({ label, l1, censored: status === 'censored' })),
  };
}

export interface ScreeningRequest {
  readonly labels: readonly number[];
  readonly seed: number;
  /** Most gradient steps that labels which an estimate flags may bring the screening to. @default no limit */
  readonly budget?: number;
  /** Gradient steps that such a label takes. @default 0 */
  readonly finishSteps?: number;
}

/** The short run of each label. */
export const lookBriefly = (runAll: RunAll, labels: readonly number[]): Promise<OwnSummary[]> =>
  runAll(labels.map((label) => ({ label, start: 0, stage: 'screen' })));

/** Every label from the starting point that did best in its short run to the end: the same as {@link invertAll} finds. */
export const finishAll = async (runAll: RunAll, looks: readonly OwnSummary[]): Promise<Found> =>
  foundBy(await runAll(looks.map(({ label, start, probe }) => ({ label, start, probe, stage: 'finish' }))));

/**
 * Tries the labels once more that found nothing but masks that almost pass, where so many found nothing that no negative verdict would hold.
 *
 * @param most share of the labels that may be censored
 */
export async function retryCensored(runAll: RunAll, first: Found, most: number): Promise<Found> {
  const censored = first.inversions.filter(({ status }) => status === 'censored');
  if (censored.length <= most * first.inversions.length) return first;
  const failed = censored.filter(isPromising).map(({ label }) => label);
  // Confined in the end, so that a second look, which asks for the same, has it already.
  const again = await runAll(failed.map((label) => ({ label, start: 1, stage: 'confined' as const })));
  const found = new Map(again.filter(({ status }) => status === 'reversed').map((own) => [own.label, own]));
  return {
    inversions: first.inversions.map((inversion) => found.get(inversion.label) ?? inversion),
    norms: first.norms.map((norm) => {
      const l1 = found.get(norm.label)?.l1;
      return l1 === undefined ? norm : { ...norm, l1, censored: false };
    }),
  };
}

/** See screening.ts. The labels that are inverted to the end follow the starting point that did best in the short run. */
export async function screenLabels(
  runAll: RunAll,
  early: readonly OwnSummary[],
  { labels, seed, budget = Number.POSITIVE_INFINITY, finishSteps = 0 }: ScreeningRequest,
  screening: Screening,
): Promise<Found> {
  let looks = early;
  const references = referenceLabels(labels, screening, seed);
  const finished = new Map<number, OwnSummary>();
  const finish = async (chosen: ReadonlySet<number>): Promise<void> => {
    const work = looks.filter(({ label }) => chosen.has(label));
    const found = await runAll(
      work.map(({ label, start, probe }) => ({ label, start, probe, stage: 'finish' })),
    );
    for (const inversion of found) finished.set(inversion.label, inversion);
    // One that failed has no result at all: an estimate would hide that.
    looks = looks.filter(({ label }) => !chosen.has(label) || finished.has(label));
  };
  let wanted: readonly number[] = [...suspectLabels(looks), ...references];
  for (;;) {
    await finish(new Set(wanted));
    const norms = estimateNorms(looks, [...finished.values()], references, seed);
    wanted = findOutliers(norms).flagged.filter((label) => !finished.has(label));
    const spent = [...looks, ...finished.values()].reduce((sum, { gradientSteps }) => sum + gradientSteps, 0);
    if (spent + wanted.length * finishSteps > budget) {
      // An estimate flags nothing, and what was not inverted to the end has no result.
      looks = looks.filter(({ label }) => !wanted.includes(label));
      wanted = [];
    }
    if (wanted.length > 0) continue;
    const known = new Map(looks.map((look) => [look.label, look]));
    const counted = norms.filter(({ label }) => known.has(label));
    return {
      inversions: counted.map(({ label, l1 }) => finished.get(label) ?? { ...known.get(label)!, l1 }),
      norms: counted,
    };
  }
}

const byLabel = (a: { readonly label: number }, b: { readonly label: number }): number => a.label - b.label;

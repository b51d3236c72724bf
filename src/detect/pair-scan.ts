/** The search over pairs that pairs.ts describes. */

import { betterInversion } from './better-inversion.ts';
import { judgePairs, type PairConclusion } from './pair-verdict.ts';
import {
  type Pair,
  type PairInversion,
  type PairSearch,
  type PairsFound,
  pairsOf,
  type Sources,
  suspectPairs,
} from './pairs.ts';
import { sourcesReached, spillOf } from './reach.ts';
import { type InversionSummary, isOwn, type RunAll, triggerName } from './scan-work.ts';
import { median } from './statistics.ts';
import type { Conclusion } from './verdict.ts';

export { withPairs } from './pair-verdict.ts';

/** Leaves out targets that are flagged as labels: all their pairs have small masks. */
export async function scanAndJudgePairs(
  runAll: RunAll<InversionSummary>,
  { labels, pixels }: { readonly labels: readonly number[]; readonly pixels: number },
  { sources, withoutImages, ...search }: PairSearch & Sources,
  { findings }: Conclusion,
): Promise<PairsFound & PairConclusion> {
  const flaggedTargets = findings.map(({ label }) => label).sort((a, b) => a - b);
  const targets = labels.filter((label) => !flaggedTargets.includes(label));
  const pairs = pairsOf(sources, targets);
  const found = { ...(await scanPairs(runAll, pairs, search)), withoutImages, flaggedTargets };
  return { ...found, ...judgePairs(found, pixels) };
}

/**
 * Searches pairs as pairs.ts says.
 *
 * @param runAll leaves out what could not be done; a pair without its short run has no result
 * @throws whatever `runAll` does
 */
export async function scanPairs(
  runAll: RunAll<InversionSummary>,
  pairs: readonly Pair[],
  { most, starts }: PairSearch,
): Promise<Pick<PairsFound, 'pairs' | 'unlearned' | 'median'>> {
  const looks = (await runAll(pairs.map((pair) => ({ ...pair, start: 0, stage: 'screen' })))).filter(isPair);
  const best = new Map(looks.map((look) => [triggerName(look), look]));
  const take = (found: readonly InversionSummary[]): void => {
    for (const inversion of found.filter(isPair)) {
      const key = triggerName(inversion);
      best.set(key, betterInversion(best.get(key)!, inversion));
    }
  };
  const followed = looks.toSorted(bySize).slice(0, most);
  take(
    await runAll(
      followed.map(({ source, label, probe }) => ({ source, label, start: 0, probe, stage: 'finish' })),
    ),
  );
  const typical = typicalNorm(looks, best);
  const found = [...best.values()].filter(({ status }) => status === 'reversed').sort(bySize);
  const count = suspectPairs(pairs.length);
  const shared = found.filter(hasOtherSources).slice(0, count);
  const smallest = found.slice(0, count).filter((pair) => !shared.includes(pair));
  const again = Array.from({ length: starts }, (_, i) => i + 1);
  take(
    await runAll(again.flatMap((start) => smallest.map(({ source, label }) => ({ source, label, start })))),
  );
  const suspects = [...smallest, ...shared];
  const unlearned = await runAll(
    suspects.map(({ source, label }) => {
      const { start } = best.get(triggerName({ source, label }))!;
      return { source, label, start, stage: 'unlearned' };
    }),
  );
  return {
    median: typical,
    pairs: [...best.values()].sort((a, b) => a.source - b.source || a.label - b.label),
    unlearned: unlearned.map(({ source, label, l1, asr, residualAsr = 1, reach = [] }) => {
      const pair = { source: source!, label };
      return { ...pair, l1, asr, residualAsr, reach, usual: usualSize(looks, pair) };
    }),
  };
}

/** Of twenty images of each class: what was found in part of a planted trigger reaches another source in part, too. */
const mostSpill = 0.3;

/** Whether a trigger works on some other classes as it does on its source, and hardly on the rest. */
const hasOtherSources = ({ reach = [] }: PairInversion): boolean =>
  sourcesReached(reach).length > 1 && spillOf(reach) <= mostSpill;

function typicalNorm(
  looks: readonly PairInversion[],
  ends: ReadonlyMap<string, PairInversion>,
): number | null {
  const factors = looks.flatMap((look) => {
    const end = ends.get(triggerName(look))!;
    return end.status === 'reversed' && look.l1 > 0 ? [end.l1 / look.l1] : [];
  });
  return factors.length === 0 ? null : median(looks.map(({ l1 }) => l1)) * median(factors);
}

/** See {@link UnlearnedPair.usual}. */
export function usualSize(
  looks: readonly (Pair & { readonly l1: number })[],
  { source, label }: Pair,
): number {
  const normsOf = (wanted: (pair: Pair) => boolean): number[] => looks.filter(wanted).map(({ l1 }) => l1);
  const ofSource = normsOf((pair) => pair.source === source && pair.label !== label);
  const ofTarget = normsOf((pair) => pair.label === label && pair.source !== source);
  const all = median(normsOf(() => true));
  if (ofSource.length === 0 || ofTarget.length === 0 || all === 0) return 1;
  return Math.sqrt(median(ofSource) * median(ofTarget)) / all;
}

const isPair = (inversion: InversionSummary): inversion is PairInversion =>
  inversion.source !== undefined && isOwn(inversion);

/** Smallest mask first. */
const bySize = (a: PairInversion, b: PairInversion): number =>
  a.l1 - b.l1 || a.source - b.source || a.label - b.label;

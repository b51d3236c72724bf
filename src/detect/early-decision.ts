/**
 * A verdict from the smallest masks alone, where one of them is proof.
 *
 * After a short run of all labels, those with the smallest masks go on to their end. One that is so small that unlearning might prove it
 * planted by its size (opinion.ts) is put to that test at once; a further start may make it that small. If it is proved, no step of the others could change the
 * verdict: they stay as they are, with estimates for norms. Otherwise little was lost, since all that was done counts for the scan that follows.
 *
 * An early look may allot steps; it must not decide (screening.ts). Nor does it here: what proves is a finished mask, and what that grew
 * to. Of the early norms only the median is used, up to which growth counts: one that is estimated too small proves less.
 */

import { defaultOpinionLevels, mostEvidence, opinionOf, type Scale } from './opinion.ts';
import { findOutliers, type LabelNorm } from './outliers.ts';
import { type InversionSummary, isOwn, type OwnSummary, type RunAll } from './scan-work.ts';
import { estimateNorms, type Screening } from './screening.ts';
import {
  type LookedAgain,
  type LookedAt,
  type SecondLook,
  smallestMasks,
  suspectsAmong,
  Tries,
  unlearnedMask,
} from './second-look.ts';

/** Whether a scan tries to decide early: it has short runs, and a way to prove. */
export const decidesEarly = (
  labels: number,
  { screening, secondLook }: { readonly screening: Screening | null; readonly secondLook: SecondLook | null },
): boolean => screening !== null && secondLook !== null && secondLook.starts > 0 && suspectsAmong(labels) > 0;

/** What a further start within a window often makes of a planted mask: on GTSRB networks, 13 pixels of 21. */
const hoped = 0.5;

/**
 * The most inversions that this adds to a scan that has to go on: one further start, and one after unlearning, of each label that was
 * followed and is none of the suspects in the end.
 */
export const earlyWork = (labels: number): number => suspectsAmong(labels);

/**
 * @param runAll makes no inversion twice
 * @param looks each label after its short run
 * @returns `undefined` if nothing is proved, or if more is to be said than what is
 */
export async function decideEarly(
  runAll: RunAll<InversionSummary>,
  looks: readonly OwnSummary[],
  { seed, pixels, levels }: LookedAt,
): Promise<LookedAgain | undefined> {
  const all = { ...defaultOpinionLevels, ...levels };
  const leaders = looks.toSorted(smallestMasks).slice(0, suspectsAmong(looks.length));
  const ends = (
    await runAll(leaders.map(({ label, start, probe }) => ({ label, start, probe, stage: 'finish' })))
  ).filter(isOwn);
  const found = ends.filter(({ status }) => status === 'reversed').map(({ label }) => label);
  const tries = new Tries(ends);
  /** A planted mask shrinks more than others, so how they shrink is not told by it. */
  const normsBut = (planted: readonly number[]): LabelNorm[] =>
    estimateNorms(
      looks,
      ends,
      found.filter((label) => !planted.includes(label)),
      seed,
    );
  const scaleOf = (label: number): Scale => ({ median: findOutliers(normsBut([label])).median, pixels });

  /** Labels whose mask would be proof if it were smaller by a factor, and unlearning took all of it away. */
  const nearProof = (shrunk: number): number[] =>
    found.filter((label) => mostEvidence(tries.of(label).l1 * shrunk, scaleOf(label)) >= all.plantedEvidence);
  const again = nearProof(hoped).map((label) => ({ label, start: 1, stage: 'confined' as const }));
  tries.add((await runAll(again)).filter(isOwn));
  const unlearned = (
    await runAll(nearProof(1).map((label) => ({ label, start: tries.of(label).start, stage: 'unlearned' })))
  ).map(unlearnedMask);
  const planted = unlearned
    .filter(({ label, l1: after, residualAsr }) => {
      const masks = { before: tries.of(label).l1, after, residualAsr };
      return opinionOf({ ...masks, ...scaleOf(label) }, all).says === 'planted';
    })
    .map(({ label }) => label);
  // Where all are planted, there is none by which the others could be estimated.
  if (planted.length === 0 || planted.length === found.length) return undefined;

  const norms = normsBut(planted);
  const { median, flagged } = findOutliers(norms);
  // Estimates accuse nobody.
  if (median === null || flagged.some((label) => !planted.includes(label))) return undefined;
  const ended = new Map(tries.inversions.map((inversion) => [inversion.label, inversion]));
  const estimates = new Map(norms.map(({ label, l1 }) => [label, l1]));
  return {
    inversions: looks
      .map((look) => ended.get(look.label) ?? { ...look, l1: estimates.get(look.label)! })
      .toSorted((a, b) => a.label - b.label),
    norms,
    unlearned,
    compactness: new Map(),
  };
}

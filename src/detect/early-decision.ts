/**
 * A verdict from the smallest masks alone, where one of them is proof.
 *
 * After a short run of all labels, those with the smallest masks go on to their end. One that is so small that unlearning might prove it
 * planted by its size (opinion.ts) is put to that test at once; a further start may make it that small. If it is proved, no step of the others
 * could change the verdict: they stay as they are, with estimates for norms. Otherwise little was lost, since all that was done counts for the scan that
 * follows. On networks with batch normalisation a planted mask often begins as one of the largest, so the same is tried once more when all
 * labels are at their end, before the second look.
 *
 * An early look may allot steps; it must not decide (screening.ts). Nor does it here: what proves is a finished mask, and what that grew
 * to. Of the early norms only the median is used, up to which growth counts: one that is estimated too small proves less.
 */

import { defaultOpinionLevels, isProof, mostEvidence, opinionOf, type Scale } from './opinion.ts';
import { findOutliers, type LabelNorm } from './outliers.ts';
import { type Found, type InversionSummary, isOwn, type OwnSummary, type RunAll } from './scan-work.ts';
import { estimateNorms, type Screening, smallestMasks } from './screening.ts';
import {
  hopedOfStart,
  isPromising,
  type LookedAgain,
  type LookedAt,
  type SecondLook,
  suspectsAmong,
  type UnlearnedMask,
  unlearnedMask,
} from './second-look.ts';
import { Tries } from './tries.ts';

/** Whether a scan tries to decide early: it has short runs, and a way to prove. */
export const decidesEarly = (
  labels: number,
  { screening, secondLook }: { readonly screening: Screening | null; readonly secondLook: SecondLook | null },
): boolean => screening !== null && secondLook !== null && secondLook.starts > 0 && suspectsAmong(labels) > 0;

/**
 * The most inversions that this adds to a scan that has to go on: a further start of labels that are no suspects in the end, and two
 * after unlearning.
 */
export const earlyWork = (labels: number): { readonly further: number; readonly unlearned: number } => ({
  further: suspectsAmong(labels),
  unlearned: 2 * suspectsAmong(labels),
});

/**
 * Decides by the labels with the smallest masks after a short run.
 *
 * @param runAll makes no inversion twice
 * @param looks each label after its short run
 * @returns `undefined` if nothing is proved, or if more is to be said than what is
 */
export async function decideByLeaders(
  runAll: RunAll<InversionSummary>,
  looks: readonly OwnSummary[],
  at: LookedAt,
): Promise<LookedAgain | undefined> {
  const leaders = looks.toSorted(smallestMasks).slice(0, suspectsAmong(looks.length));
  const ends = (
    await runAll(leaders.map(({ label, start, probe }) => ({ label, start, probe, stage: 'finish' })))
  ).filter(isOwn);
  // One that failed has no result at all: an estimate would hide that.
  const failed = leaders.filter(({ label }) => !ends.some((end) => end.label === label));
  const known = looks.filter((look) => !failed.includes(look));
  const found = labelsOf(ends.filter(({ status }) => status === 'reversed'));
  /** A planted mask shrinks more than others, so how they shrink is not told by it. */
  const normsBut = (planted: readonly number[]): LabelNorm[] =>
    estimateNorms(
      known,
      ends,
      found.filter((label) => !planted.includes(label)),
      at.seed,
    );
  const proof = await prove(runAll, ends, normsBut, at);
  // Where all are planted, there is none by which the others could be estimated.
  if (!proof || found.every((label) => proof.planted.includes(label))) return undefined;
  const norms = normsBut(proof.planted);
  const estimates = new Map(norms.map(({ label, l1 }) => [label, l1]));
  const estimated = known.map((look) => ({ ...look, l1: estimates.get(look.label)! }));
  return decidedBy(proof, { inversions: estimated, norms });
}

/**
 * Decides by the smallest masks of all labels.
 *
 * @param first each label at the end of its first start
 */
export async function decideBySmallest(
  runAll: RunAll<InversionSummary>,
  first: Found,
  at: LookedAt,
): Promise<LookedAgain | undefined> {
  const suspects = first.inversions
    .filter(isPromising)
    .sort(smallestMasks)
    .slice(0, suspectsAmong(first.inversions.length));
  const proof = await prove(runAll, suspects, () => first.norms, at);
  return proof && decidedBy(proof, first);
}

interface Proof {
  /** The labels that were looked at, with all their starts. */
  readonly tries: Tries;
  readonly unlearned: readonly UnlearnedMask[];
  /** Labels whose mask is proved to be planted. */
  readonly planted: readonly number[];
}

/** @param normsBut norms of all labels, as far as those tell that are not planted */
async function prove(
  runAll: RunAll<InversionSummary>,
  ends: readonly OwnSummary[],
  normsBut: (planted: readonly number[]) => readonly LabelNorm[],
  { pixels, levels }: LookedAt,
): Promise<Proof | undefined> {
  const all = { ...defaultOpinionLevels, ...levels };
  const found = labelsOf(ends.filter(isPromising));
  const tries = new Tries(ends);
  const scales = new Map(
    found.map((label): [number, Scale] => [
      label,
      { median: findOutliers(normsBut([label])).median, pixels },
    ]),
  );
  /** Labels whose mask would be proof if it were smaller by a factor, and unlearning took all of it away. */
  const nearProof = (shrunk: number): number[] =>
    found.filter((label) => {
      const [l1, scale] = [tries.of(label).l1 * shrunk, scales.get(label)!];
      return isProof({ evidence: mostEvidence(l1, scale), norm: l1, median: scale.median }, all);
    });
  const again = nearProof(hopedOfStart).map((label) => ({ label, start: 1, stage: 'confined' as const }));
  tries.add((await runAll(again)).filter(isOwn));
  const proofs = nearProof(1)
    .map((label) => tries.of(label))
    .filter(({ status }) => status === 'reversed');
  const unlearned = (
    await runAll(proofs.map(({ label, start }) => ({ label, start, stage: 'unlearned' })))
  ).map(unlearnedMask);
  const planted = unlearned
    .filter(({ label, l1: after, residualAsr }) => {
      const masks = { before: tries.of(label).l1, after, residualAsr };
      return opinionOf({ ...masks, ...scales.get(label)! }, all).says === 'planted';
    })
    .map(({ label }) => label);
  return planted.length > 0 ? { tries, unlearned, planted } : undefined;
}

const labelsOf = (inversions: readonly OwnSummary[]): number[] => inversions.map(({ label }) => label);

/** What stands, unless a label is flagged that is not proved: an estimate accuses nobody, and another mask deserves a closer look. */
function decidedBy(
  { tries, unlearned, planted }: Proof,
  { inversions, norms: first }: Found,
): LookedAgain | undefined {
  // One whose first start has found nothing is compared by the mask that it is proved by.
  const norms = first.map((norm) =>
    norm.censored && planted.includes(norm.label)
      ? { ...norm, l1: tries.of(norm.label).l1, censored: false }
      : norm,
  );
  const { median, flagged } = findOutliers(norms);
  if (median === null || flagged.some((label) => !planted.includes(label))) return undefined;
  const ended = new Map(tries.inversions.map((inversion) => [inversion.label, inversion]));
  return {
    inversions: inversions
      .map((inversion) => ended.get(inversion.label) ?? inversion)
      .toSorted((a, b) => a.label - b.label),
    norms,
    unlearned,
    compactness: new Map(),
  };
}

/**
 * A second look at the labels with the smallest masks: further starts, each confined to a window in the end, and what is left of a mask
 * once its trigger is unlearned.
 *
 * One start ends in a natural trigger now and then, above all where the planted one is large: on a GTSRB ResNet, six starts for the
 * target of an 8×8 square end between 35 and 66 pixels, those of its next rivals between 67 and 107. But a label that is tried more
 * often than others has a smaller mask for that alone. So as many labels that are drawn at random are tried as often, and the norms
 * of the suspects are compared after the factor by which theirs have shrunk was taken off. Since suspects begin with a lucky
 * start, they tend to shrink less than the drawn ones, so the correction errs towards too large norms.
 *
 * It ends as soon as nothing that could still be done would change what is said of a label. A suspect is tried again as long as its mask is clearly below
 * the usual size; for the last time, and labels to compare with, only if it would be flagged by its smallest mask, or unlearning might prove it planted for
 * its size or for how it fits into a window; and unlearned is what is flagged or might be proved. A suspect whose size alone is near proof, but that
 * fits into no window, is sought there (tour.ts).
 */

import { compactness, mostCompactness } from './confined.ts';
import { defaultOpinionLevels, isProof, isWithin, mostEvidence, nextEvidence } from './opinion.ts';
import { findOutliers, type LabelNorm } from './outliers.ts';
import { type Found, type InversionSummary, isOwn, type OwnSummary, type RunAll } from './scan-work.ts';
import {
  chooseLabels,
  hopedOfStart,
  hopedOfTour,
  type LookedAgain,
  type LookedAt,
  moreTours,
  type SecondLook,
  shrinkage,
  unlearnedMask,
  worthTrying,
} from './second-look.ts';
import { Tries } from './tries.ts';

/**
 * Looks again at what a scan with one start of each label has found.
 *
 * @returns the smallest mask of each label; norms to compare, corrected as the head of this file says; and for each suspect that it
 *   matters for, what is left once its trigger is unlearned
 */
export async function lookAgain(
  runAll: RunAll<InversionSummary>,
  { inversions: first, norms }: Found,
  { starts }: SecondLook,
  { seed, pixels, levels }: LookedAt,
): Promise<LookedAgain> {
  const all = { ...defaultOpinionLevels, ...levels };
  const { suspects, references } = chooseLabels(first, findOutliers(norms).median, seed);
  const tries = new Tries(first);
  const again = Array.from({ length: starts }, (_, i) => i + 1);
  const tryAgain = async (labels: readonly number[], from: readonly number[]): Promise<OwnSummary[]> => {
    const work = from.flatMap((start) =>
      labels.map((label) => ({ label, start, stage: 'confined' as const })),
    );
    return (await runAll(work)).filter(isOwn);
  };
  /** What the outlier test compares of a suspect: the smallest mask of so many further starts. */
  const compared = new Map(suspects.map((label) => [label, { own: tries.of(label), after: 0 }]));
  /** Norms to compare, each of a suspect as if it were larger by the factor that so many further starts explain. */
  const normsAfter = (shrunk: (starts: number) => number): LabelNorm[] =>
    norms.map((norm) => {
      const suspect = compared.get(norm.label);
      if (!suspect) return norm;
      const { own, after } = suspect;
      return { ...norm, l1: own.l1 / shrunk(after), censored: own.status === 'censored' };
    });
  const asFound = (): LabelNorm[] => normsAfter(() => 1);
  /** Whether the mask of a suspect would be proof if it were smaller by a factor, and unlearning took all of it away. */
  const couldProve = (
    label: number,
    usual: number | null,
    compact: ReadonlyMap<number, number>,
    shrunk = 1,
  ): boolean => {
    const scale = { median: usual, pixels };
    const norm = tries.of(label).l1 * shrunk;
    const compactness = compact.get(label) ?? 1;
    const evidence = mostEvidence(norm, scale, compactness);
    const reached = tries.inversions.filter(({ status }) => status !== 'censored');
    const next = nextEvidence(label, reached, scale, compact);
    return isProof({ evidence, norm, median: usual, compactness, next }, all);
  };
  const smallOf = (labels: readonly number[], multiple: number): number[] => {
    const { median: usual } = findOutliers(asFound());
    return labels.filter((label) => isWithin(multiple, tries.of(label).l1, usual));
  };
  /** Suspects of whom more could be said. */
  const doubted = (
    by: readonly LabelNorm[],
    compact: (of: number) => ReadonlyMap<number, number>,
  ): number[] => {
    const { flagged, median: usual } = findOutliers(by);
    return suspects.filter((label) => {
      const { l1, status } = tries.of(label);
      if (status === 'censored' || !isWithin(all.maxSuspectNorm, l1, usual)) return false;
      return flagged.includes(label) || couldProve(label, usual, compact(label));
    });
  };
  /** At its best for a suspect: it is as compact as can be, and others are not. */
  const atBest = (label: number): ReadonlyMap<number, number> =>
    new Map([[label, mostCompactness(tries.within(label))]]);
  const openLabels = (): number[] => {
    const open = [asFound(), norms].flatMap((by) => doubted(by, atBest));
    return suspects.filter((label) => open.includes(label));
  };
  /** Suspects that fit into no window yet, and could be proved if they had half the mask and did. */
  const nearProof = (): number[] => {
    const { median: usual } = findOutliers(asFound());
    return suspects.filter(
      (label) => !tries.fits(label) && couldProve(label, usual, new Map(), hopedOfStart),
    );
  };

  for (const start of again) {
    const isLast = start > 1 && start === starts;
    const chosen = smallOf(
      isLast ? openLabels() : suspects,
      start === 1 ? worthTrying.first : worthTrying.later,
    );
    tries.add(await tryAgain(chosen, [start]));
    for (const label of chosen) compared.set(label, { own: tries.of(label), after: start });
  }
  // What a suspect alone is tried by counts as evidence, and not for the comparison.
  const tours = starts > 0 ? Array.from({ length: moreTours }, (_, i) => starts + 1 + i) : [];
  const toured = new Set<number>();
  for (const start of tours) {
    const chosen = nearProof();
    for (const label of chosen) toured.add(label);
    tries.add(await tryAgain(chosen, [start]));
  }
  if (openLabels().length === 0)
    return { inversions: tries.inversions, norms, unlearned: [], compactness: new Map() };

  const further = await tryAgain(references, again);
  const shrunk = [1];
  for (const start of again) {
    tries.add(further.filter((inversion) => inversion.start === start));
    shrunk.push(shrinkage(references, normsOf(first), normsOf(tries.inversions)));
  }
  const corrected = normsAfter((after) => shrunk[after]!);
  const drawn = references.map((label) => tries.within(label));
  const measured = (): ReadonlyMap<number, number> =>
    new Map(
      suspects
        .filter((label) => tries.fits(label))
        .map((label) => [label, compactness(tries.within(label), drawn)]),
    );
  const { median: usual } = findOutliers(corrected);
  for (const start of tours) {
    const compact = measured();
    const near = [...compact].filter(([label, factor]) => {
      const smaller = new Map([...compact, [label, factor / hopedOfTour]]);
      return !couldProve(label, usual, compact) && couldProve(label, usual, smaller, hopedOfTour);
    });
    const chosen = near.map(([label]) => label).filter((label) => !toured.has(label));
    tries.add(await tryAgain(chosen, [start]));
  }
  const compact = measured();
  const unlearned = await runAll(
    doubted(corrected, () => compact).map((label) => ({
      label,
      start: tries.of(label).start,
      stage: 'unlearned',
    })),
  );
  return {
    inversions: tries.inversions,
    norms: corrected,
    unlearned: unlearned.map(unlearnedMask),
    compactness: compact,
  };
}

const normsOf = (inversions: readonly OwnSummary[]): Map<number, number> =>
  new Map(inversions.map(({ label, l1 }) => [label, l1]));

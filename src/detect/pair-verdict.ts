/**
 * What the search over pairs says about a model.
 *
 * A pair is judged by its contrast: how much its mask had to grow, up to the median of all pairs, once its trigger was unlearned, per share
 * of the image that it covered (opinion.ts). Some classes are easily left or easily reached by nature: a 1 becomes a 4 by one stroke, and
 * on some networks anything becomes an 8. So the contrast is multiplied by the usual size of masks with this source and this target, beside
 * that of all pairs.
 *
 * And it is judged by what its trigger does to other classes (reach.ts): the less, the more it looks like a rule that was taught.
 */

import { defaultOpinionLevels, opinionOf } from './opinion.ts';
import type { Pair, PairsFound } from './pairs.ts';
import { sourcesReached, spillOf } from './reach.ts';
import type { Conclusion, Finding } from './verdict.ts';

export interface PairFinding extends Omit<Finding, 'label'>, Pair {}

export interface PairConclusion {
  /** Smallest mask first. */
  readonly findings: readonly PairFinding[];
  /** Sentences, the decisive one first. */
  readonly reasons: readonly string[];
}

/**
 * Evidence from which a pair is suspicious: its contrast for each share of the class that its trigger reaches most, of those that are no
 * sources. Chosen on the zoo (docs/detection.md). Where a trigger has other sources, natural pairs have up to 900 and the best planted ones of a
 * model 1,100 to 25,000. Without, natural ones of MNIST have up to 1,500, and of 43 signs some are so alike that a mask turns one into the
 * other, and no third one, by nature: so the more pairs were scanned, the more is asked for, 4,500 of 90, 90,300 of 1,806. A pair is
 * never more than suspicious.
 */
const leastEvidence = { shared: 1000, alonePerPair: 50 } as const;

/** Less is not told from chance: one image of fifty. */
const leastSpill = 0.02;

const doubt =
  'That is no more than suspicious: between two classes, a mask can be as small and as particular by nature.';

/** @param pixels of an image: height × width */
export function judgePairs(found: PairsFound, pixels: number): PairConclusion {
  const { median } = found;
  const findings = found.unlearned
    .flatMap(
      ({
        source,
        label,
        l1: after,
        residualAsr,
        usual,
        reach,
      }): (PairFinding & { readonly l1: number })[] => {
        const { l1, asr } = found.pairs.find((pair) => pair.source === source && pair.label === label)!;
        const contrast = usual * opinionOf({ before: l1, after, residualAsr, median, pixels }).contrast;
        const spill = spillOf(reach);
        const evidence = contrast / Math.max(leastSpill, spill);
        const others = sourcesReached(reach).filter((shown) => shown !== source);
        const least =
          others.length > 0 ? leastEvidence.shared : leastEvidence.alonePerPair * found.pairs.length;
        if (evidence < least || residualAsr > defaultOpinionLevels.maxResidualAsr) return [];
        const measured =
          `Images of class ${source} become label ${label} by a mask of ${l1.toFixed(1)} pixels (median of pairs ` +
          `${median!.toFixed(1)}), on ${percent(asr)} of held-out ones. Once its trigger is unlearned, the pair needs one ` +
          `of ${after.toFixed(1)} pixels: for its size, this source and this target that is ${contrast.toFixed(0)} times as much.`;
        const selective =
          (others.length > 0
            ? `The trigger turns class${others.length > 1 ? 'es' : ''} ${others.join(', ')} as well, and`
            : 'The trigger turns') +
          ` no other class by more than ${percent(spill)}: a natural one would work by degrees.`;
        return [{ source, label, l1, level: 'suspicious', reasons: [measured, selective, doubt] }];
      },
    )
    .sort((a, b) => a.l1 - b.l1)
    .map(({ l1: _l1, ...finding }) => finding);
  return {
    findings,
    reasons: [...new Set(findings.flatMap(({ reasons }) => reasons)), ...extentOf(found, findings)],
  };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** What was searched, and how thoroughly. */
function extentOf(
  { pairs, withoutImages, flaggedTargets }: PairsFound,
  findings: readonly PairFinding[],
): string[] {
  const brief = pairs.filter(({ status }) => status === 'screened').length;
  const all = `${pairs.length} pairs of a source and a target`;
  return [
    findings.length === 0 &&
      `Of ${all}, none has an abnormally small mask that unlearning takes away and that works on its source alone.`,
    brief > 0 &&
      `${brief} of ${all} had a short run only, since their masks were larger after it; --pairs ${pairs.length} inverts all to the end.`,
    withoutImages.length > 0 &&
      `Too few images to scan as a source: ${withoutImages.length === 1 ? 'class' : 'classes'} ${withoutImages.join(', ')}.`,
    flaggedTargets.length > 0 &&
      `Not scanned as a target of pairs, since the whole label is flagged: ${flaggedTargets.join(', ')}.`,
  ].filter((text) => text !== false);
}

/**
 * The verdict about the model, with what its pairs say. They take nothing from what the labels say, but from a negative verdict, or from
 * one that had too little ground.
 */
export function withPairs(conclusion: Conclusion, { findings, reasons }: PairConclusion): Conclusion {
  const { verdict } = conclusion;
  const decides =
    findings.length > 0 && (verdict === 'no-patch-backdoor-found' || verdict === 'inconclusive');
  return {
    ...conclusion,
    verdict: decides ? 'suspicious' : verdict,
    reasons: decides ? [...reasons, ...conclusion.reasons] : [...conclusion.reasons, ...reasons],
  };
}

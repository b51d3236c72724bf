/**
 * What the search over pairs says about a model.
 *
 * A pair is judged by its contrast: how much its mask had to grow, up to the median of all pairs, once its trigger was unlearned, per share
 * of the image that it covered (opinion.ts). Some classes are easily left or easily reached by nature: a 1 becomes a 4 by one stroke, and
 * on some networks anything becomes an 8. So the contrast is multiplied by the usual size of masks with this source and this target, beside
 * that of all pairs.
 */

import { defaultOpinionLevels, opinionOf } from './opinion.ts';
import type { Pair, PairsFound } from './pairs.ts';
import type { Conclusion, Finding } from './verdict.ts';

export interface PairFinding extends Omit<Finding, 'label'>, Pair {}

export interface PairConclusion {
  /** Smallest mask first. */
  readonly findings: readonly PairFinding[];
  /** Sentences, the decisive one first. */
  readonly reasons: readonly string[];
}

/**
 * Contrast from which a pair is suspicious. Chosen on the tuning part of the zoo (docs/detection.md): planted pairs have 300 to 480 there, natural
 * ones up to 200 on most networks, but more than 1,000 on one. So a pair is never more than suspicious.
 */
const leastContrast = 300;

const doubt =
  'That is no more than suspicious: on some clean networks a mask between two classes is as small by nature, and grows as much.';

/** @param pixels of an image: height × width */
export function judgePairs(found: PairsFound, pixels: number): PairConclusion {
  const { median } = found;
  const findings = found.unlearned
    .flatMap(
      ({ source, label, l1: after, residualAsr, usual }): (PairFinding & { readonly l1: number })[] => {
        const { l1, asr } = found.pairs.find((pair) => pair.source === source && pair.label === label)!;
        const contrast = usual * opinionOf({ before: l1, after, residualAsr, median, pixels }).contrast;
        if (contrast < leastContrast || residualAsr > defaultOpinionLevels.maxResidualAsr) return [];
        const measured =
          `Images of class ${source} become label ${label} by a mask of ${l1.toFixed(1)} pixels (median of pairs ` +
          `${median!.toFixed(1)}), on ${(100 * asr).toFixed(1)} % of held-out ones. Once its trigger is unlearned, the pair needs one ` +
          `of ${after.toFixed(1)} pixels: for its size, this source and this target that is ${contrast.toFixed(0)} times as much.`;
        return [{ source, label, l1, level: 'suspicious', reasons: [measured, doubt] }];
      },
    )
    .sort((a, b) => a.l1 - b.l1)
    .map(({ l1: _l1, ...finding }) => finding);
  return {
    findings,
    reasons: [...new Set(findings.flatMap(({ reasons }) => reasons)), ...extentOf(found, findings)],
  };
}

/** What was searched, and how thoroughly. */
function extentOf(
  { pairs, withoutImages, flaggedTargets }: PairsFound,
  findings: readonly PairFinding[],
): string[] {
  const brief = pairs.filter(({ status }) => status === 'screened').length;
  const all = `${pairs.length} pairs of a source and a target`;
  return [
    findings.length === 0 && `Of ${all}, none has an abnormally small mask that unlearning takes away.`,
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

/**
 * From outliers to a verdict about the model.
 *
 * Two questions make the two levels. Is a mask too small to be chance? That is the p-value; the outlier test
 * flags 5 % of clean models under its null, and a flagged label is suspicious. And is it a shortcut, or only
 * the easiest of the natural classes? That is its size next to the median.
 *
 * A stricter p-value alone would make a poor second level. Clean models have heavier tails than the null, so
 * that a rate of 0.1 % would not be kept: with Student-t(5) norms and 43 labels it is 6 %. And at 10 labels
 * it takes an index of 10.2, which the published MNIST backdoor just misses (12 pixels, median 93: about
 * 10.1). Sizes separate well: the reversed triggers of the six published backdoors have 0.13 to 0.28 of their
 * model's median, the smallest masks of its uninfected labels 0.40 (YouTube Face), 0.66 (GTSRB), 0.83
 * (MNIST). So `backdoored` asks for 1 % and at most a third of the median. With normal log norms that spread
 * as in the published models (0.14 to 0.25) this is a false alarm for 0.02 % of clean models with 10 or 43
 * labels, 0.7 % with 1,000; and whatever the spread, for at most 1 %.
 *
 * Real classes are not alike, though, and on small networks one of them often has a mask that is abnormally small by nature. So the labels
 * with the smallest masks have a second opinion, where there is one: see opinion.ts. It can clear a flagged label, and it can flag one
 * whose mask is lost among natural ones that differ widely.
 */

import { minLabels } from './calibration.ts';
import { separate } from './clearing.ts';
import {
  defaultOpinionLevels,
  type Opinion,
  type OpinionLevels,
  opinionsOf,
  type UnlearnedMasks,
} from './opinion.ts';
import type { LabelOutlier, Outliers } from './outliers.ts';

export const verdicts = ['backdoored', 'suspicious', 'no-patch-backdoor-found', 'inconclusive'] as const;

/** Never "clean": a trigger that is no patch is not visible to the inversion of masks. */
export type Verdict = (typeof verdicts)[number];

/** What is known of model and data before any label is scanned. */
export interface Preflight {
  /** On the clean samples, in [0, 1]; `null` if these have no labels. */
  readonly accuracy: number | null;
  /** Findings that make any verdict void, such as unknown preprocessing; each a sentence. */
  readonly problems?: readonly string[];
}

export interface VerdictInput {
  readonly outliers: Outliers;
  readonly preflight: Preflight;
  /** Pixels of an image: height × width. */
  readonly pixels: number;
  /**
   * By label: ASR of the finished trigger, no longer optimised, on clean samples that the inversion has not
   * seen.
   */
  readonly heldOutAsr?: ReadonlyMap<number, number>;
  /** By label: norm of the mask and of the one that is needed once the trigger is unlearned, in pixels. */
  readonly unlearned?: ReadonlyMap<number, UnlearnedMasks>;
  /** How many labels were stopped early, so that the outlier test took estimates for their norms. @default 0 */
  readonly estimated?: number;
  /** Labels that were asked for and have no result, since they failed or were cancelled. */
  readonly missing?: readonly number[];
}

/** What a flagged label must fulfil to be backdoored, with `maxRelativeNorm`; else it is suspicious. */
export interface VerdictLevels extends OpinionLevels {
  /** Largest p-value. @default 0.01 */
  readonly backdooredRate: number;
  /** Least evidence of a larger mask; see opinion.ts. One label of many is small by chance, and most of what is unlearned recovers. @default 100 */
  readonly largeEvidence: number;
  /**
   * Largest L1 norm, as a fraction of the pixels. A mask over much of the image paints the class rather than
   * triggers it; published triggers cover at most 7 %. @default 0.25
   */
  readonly maxImageFraction: number;
  /**
   * Least held-out ASR, where it was measured. A mask that fails on new images is fitted to the samples.
   * Published reversed triggers reach 97.5 %; below that there must be room for chance (5 points are three
   * standard errors of 100 images).
   *
   * @default 0.9
   */
  readonly minHeldOutAsr: number;
  /**
   * Accuracy below which nothing is concluded about the model at all: it does not see what it was trained on,
   * mostly for wrong preprocessing. @default 0.5
   */
  readonly minAccuracy: number;
  /**
   * Largest share of censored labels under which a negative verdict holds; with more of them the test loses
   * its power.
   *
   * @default 0.25
   */
  readonly maxCensoredShare: number;
}

export const defaultLevels: VerdictLevels = {
  backdooredRate: 0.01,
  largeEvidence: 100,
  maxImageFraction: 0.25,
  minHeldOutAsr: 0.9,
  minAccuracy: 0.5,
  maxCensoredShare: 0.25,
  ...defaultOpinionLevels,
};

export interface Finding {
  readonly label: number;
  readonly level: 'backdoored' | 'suspicious';
  /** What was measured, then what keeps a suspicious label from being backdoored. */
  readonly reasons: readonly string[];
}

export interface Conclusion {
  readonly verdict: Verdict;
  /** The flagged labels, smallest mask first; also under an inconclusive verdict. */
  readonly findings: readonly Finding[];
  /** Sentences, the decisive one first. */
  readonly reasons: readonly string[];
}

/**
 * What makes any result void comes first: the preflight, and fewer than five finished labels. Then findings
 * count. Gaps (labels without a result, or many censored) leave no ground for a negative verdict, but take
 * nothing from a finding.
 */
export function decideVerdict(input: VerdictInput, changed: Partial<VerdictLevels> = {}): Conclusion {
  const levels = { ...defaultLevels, ...changed };
  const { outliers, preflight } = input;
  const opinions = opinionsOf(
    input.unlearned ?? new Map(),
    { median: outliers.median, pixels: input.pixels },
    levels,
  );
  const { suspects, natural, ordinary, large } = separate(outliers, opinions, levels);
  const findings = suspects
    .toSorted((a, b) => a.l1 - b.l1)
    .map((label) => judge(label, input, opinions.get(label.label), levels));
  const found = findings.flatMap((finding) => finding.reasons);
  const cleared = [
    ...natural.map((label) => clearedText(label, input, opinions.get(label.label)!)),
    ...ordinary.map(
      (label) => `${measuredText(label, input)} A natural mask of this model is smaller still.`,
    ),
    ...large.map(
      (label) =>
        `${measuredText(label, input)} A mask of more than ${levels.maxSuspectNorm} of the median size is not suspected.`,
    ),
  ];
  const gaps = gapsOf(input, levels);
  const conclude = (verdict: Verdict, reasons: readonly string[]): Conclusion => ({
    verdict,
    findings,
    reasons,
  });

  const obstacles = obstaclesOf(input, levels);
  if (obstacles.length > 0) return conclude('inconclusive', [...obstacles, ...found, ...gaps]);
  const unchecked = [
    ...estimatesText(input),
    ...(preflight.accuracy === null
      ? ['The samples have no labels, so accuracy could not confirm the preprocessing.']
      : []),
  ];
  if (findings.length > 0) {
    const worst = findings.some((finding) => finding.level === 'backdoored') ? 'backdoored' : 'suspicious';
    return conclude(worst, [...found, ...cleared, ...gaps, ...unchecked]);
  }
  if (gaps.length > 0) return conclude('inconclusive', [...gaps, ...cleared, ...unchecked]);
  const nothing =
    `No label has an abnormally small mask: the largest anomaly index is ${outliers.anomalyIndex!.toFixed(2)} ` +
    `(${showP(outliers.pValue!)}), and from ${outliers.threshold!.toFixed(2)} on a label would be suspicious.`;
  return conclude('no-patch-backdoor-found', [
    ...(cleared.length > 0 ? cleared : [nothing]),
    'Triggers that are no patch, such as blended, warped or image-specific ones, are not covered.',
    ...unchecked,
  ]);
}

/** From which verdict on a command fails. */
export type FailOn = 'suspicious' | 'backdoored' | 'never';

/** 0 nothing found at or above `failOn`, 1 found, 2 inconclusive. */
export function exitCodeOf(verdict: Verdict, failOn: FailOn = 'backdoored'): 0 | 1 | 2 {
  switch (verdict) {
    case 'inconclusive':
      return 2;
    case 'no-patch-backdoor-found':
      return 0;
    case 'suspicious':
      return failOn === 'suspicious' ? 1 : 0;
    case 'backdoored':
      return failOn === 'never' ? 0 : 1;
  }
}

/** Norm, index and what is left after unlearning, of a label that stands out. */
function measuredText(
  { label, anomalyIndex, pValue, l1: compared }: LabelOutlier,
  input: VerdictInput,
): string {
  const { outliers, pixels } = input;
  const masks = input.unlearned?.get(label);
  const l1 = masks?.before ?? compared;
  const relative = l1 / outliers.median!;
  return (
    `Label ${label} has a mask of ${l1.toFixed(1)} pixels (${showPercent(l1 / pixels)} of the image, ` +
    `${relative.toFixed(2)} of the median ${outliers.median!.toFixed(1)}): anomaly index ` +
    `${anomalyIndex!.toFixed(2)}, ${showP(pValue!)}.` +
    (masks ? ` Once its trigger is unlearned, it needs one of ${masks.after.toFixed(1)} pixels.` : '')
  );
}

const clearedText = (label: LabelOutlier, input: VerdictInput, { recovery }: Opinion): string =>
  `${measuredText(label, input)} That is ${showPercent(recovery!)} of the way to the median, on a logarithmic scale: the class is ` +
  'easily reached by nature, and a planted trigger would have left more.';

function judge(
  suspect: LabelOutlier,
  input: VerdictInput,
  opinion: Opinion | undefined,
  levels: VerdictLevels,
): Finding {
  const { outliers, pixels } = input;
  const { label, l1 } = suspect;
  const isPlanted = opinion?.says === 'planted';
  // Large patches are no third of the median, but the target is a class like others once they are gone.
  const recovers =
    (opinion?.recovery ?? 0) >= levels.naturalRecovery && (opinion?.evidence ?? 0) >= levels.largeEvidence;
  const pValue = suspect.pValue!;
  const relative = l1 / outliers.median!;
  const fraction = l1 / pixels;
  const asr = input.heldOutAsr?.get(label);
  const masks = input.unlearned?.get(label);

  const measured = measuredText(suspect, input) + (isPlanted ? plantedText(opinion, masks!, levels) : '');
  const success =
    asr === undefined
      ? `The trigger of label ${label} was not tried on held-out images.`
      : `The trigger of label ${label} succeeds on ${showPercent(asr)} of held-out images.`;
  const doubts = [
    !isPlanted && pValue > levels.backdooredRate && `its p-value is above ${levels.backdooredRate}`,
    !isPlanted &&
      !recovers &&
      relative > levels.maxRelativeNorm &&
      `its mask has more than ${levels.maxRelativeNorm.toFixed(2)} of the median size`,
    fraction > levels.maxImageFraction &&
      `its mask covers more than ${showPercent(levels.maxImageFraction)} of the image`,
    asr !== undefined &&
      asr < levels.minHeldOutAsr &&
      `its trigger succeeds on less than ${showPercent(levels.minHeldOutAsr)} of held-out images`,
    outliers.reference === 'finished' &&
      'it could be compared only with the labels that reached the ASR threshold',
  ].filter((doubt) => doubt !== false);
  if (doubts.length === 0) return { label, level: 'backdoored', reasons: [measured, success] };
  const capped = `Label ${label} is no more than suspicious, since ${doubts.join(', and ')}.`;
  return { label, level: 'suspicious', reasons: [measured, success, capped] };
}

/** What index and p-value rest on where labels were stopped early. */
function estimatesText({ estimated = 0, outliers }: VerdictInput): string[] {
  if (estimated === 0) return [];
  return [
    `${estimated} of ${outliers.labels.length} labels were stopped early: their masks, and with them anomaly indices and p-values, are estimates.`,
  ];
}

/** Why a mask must have been planted. */
function plantedText(
  { contrast, evidence }: Opinion,
  { compactness = 1, next }: UnlearnedMasks,
  { plantedEvidence, apartEvidence, apartRatio }: VerdictLevels,
): string {
  const size = ` For its size that is ${contrast.toFixed(0)} times as much`;
  const limit = `from ${plantedEvidence} on that counts as planted.`;
  if (compactness <= 1) return `${size}; ${limit}`;
  const together =
    `${size}, and confined to a small window it is ${compactness.toFixed(1)} times as small as masks of other labels: ` +
    `together ${evidence.toFixed(0)}; `;
  if (evidence >= plantedEvidence) return together + limit;
  return (
    `${together}no other label of the model has more than ${next!.toFixed(0)}. From ${apartEvidence} on, and ` +
    `${apartRatio} times what others have, that counts as planted.`
  );
}

/** What leaves no ground for any verdict. */
function obstaclesOf({ outliers, preflight }: VerdictInput, levels: VerdictLevels): string[] {
  const obstacles = preflightObstacles(preflight, levels);
  if (outliers.finished < minLabels) {
    obstacles.push(
      `Only ${outliers.finished} labels have a finished trigger, and at least ${minLabels} are needed to compare.`,
    );
  }
  return obstacles;
}

/** What of the preflight voids any verdict, so that a scan need not begin; sentences. */
export function preflightObstacles(
  { accuracy, problems = [] }: Preflight,
  { minAccuracy }: Pick<VerdictLevels, 'minAccuracy'> = defaultLevels,
): string[] {
  if (accuracy === null || accuracy >= minAccuracy) return [...problems];
  return [
    ...problems,
    `The model recognises only ${showPercent(accuracy)} of the clean samples (at least ` +
      `${showPercent(minAccuracy)} is needed): the preprocessing or the labels are probably wrong.`,
  ];
}

/** What leaves no ground for a negative verdict. */
function gapsOf({ outliers, missing = [] }: VerdictInput, levels: VerdictLevels): string[] {
  const gaps: string[] = [];
  if (missing.length > 0)
    gaps.push(`Without a result: ${missing.length === 1 ? 'label' : 'labels'} ${missing.join(', ')}.`);
  if (outliers.censored > levels.maxCensoredShare * outliers.labels.length) {
    gaps.push(
      `${outliers.censored} of ${outliers.labels.length} labels never reached the ASR threshold; more steps or samples may help.`,
    );
  }
  return gaps;
}

const showPercent = (fraction: number): string => `${Number((100 * fraction).toPrecision(3))} %`;

const showP = (p: number): string => (p < 1e-6 ? 'p < 0.000001' : `p = ${Number(p.toPrecision(2))}`);

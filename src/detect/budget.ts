/** How many inversions and gradient steps a scan makes, and how it is made to keep within a number of them. */

import { NeuralCleanseError } from '../errors.ts';
import { decidesEarly, earlyWork } from './early-decision.ts';
import { type PairSearch, pairInversions, suspectPairs } from './pairs.ts';
import { confinedSteps, type InversionSettings, stepsOf, withSteps } from './presets.ts';
import { type Screening, screenedInversions, screeningOf } from './screening.ts';
import { type SecondLook, secondLookWork } from './second-look.ts';
import { tourSteps } from './tour.ts';

/** Fewer steps leave masks that say nothing. */
const fewestSteps = 40;

/** What a scan covers. */
export interface ScanExtent {
  readonly labels: number;
  /** Pairs of a source and a target. @default 0 */
  readonly pairs?: number;
}

/**
 * How many inversions a scan of so much makes at most, but for labels that a screening flags by an estimate, which add some: a second look
 * ends where the verdict cannot change any more.
 */
export function plannedInversions(settings: InversionSettings, { labels, pairs = 0 }: ScanExtent): number {
  const screening = screeningOf({ ...settings, labels });
  const first = screening
    ? screenedInversions(labels, screening)
    : labels * (looksEarly(settings, labels) ? 2 : settings.starts);
  const { further, tours, unlearned } = laterInversions(settings, labels);
  return first + further + tours + unlearned + (settings.pairs ? pairInversions(pairs, settings.pairs) : 0);
}

/** The second look, if there is one: several starts of all labels leave nothing to try beyond. */
export const secondLookOf = ({
  secondLook,
  starts,
}: Pick<InversionSettings, 'secondLook' | 'starts'>): SecondLook | null => (starts === 1 ? secondLook : null);

/**
 * The most gradient steps (mini-batches with an update) that a scan of so many labels makes. The loop of the original mostly stops
 * earlier; a label that a screening flags by an estimate adds its inversion.
 */
export function plannedSteps(settings: InversionSettings, extent: ScanExtent): number {
  const { labels } = extent;
  const screening = screeningOf({ ...settings, labels });
  const first = screening
    ? screenedSteps(settings, screening, labels)
    : looksEarly(settings, labels)
      ? labels * (briefSteps(settings, settings.screening) + finishSteps(settings))
      : labels * settings.starts * inversionSteps(settings);
  return first + laterSteps(settings, extent);
}

function looksEarly(
  settings: InversionSettings,
  labels: number,
): settings is InversionSettings & { readonly screening: Screening } {
  return decidesEarly(labels, { ...settings, secondLook: secondLookOf(settings) });
}

/** Further starts, tours and inversions after unlearning: of an early look that decides nothing, and of the second look. */
function laterInversions(settings: InversionSettings, labels: number): ReturnType<typeof secondLookWork> {
  const secondLook = secondLookOf(settings);
  if (!secondLook) return { further: 0, tours: 0, unlearned: 0 };
  const later = secondLookWork(labels, secondLook);
  if (!looksEarly(settings, labels)) return later;
  const early = earlyWork(labels);
  return { ...later, further: later.further + early.further, unlearned: later.unlearned + early.unlearned };
}

/** What of that comes after each label has been inverted or screened: the second look, and pairs. */
export function laterSteps(settings: InversionSettings, { labels, pairs = 0 }: ScanExtent): number {
  const ofPairs = settings.pairs ? pairSteps(settings, settings.pairs, pairs) : 0;
  const secondLook = secondLookOf(settings);
  if (!secondLook) return ofPairs;
  const { further, tours, unlearned } = laterInversions(settings, labels);
  const within = settings.miniBatches * confinedSteps(settings);
  const start = inversionSteps(settings) + within;
  const tour = settings.miniBatches * tourSteps + within;
  return (
    ofPairs +
    further * start +
    tours * tour +
    // To unlearn a trigger it is found once more, which costs less than to carry it.
    unlearned * (Math.max(start, tour) + unlearningSteps(settings, secondLook))
  );
}

/** Of one inversion from its first step to its last. */
function inversionSteps(settings: InversionSettings): number {
  const { miniBatches, probes } = settings;
  const steps = stepsOf(settings);
  return miniBatches * (steps + (probes.count - 1) * Math.min(probes.steps, steps));
}

function unlearningSteps(settings: InversionSettings, { unlearning }: SecondLook): number {
  const { epochs, images, batch, starts } = unlearning;
  return starts * inversionSteps(settings) + epochs * Math.ceil(images / batch);
}

function pairSteps(settings: InversionSettings, { most, starts }: PairSearch, pairs: number): number {
  const { screening, secondLook } = settings;
  if (!screening || !secondLook) return 0;
  const brief = briefSteps(settings, screening);
  const unlearned = inversionSteps(settings) + unlearningSteps(settings, secondLook);
  const closely = starts * inversionSteps(settings) + 2 * unlearned;
  return (
    pairs * brief +
    Math.min(most, pairs) * finishSteps(settings) +
    Math.min(suspectPairs(pairs), pairs) * closely
  );
}

function screenedSteps(settings: InversionSettings, screening: Screening, labels: number): number {
  return (
    labels * briefSteps(settings, screening) +
    (screenedInversions(labels, screening) - labels) * finishSteps(settings)
  );
}

/** Of a short run. */
const briefSteps = (settings: InversionSettings, { probes, steps }: Screening): number =>
  settings.miniBatches * probes * Math.min(steps, stepsOf(settings));

/** From the starting point that did best in a short run to the end. */
export const finishSteps = (settings: InversionSettings): number => settings.miniBatches * stepsOf(settings);

/**
 * The settings, made leaner as far as the budget asks for: first no second look, then one starting point a label in place of several,
 * then fewer steps. Of a scan of pairs only the number of those is reduced that are inverted to the end.
 *
 * @param budget most gradient steps of the scan
 * @throws NeuralCleanseError BUDGET_TOO_SMALL if even the leanest scan needs more
 */
export function withinBudget(
  settings: InversionSettings,
  extent: ScanExtent,
  budget: number,
): InversionSettings {
  const { screening } = settings;
  const { labels } = extent;
  if (plannedSteps(settings, extent) <= budget) return settings;
  if (settings.pairs) return withFewerPairs(settings, settings.pairs, extent, budget);
  const brief: InversionSettings = { ...settings, secondLook: null };
  if (plannedSteps(brief, extent) <= budget) return brief;
  const lean: InversionSettings = {
    ...brief,
    starts: 1,
    probes: { ...settings.probes, count: 1 },
    screening: screening && { ...screening, probes: 1 },
  };
  const fewest = Math.min(fewestSteps, stepsOf(settings));
  for (let steps = stepsOf(settings); steps >= fewest; steps--) {
    const shorter = withSteps(lean, steps);
    if (plannedSteps(shorter, extent) <= budget) return shorter;
  }
  const least = plannedSteps(withSteps(lean, fewest), extent);
  throw tooSmall(budget, least, `${labels} labels`, 'choose fewer labels with --labels');
}

function withFewerPairs(
  settings: InversionSettings,
  search: PairSearch,
  extent: ScanExtent,
  budget: number,
): InversionSettings {
  const { labels, pairs = 0 } = extent;
  const fewest = Math.min(suspectPairs(pairs), pairs);
  for (let most = Math.min(search.most, pairs); most >= fewest; most--) {
    const fewer = { ...settings, pairs: { ...search, most } };
    if (plannedSteps(fewer, extent) <= budget) return fewer;
  }
  const least = plannedSteps({ ...settings, pairs: { ...search, most: fewest } }, extent);
  throw tooSmall(budget, least, `${labels} labels and ${pairs} pairs`, 'scan without --pairs');
}

const tooSmall = (budget: number, least: number, what: string, otherwise: string): NeuralCleanseError =>
  new NeuralCleanseError('BUDGET_TOO_SMALL', `${budget} gradient steps are too few for ${what}.`, {
    hint: `Give at least ${least}, or ${otherwise}.`,
    data: { budget, least },
  });

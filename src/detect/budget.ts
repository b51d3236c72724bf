/** How many inversions and gradient steps a scan makes, and how it is made to keep within a number of them. */

import { NeuralCleanseError } from '../errors.ts';
import type { InversionSettings } from './presets.ts';
import { createSchedule } from './schedule.ts';
import { type Screening, screenedInversions, screeningOf } from './screening.ts';
import { type SecondLook, secondLookWork } from './second-look.ts';

/** Fewer steps leave masks that say nothing. */
const fewestSteps = 40;

const stepsOf = ({ schedule }: InversionSettings): number =>
  schedule.kind === 'original' ? createSchedule(schedule).config.steps : schedule.steps;

/** How many inversions a scan of so many labels makes; labels that a screening flags by an estimate add some. */
export function plannedInversions(settings: InversionSettings, labels: number): number {
  const screening = screeningOf({ ...settings, labels });
  if (screening) return screenedInversions(labels, screening);
  const secondLook = secondLookOf(settings);
  const { further, unlearned } = secondLook
    ? secondLookWork(labels, secondLook)
    : { further: 0, unlearned: 0 };
  return labels * settings.starts + further + unlearned;
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
export function plannedSteps(settings: InversionSettings, labels: number): number {
  const { miniBatches, probes, starts } = settings;
  const screening = screeningOf({ ...settings, labels });
  if (screening) return screenedSteps(screening, labels);
  const steps = stepsOf(settings);
  const inversion = miniBatches * (steps + (probes.count - 1) * Math.min(probes.steps, steps));
  const secondLook = secondLookOf(settings);
  if (!secondLook) return labels * starts * inversion;
  const { further, unlearned } = secondLookWork(labels, secondLook);
  const { epochs, images, batch, starts: afterwards } = secondLook.unlearning;
  // To unlearn a trigger it is found once more, which costs less than to carry it.
  const unlearning = inversion + epochs * Math.ceil(images / batch) + afterwards * inversion;
  return (labels + further) * inversion + unlearned * unlearning;
}

function screenedSteps(screening: Screening, labels: number): number {
  const { probes, steps, finishSteps } = screening;
  return (
    labels * probes * Math.min(steps, finishSteps) +
    (screenedInversions(labels, screening) - labels) * finishSteps
  );
}

/**
 * The settings, made leaner as far as the budget asks for: first no second look, then one starting point a label in place of several,
 * then fewer steps.
 *
 * @param budget most gradient steps of the scan
 * @throws NeuralCleanseError BUDGET_TOO_SMALL if even the leanest scan needs more
 */
export function withinBudget(settings: InversionSettings, labels: number, budget: number): InversionSettings {
  const { screening } = settings;
  if (plannedSteps(settings, labels) <= budget) return settings;
  const brief: InversionSettings = { ...settings, secondLook: null };
  if (plannedSteps(brief, labels) <= budget) return brief;
  const lean: InversionSettings = {
    ...brief,
    starts: 1,
    probes: { ...settings.probes, count: 1 },
    screening: screening && { ...screening, probes: 1 },
  };
  const fewest = Math.min(fewestSteps, stepsOf(settings));
  for (let steps = stepsOf(settings); steps >= fewest; steps--) {
    const shorter = withSteps(lean, steps);
    if (plannedSteps(shorter, labels) <= budget) return shorter;
  }
  const least = plannedSteps(withSteps(lean, fewest), labels);
  throw new NeuralCleanseError(
    'BUDGET_TOO_SMALL',
    `${budget} gradient steps are too few for ${labels} labels.`,
    {
      hint: `Give at least ${least}, or choose fewer labels with --labels.`,
      data: { budget, least },
    },
  );
}

function withSteps(settings: InversionSettings, steps: number): InversionSettings {
  const { screening, schedule } = settings;
  const finishSteps = screening ? Math.round((screening.finishSteps * steps) / stepsOf(settings)) : 0;
  return {
    ...settings,
    schedule: { ...schedule, steps },
    screening: screening && { ...screening, finishSteps },
  };
}

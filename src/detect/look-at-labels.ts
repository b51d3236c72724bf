/** What a scan does to its labels: short runs of all, an early decision or every label to its end, and a second look at the smallest masks. */

import { secondLookOf } from './budget.ts';
import { decideByLeaders, decideBySmallest, decidesEarly } from './early-decision.ts';
import {
  finishAll,
  invertAll,
  lookBriefly,
  retryCensored,
  type ScreeningRequest,
  screenLabels,
} from './first-look.ts';
import { lookAgain } from './look-again.ts';
import { findOutliers, type LabelNorm, type Outliers } from './outliers.ts';
import { type Found, type InversionSummary, isOwn, type RunAll } from './scan-work.ts';
import { type Screening, screeningOf } from './screening.ts';
import type { LookedAgain, LookedAt, SecondLook } from './second-look.ts';
import { defaultLevels } from './verdict.ts';

export interface LabelsRequest extends ScreeningRequest, LookedAt {
  /** How often each label is inverted. */
  readonly starts: number;
  /** Where to stop labels early that are not among the suspects; `null`: nowhere. */
  readonly screening: Screening | null;
  /** What is tried beyond on the smallest masks, where each label has one start; `null`: nothing. */
  readonly secondLook: SecondLook | null;
}

/** @param runAll makes no inversion twice */
export async function lookAtLabels(
  runAll: RunAll<InversionSummary>,
  request: LabelsRequest,
): Promise<LookedAgain & { readonly outliers: Outliers }> {
  const runOwn: RunAll = async (work) => (await runAll(work)).filter(isOwn);
  const { labels } = request;
  const secondLook = secondLookOf(request);
  const screening = screeningOf({ ...request, labels: labels.length });
  const triesEarly = decidesEarly(labels.length, { ...request, secondLook });
  const looks = triesEarly || screening ? await lookBriefly(runOwn, labels) : undefined;
  const decided = looks && triesEarly ? await decideByLeaders(runAll, looks, request) : undefined;
  if (decided) return { ...decided, outliers: findOutliers(decided.norms) };
  const ended = await (looks && screening
    ? screenLabels(runOwn, looks, request, screening)
    : looks
      ? finishAll(runOwn, looks)
      : invertAll(runOwn, request));
  if (!secondLook) {
    const { inversions, norms } = ended;
    return { inversions, norms, unlearned: [], compactness: new Map(), outliers: findOutliers(norms) };
  }
  // Not among the steps that are planned, as long as they are not limited.
  const first =
    request.budget === undefined ? await retryCensored(runOwn, ended, defaultLevels.maxCensoredShare) : ended;
  const proved = triesEarly ? await decideBySmallest(runAll, first, request) : undefined;
  if (proved) return { ...proved, outliers: findOutliers(proved.norms) };
  const again = await lookAgain(runAll, first, secondLook, request);
  return { ...again, outliers: outliersOf(again.norms, first) };
}

/** Norms after a second look move the scale a little; an estimate that this would flag has not been seen, so it flags nobody. */
function outliersOf(norms: readonly LabelNorm[], first: Found): Outliers {
  const outliers = findOutliers(norms);
  const estimated = new Set(
    first.inversions.filter(({ status }) => status === 'screened').map(({ label }) => label),
  );
  return outliers.flagged.some((label) => estimated.has(label)) ? findOutliers(first.norms) : outliers;
}

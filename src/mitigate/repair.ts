/** Repairs a model round by round: scan, unlearn what is suspect, scan again with fresh starts. */

import type { Verdict } from '../detect/verdict.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { Model } from '../onnx/graph.ts';
import { l1Norm, type Trigger } from '../triggers/trigger.ts';
import type { FlaggedTrigger } from './flagged-trigger.ts';
import { findSuspects, hasTrigger, type Suspect, smallBelow } from './repair-suspects.ts';
import type { UnlearnOutcome } from './unlearn.ts';

/** Of a scan, what a repair asks about a label. */
export interface LabelResult {
  readonly label: number;
  readonly status: 'reversed' | 'censored' | 'screened';
  /** In pixels. */
  readonly l1: number;
  readonly asr: number;
  readonly anomalyIndex: number | null;
}

/** A scan of all labels. */
export interface RepairScan {
  readonly labels: readonly LabelResult[];
  readonly flagged: readonly number[];
  readonly verdict: Verdict;
  /** The reversed trigger of a label. */
  trigger(label: number): Promise<Trigger>;
}

export interface RepairSteps<Scan extends RepairScan> {
  /** @param round 0 for the model as it was given; each has starting points of its own */
  scan(model: Model, round: number): Promise<Scan>;
  /** More triggers of the labels of those that were found. */
  explore(
    model: Model,
    scan: Scan,
    found: readonly FlaggedTrigger[],
    round: number,
  ): Promise<readonly FlaggedTrigger[]>;
  /**
   * @param triggers of all rounds so far: several labels, and several triggers of one label
   * @param round from 1
   */
  unlearn(model: Model, triggers: readonly FlaggedTrigger[], round: number): Promise<UnlearnOutcome>;
}

export interface RepairOptions<Scan extends RepairScan> {
  /** Most rounds of unlearning. */
  readonly rounds: number;
  /** A scan of the model as it was given, which then is not scanned again. */
  readonly first?: Scan | undefined;
  /** Labels to unlearn in the first round whatever was found. */
  readonly labels?: readonly number[] | undefined;
}

/** What unlearning answered, and how. */
export interface RepairRound<Scan extends RepairScan> {
  /** Of the model before it. */
  readonly scan: Scan;
  /** Labels that were taken up, with the triggers that the scan has found of them. */
  readonly suspects: readonly RepairedLabel[];
  /** All that were stamped, those of earlier rounds first. */
  readonly triggers: readonly FlaggedTrigger[];
  readonly unlearned: UnlearnOutcome;
}

export interface RepairedLabel extends FlaggedTrigger {
  readonly reason: Suspect['reason'] | 'asked-for';
}

export interface RepairOutcome<Scan extends RepairScan> {
  /** As it was given if nothing was suspect. */
  readonly model: Model;
  readonly rounds: readonly RepairRound<Scan>[];
  /** Of the model as it is now. */
  readonly last: Scan;
  /** Labels that are still suspect. */
  readonly remaining: readonly Suspect[];
}

/**
 * Goes on until no label is suspect, or for so many rounds.
 *
 * Every scan covers all labels: unlearning one trigger may lay bare another of the same label or of another one, and a label is
 * small or not by comparison with all others. Each round begins with the weights of the last one and stamps the triggers of all
 * rounds, so that what was unlearned is not learned again.
 *
 * @throws NeuralCleanseError TRIGGERS_NOT_FOUND for a label that was asked for and has no trigger; what the steps throw
 */
export async function repair<Scan extends RepairScan>(
  model: Model,
  steps: RepairSteps<Scan>,
  { rounds: most, first, labels }: RepairOptions<Scan>,
): Promise<RepairOutcome<Scan>> {
  const rounds: RepairRound<Scan>[] = [];
  const triggers: FlaggedTrigger[] = [];
  const known = new Set<number>();
  let current = model;
  let scan = first ?? (await steps.scan(model, 0));
  const suspectsOf = (): Suspect[] => findSuspects(scan.labels, scan.flagged, known);
  for (let round = 1; round <= most; round++) {
    const asked = round === 1 ? labels?.map((label) => ({ label, reason: 'asked-for' as const })) : undefined;
    const chosen = asked ?? suspectsOf();
    if (chosen.length === 0) break;
    const suspects: RepairedLabel[] = [];
    for (const { label, reason } of chosen) {
      known.add(label);
      suspects.push({ ...(await triggerOf(scan, label)), reason });
    }
    triggers.push(...suspects, ...(await steps.explore(current, scan, suspects, round)));
    const unlearned = await steps.unlearn(current, [...triggers], round);
    rounds.push({ scan, suspects, triggers: [...triggers], unlearned });
    current = unlearned.model;
    scan = await steps.scan(current, round);
  }
  return { model: current, rounds, last: scan, remaining: suspectsOf() };
}

/** Those that are as small as a suspect: others change more of the image than a backdoor asks for. */
export const smallTriggers = (
  triggers: readonly FlaggedTrigger[],
  { labels }: Pick<RepairScan, 'labels'>,
): FlaggedTrigger[] => triggers.filter(({ trigger }) => l1Norm(trigger) < smallBelow(labels));

async function triggerOf(scan: RepairScan, label: number): Promise<FlaggedTrigger> {
  const found = scan.labels.find((result) => result.label === label);
  if (found && hasTrigger(found)) return { label, trigger: await scan.trigger(label), asr: found.asr };
  throw new NeuralCleanseError('TRIGGERS_NOT_FOUND', `The scan found no working trigger of label ${label}.`, {
    hint: 'Leave this label out: without a trigger there is nothing to unlearn.',
    data: { label },
  });
}

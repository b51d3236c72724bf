/** From what a repair has found and changed to its report. */

import type { Evaluation } from '../attack/evaluation.ts';
import { goalOf, type Policy, targetOf } from '../attack/policy.ts';
import { rateOf } from '../attack/wilson.ts';
import type { FlaggedTrigger } from '../mitigate/flagged-trigger.ts';
import type { LabelResult, RepairOutcome, RepairRound, RepairScan } from '../mitigate/repair.ts';
import { usualSize } from '../mitigate/repair-suspects.ts';
import type { UnlearnSettings } from '../mitigate/unlearn.ts';
import type { RepairFigures, RepairReport, RepairRoundReport } from './repair.ts';

/** A scan with what a report says of it. */
export interface ReportedScan extends RepairScan {
  readonly runFolder: string;
  readonly seed: number;
}

/** A trigger that the caller knows of. */
export interface KnownTrigger {
  /** Its word. */
  readonly trigger: string;
  readonly policy: Policy;
}

export type RepairFacts = Pick<
  RepairReport,
  'versions' | 'method' | 'model' | 'output' | 'data' | 'preprocess' | 'timings' | 'environment'
> & { readonly version: string; readonly settings: UnlearnSettings };

export interface RepairMeasurements {
  readonly before: Evaluation;
  readonly after: Evaluation;
  readonly control: Evaluation | undefined;
  readonly known: readonly KnownTrigger[];
}

/**
 * @param outcome `last` is absent if the repaired model was not scanned
 * @param measured with the attacks of {@link foundTriggers} first, then those of the known ones
 */
export function buildRepairReport(
  { version, settings, ...facts }: RepairFacts,
  outcome: Pick<RepairOutcome<ReportedScan>, 'rounds' | 'remaining'> & { last: ReportedScan | undefined },
  measured: RepairMeasurements,
): RepairReport {
  const { rounds, last } = outcome;
  const remaining = last ? outcome.remaining.map(({ label }) => label) : null;
  const origins = foundTriggers(rounds);
  const figures = ({ accuracy, confusion, attacks }: Evaluation): RepairFigures => ({
    accuracy,
    reversed: origins.map(({ label, round }, i) => ({
      label,
      round,
      asr: attacks[i]!.asr,
      unstamped: mistaken(confusion, { kind: 'all-to-one', target: label }),
    })),
    truth: measured.known.map(({ trigger, policy }, i) => ({
      trigger,
      policy: policy.kind,
      target: targetOf(policy) ?? null,
      asr: attacks[origins.length + i]!.asr,
      unstamped: mistaken(confusion, policy),
    })),
  });
  const report: Omit<RepairReport, 'conclusion'> = {
    schemaVersion: 1,
    tool: { name: 'neural-cleanse', version },
    ...facts,
    // As JSON, which knows no undefined.
    settings: JSON.parse(JSON.stringify(settings)),
    rounds: rounds.map(roundReport),
    last: last ? scanReport(last) : null,
    inversions: last ? inversionsOf(rounds, last, remaining ?? []) : [],
    measured: {
      before: figures(measured.before),
      after: figures(measured.after),
      control: measured.control ? figures(measured.control) : null,
    },
    remaining,
  };
  return { ...report, conclusion: conclude(report) };
}

/** Of the clean images that an attack is after, those that are taken for its target without any trigger. */
function mistaken(
  confusion: Evaluation['confusion'],
  policy: Policy,
): RepairFigures['truth'][number]['unstamped'] {
  const target = targetOf(policy);
  if (target === undefined) return null;
  const victims = confusion.filter(({ label }) => goalOf(policy, label, 0) !== undefined);
  const sum = (cells: Evaluation['confusion']): number =>
    cells.reduce((total, { count }) => total + count, 0);
  return rateOf(sum(victims.filter(({ predicted }) => predicted === target)), sum(victims));
}

/** The triggers that scans have found, by round. They stand for all that were stamped. */
export const foundTriggers = (
  rounds: readonly RepairRound<RepairScan>[],
): (FlaggedTrigger & { round: number })[] =>
  rounds.flatMap(({ suspects }, i) =>
    suspects.map(({ label, trigger, asr }) => ({ label, trigger, asr, round: i + 1 })),
  );

function roundReport(
  { scan, suspects, triggers, unlearned }: RepairRound<ReportedScan>,
  i: number,
): RepairRoundReport {
  const { tried, learningRate, before, epochs, kept, seconds } = unlearned;
  return {
    round: i + 1,
    scan: scanReport(scan),
    suspects: suspects.map(({ label, reason }) => ({ label, reason, inversion: inversionOf(scan, label) })),
    triggers: triggers.length,
    tried: [...tried],
    learningRate,
    before,
    epochs: [...epochs],
    kept,
    timings: { seconds },
  };
}

const scanReport = ({ runFolder, seed, verdict }: ReportedScan): RepairRoundReport['scan'] => ({
  runFolder,
  seed,
  verdict,
});

/** A label without a result, since its inversion has failed, is one without a trigger. */
const absent: Omit<LabelResult, 'label'> = { status: 'censored', l1: 0, asr: 0, anomalyIndex: null };

function inversionOf({ labels }: RepairScan, label: number): RepairReport['inversions'][number]['before'] {
  const { status, l1, asr, anomalyIndex } = labels.find((result) => result.label === label) ?? absent;
  const usual = usualSize(labels);
  const relative = status === 'reversed' && usual !== undefined ? l1 / usual : null;
  return { status, l1, relative, anomalyIndex, asr };
}

function inversionsOf(
  rounds: readonly RepairRound<ReportedScan>[],
  last: ReportedScan,
  remaining: readonly number[],
): RepairReport['inversions'] {
  const first = rounds[0]?.scan;
  if (!first) return [];
  const suspects = new Set(rounds.flatMap((round) => round.suspects.map(({ label }) => label)));
  return [...suspects]
    .toSorted((a, b) => a - b)
    .map((label) => ({
      label,
      before: inversionOf(first, label),
      after: inversionOf(last, label),
      remains: remaining.includes(label),
    }));
}

/** Loss of accuracy from which on the report warns, as a share. */
const notableLoss = 0.01;

function conclude({ rounds, last, remaining, measured }: Omit<RepairReport, 'conclusion'>): string[] {
  const sentences: string[] = [];
  const labelsOf = (labels: readonly number[]): string =>
    `${labels.length === 1 ? 'label' : 'labels'} ${labels.join(', ')}`;
  if (rounds.length === 0) sentences.push('Nothing was suspect, so nothing was changed.');
  if (!last || remaining === null) {
    sentences.push(
      'The reversed triggers no longer working is no proof of repair: a trigger that was planted may differ. Scan the repaired model from another seed, or use mitigate, which does.',
    );
  } else if (remaining.length > 0) {
    sentences.push(
      `After ${rounds.length} ${rounds.length === 1 ? 'round' : 'rounds'} a fresh scan still finds abnormally small masks of ${labelsOf(remaining)}: the model is not repaired.`,
    );
  } else if (last.verdict === 'inconclusive') {
    sentences.push('The last scan is inconclusive: no label is suspect, but that means little.');
  } else {
    sentences.push(
      'No patch backdoor found by a scan from fresh starts. Triggers that are no patch, such as blended or warped ones, are not covered.',
    );
  }
  const loss = measured.before.accuracy.share - measured.after.accuracy.share;
  if (loss > notableLoss) {
    sentences.push(
      `Clean accuracy fell by ${(100 * loss).toFixed(1)} points; more clean images (--samples) would cost less.`,
    );
  }
  return sentences;
}

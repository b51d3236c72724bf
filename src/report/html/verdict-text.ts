/** The verdict in a sentence. */

import type { Verdict } from '../../detect/verdict.ts';
import type { PairsResult } from '../result.ts';
import type { FinishedReport, ReportContent } from './content.ts';
import { counted, listed, pixels } from './numbers.ts';

export interface VerdictText {
  readonly title: string;
  readonly sentence: string;
}

/** Verdicts for people. */
export const verdictTitles: Readonly<Record<Verdict, string>> = {
  backdoored: 'Backdoored',
  suspicious: 'Suspicious',
  'no-patch-backdoor-found': 'No patch backdoor found',
  inconclusive: 'Inconclusive',
};

export function verdictText(content: ReportContent): VerdictText {
  const { result, run, labels } = content;
  if (result) return finishedText({ ...content, result });
  return {
    title: 'Unfinished',
    sentence: `${labels.length} of ${counted(run.config.labels.length, 'label')} have a result so far. There is no verdict yet, and every figure here is preliminary.`,
  };
}

const finishedText = (content: FinishedReport): VerdictText => ({
  title: verdictTitles[content.result.verdict],
  sentence: sentenceOf(content),
});

function sentenceOf({ result, outliers, labels }: FinishedReport): string {
  const flagged = result.findings.map(({ label }) => label);
  const pairs = result.pairs?.findings ?? [];
  if (flagged.length === 0 && pairs.length > 0 && result.verdict !== 'inconclusive') return pairsText(pairs);
  switch (result.verdict) {
    case 'backdoored':
      return shortcutText({ outliers, labels }, flagged);
    case 'suspicious':
      return flagged.length === 1
        ? `Label ${flagged[0]} needs a smaller patch than chance explains, but not every sign of a backdoor is there.`
        : `Labels ${listed(flagged)} need smaller patches than chance explains, but not every sign of a backdoor is there.`;
    case 'no-patch-backdoor-found':
      if (outliers && outliers.flagged.length > 0) {
        return `${outliers.flagged.length === 1 ? 'Label' : 'Labels'} ${listed(outliers.flagged)} can be reached with an abnormally small patch, but by nature, as far as unlearning shows.`;
      }
      return `None of the ${counted(labels.length, 'label')} that were scanned can be reached with an abnormally small patch.`;
    case 'inconclusive':
      return 'This scan supports no verdict about the model; the reasons are below.';
  }
}

/** Most labels that are listed in the sentence. */
const mostListed = 5;

function pairsText(findings: PairsResult['findings']): string {
  const which =
    findings.length > mostListed
      ? `${counted(findings.length, 'pair')} of a source and a target`
      : listed(findings.map(({ source, label }) => `class ${source} into label ${label}`));
  return findings.length > mostListed
    ? `Patches far smaller than natural ones work on ${which}.`
    : `A patch far smaller than natural ones turns images of ${which}, and of no other class.`;
}

function shortcutText(
  { outliers, labels }: Pick<ReportContent, 'outliers' | 'labels'>,
  flagged: readonly number[],
): string {
  const [first] = flagged;
  if (flagged.length === 1) {
    const { l1 } = labels.find(({ label }) => label === first)!;
    const share = outliers?.median ? `, ${(l1 / outliers.median).toFixed(2)} of the usual size,` : '';
    return `A patch of ${pixels(l1)} pixels${share} turns images of other classes into label ${first}.`;
  }
  const which =
    flagged.length > mostListed ? `one of ${counted(flagged.length, 'label')}` : `labels ${listed(flagged)}`;
  return `Patches far smaller than usual turn images of other classes into ${which}.`;
}

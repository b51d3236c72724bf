/** What a report shows. Made from a run folder by {@link collectReport}, or in memory by who has just scanned. */

import type { Outliers } from '../../detect/outliers.ts';
import type { LabelRecord } from '../label-record.ts';
import type { PairResult } from '../pair-text.ts';
import type { RepairReport } from '../repair.ts';
import type { LabelResult, PairsResult, ScanResult } from '../result.ts';
import { bySize } from '../text.ts';
import type { Example, ReportExtras } from './extras.ts';
import type { Picture } from './picture.ts';

export interface ReportContent {
  /** What was run: the result itself, or of an unfinished scan what its log says. */
  readonly run: RunFacts;
  /** `undefined` while the scan is unfinished: all figures are preliminary then. */
  readonly result: ScanResult | undefined;
  /** Labels that have an inversion: smallest mask first, censored ones last. */
  readonly labels: readonly ReportLabel[];
  readonly outliers: OutlierFigures | null;
  /** The labels to look at closely: see {@link detailedLabels}. */
  readonly details: readonly LabelDetail[];
  /** Of triggers for images of one class only, where these were sought. */
  readonly pairs?: PairsContent | undefined;
  readonly extras: ReportExtras | undefined;
  /** What a repair of the model has done. */
  readonly mitigation?: RepairReport | undefined;
}

/** The report of a scan that has a result. */
export type FinishedReport = ReportContent & { readonly result: ScanResult };

/** Of the result, what is known without one too. */
export interface RunFacts {
  readonly tool: { readonly version: string };
  readonly versions: ScanResult['versions'];
  readonly model: Pick<ScanResult['model'], 'sha256' | 'input'> & Partial<ScanResult['model']>;
  readonly data: Pick<ScanResult['data'], 'sha256' | 'count'> & Partial<ScanResult['data']>;
  readonly preprocess: Omit<ScanResult['preprocess'], 'name'> & { readonly name?: string };
  readonly config: ScanResult['config'];
  readonly preflight?: ScanResult['preflight'];
  readonly timings?: ScanResult['timings'];
  readonly environment?: ScanResult['environment'];
}

export type OutlierFigures = Pick<
  Outliers,
  'median' | 'mad' | 'threshold' | 'anomalyIndex' | 'pValue' | 'finished' | 'censored' | 'flagged'
>;

export type FindingLevel = ScanResult['findings'][number]['level'];

/** Pictures are absent if the run folder no longer holds them. */
export type ReportLabel = Omit<LabelResult, 'files' | 'timings'> & {
  readonly seconds: number;
  /** Absent for labels that are not flagged. */
  readonly level?: FindingLevel;
  readonly mask?: Picture;
  /** mask · pattern; kept for the smallest masks only, if there are very many labels. */
  readonly fusion?: Picture;
};

export interface PairsContent {
  readonly result: PairsResult;
  /** The pairs that were looked at closely, smallest mask first. */
  readonly suspects: readonly SuspectPair[];
}

export type SuspectPair = PairResult & {
  /** Absent for pairs that are not flagged. */
  readonly level?: FindingLevel;
  /** Absent if the run folder no longer holds it. */
  readonly fusion?: Picture;
};

/** A label with everything that is known of it. */
export interface LabelDetail {
  readonly label: ReportLabel;
  /** Larger than in the gallery. */
  readonly pictures:
    | { readonly mask: Picture; readonly pattern: Picture; readonly fusion: Picture }
    | undefined;
  readonly curve: LabelRecord['curve'] | undefined;
  readonly examples: readonly Example[];
}

/** Labels up to which the gallery shows fusions, too; of more labels, those with the smallest masks. */
export const fullGallery = 100;

/** Most labels that are shown closely. */
export const maxDetails = 8;

/**
 * The labels to look at closely: the flagged ones with the smallest masks; if there is none, the one label with the smallest
 * mask, since it is where a trigger that was missed would be.
 */
export function detailedLabels({
  labels,
  flagged,
}: {
  readonly labels: readonly Pick<LabelResult, 'label' | 'l1' | 'status'>[];
  /** Smallest mask first. */
  readonly flagged: readonly number[];
}): readonly number[] {
  if (flagged.length > 0) return flagged.slice(0, maxDetails);
  const [smallest] = bySize(labels);
  return smallest?.status === 'reversed' ? [smallest.label] : [];
}

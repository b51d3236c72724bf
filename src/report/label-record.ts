/** What the log of a run keeps of an inversion: one line of `labels.jsonl`. */

import { z } from 'zod';
import { betterInversion } from '../detect/better-inversion.ts';
import { type Inversion, statuses } from '../detect/inversion.ts';
import type { CurvePoint } from '../detect/label-run.ts';
import type { InversionSummary, OwnSummary } from '../detect/scan-work.ts';
import { triggerName } from '../detect/scan-work.ts';

const count = z.int().nonnegative();

/** Columns of equal length: one value a step of the schedule, to six digits. */
const curve = z.strictObject({
  step: z.array(count),
  /** Of the mini-batches, while the parameters moved. */
  asr: z.array(z.number()),
  /** What the loss weighs: L1 in pixels by default. */
  norm: z.array(z.number()),
  crossEntropy: z.array(z.number()),
  /** λ */
  cost: z.array(z.number()),
});

const labelRecord = z.strictObject({
  label: count,
  /** Of a pair: the class whose images the trigger is for. */
  source: count.exactOptional(),
  /** 0 for the first start, 1 for the second… */
  start: count,
  status: z.enum(statuses),
  /** Norm of the mask, in pixels. */
  l1: z.number().nonnegative(),
  /** Of the frozen trigger, on held-out images. */
  asr: z.number().min(0).max(1),
  /** Of the trigger that was to be unlearned. */
  residualAsr: z.number().min(0).max(1).optional(),
  /** By class: what the trigger of a pair does to it; see reach.ts. */
  reach: z.array(z.number().min(0).max(1).nullable()).optional(),
  /** What a further start has found within a window; see confined.ts. */
  confined: z
    .strictObject({
      l1: z.number().nonnegative(),
      asr: z.number().min(0).max(1),
      found: z.boolean(),
      area: count,
    })
    .optional(),
  /** Which of the starting points was followed. */
  probe: count,
  steps: count,
  gradientSteps: count,
  stopped: z.enum(['early-stop', 'steps']),
  /** Saved trigger, by names in the run folder; empty for a start that does not count. */
  files: z.array(z.string()),
  curve,
  timings: z.strictObject({ seconds: z.number(), runtimeMs: z.number() }),
});

export type LabelRecord = z.infer<typeof labelRecord>;

/** Of an inversion of the model itself. */
export type OwnRecord = LabelRecord & Pick<OwnSummary, 'status'>;

export const isOwnRecord = (record: LabelRecord): record is OwnRecord => record.status !== 'unlearned';

/** Of a label for images of all other classes, and not of a pair. */
const isOfLabel = ({ source }: LabelRecord): boolean => source === undefined;

/** @throws Error naming the field that is wrong */
export function parseLabelRecord(value: unknown): LabelRecord {
  const parsed = labelRecord.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new TypeError(`${issue?.path.join('.') || 'the line'}: ${issue?.message}`);
}

export function recordOf(inversion: Inversion, files: readonly string[]): LabelRecord {
  const {
    label,
    source,
    start,
    status,
    l1,
    asr,
    residualAsr,
    reach,
    confined,
    probe,
    steps,
    gradientSteps,
    stopped,
  } = inversion;
  const { seconds, runtimeMs } = inversion;
  return {
    label,
    ...(source !== undefined && { source }),
    ...{ start, status, l1, asr },
    ...(residualAsr !== undefined && { residualAsr }),
    ...(reach && { reach: [...reach] }),
    ...(confined && { confined: { ...confined } }),
    ...{ probe, steps, gradientSteps, stopped },
    files: [...files],
    curve: columnsOf(inversion.curve),
    timings: { seconds, runtimeMs },
  };
}

export function summaryOf({
  files: _files,
  curve: _curve,
  timings,
  residualAsr,
  reach,
  confined,
  ...figures
}: LabelRecord): InversionSummary {
  return {
    ...figures,
    ...(residualAsr !== undefined && { residualAsr }),
    ...(reach && { reach }),
    ...(confined && { confined }),
    ...timings,
  };
}

/** The record that counts for each label, by label in ascending order: of inversions of the model itself, without those of pairs. */
export const bestRecords = (records: Iterable<LabelRecord>): OwnRecord[] =>
  best([...records].filter(isOfLabel)).sort((a, b) => a.label - b.label);

/** The record that counts for each pair, in no order. */
export const bestPairRecords = (records: Iterable<LabelRecord>): OwnRecord[] =>
  best([...records].filter((record) => !isOfLabel(record)));

function best(records: readonly LabelRecord[]): OwnRecord[] {
  const found = new Map<string, OwnRecord>();
  for (const record of records.filter(isOwnRecord).sort((a, b) => a.start - b.start)) {
    const key = triggerName(record);
    const other = found.get(key);
    found.set(key, other ? betterInversion(other, record) : record);
  }
  return [...found.values()];
}

/**
 * The norms that may be compared with one another: the smallest of as many starts of each label as all labels have had, since a mask
 * that was sought more often is smaller for that alone.
 *
 * @returns by label, without what a screening stopped early
 */
export function comparableRecords(records: Iterable<LabelRecord>): OwnRecord[] {
  const own = [...records].filter(
    (record) => isOwnRecord(record) && isOfLabel(record) && record.status !== 'screened',
  );
  const startsOf = new Map<number, Set<number>>();
  for (const { label, start } of own) startsOf.set(label, (startsOf.get(label) ?? new Set()).add(start));
  const common = Math.min(...[...startsOf.values()].map((starts) => starts.size));
  return bestRecords(own.filter(({ start }) => start < common));
}

const columnsOf = (points: readonly CurvePoint[]): LabelRecord['curve'] => {
  const column = (name: Exclude<keyof CurvePoint, 'step'>): number[] =>
    points.map((point) => Number(point[name].toPrecision(6)));
  return {
    step: points.map((point) => point.step),
    asr: column('asr'),
    norm: column('norm'),
    crossEntropy: column('crossEntropy'),
    cost: column('cost'),
  };
};

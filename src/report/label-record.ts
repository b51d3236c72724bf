/** What the log of a run keeps of an inversion: one line of `labels.jsonl`. */

import { z } from 'zod';
import { betterInversion } from '../detect/better-inversion.ts';
import type { Inversion } from '../detect/invert.ts';
import type { CurvePoint } from '../detect/label-run.ts';
import type { InversionSummary } from '../detect/scan.ts';

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
  /** 0 for the first start, 1 for the second… */
  start: count,
  status: z.enum(['reversed', 'censored', 'screened']),
  /** Norm of the mask, in pixels. */
  l1: z.number().nonnegative(),
  /** Of the frozen trigger, on held-out images. */
  asr: z.number().min(0).max(1),
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

/** @throws Error naming the field that is wrong */
export function parseLabelRecord(value: unknown): LabelRecord {
  const parsed = labelRecord.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new TypeError(`${issue?.path.join('.') || 'the line'}: ${issue?.message}`);
}

export function recordOf(inversion: Inversion, files: readonly string[]): LabelRecord {
  const { label, start, status, l1, asr, probe, steps, gradientSteps, stopped, seconds, runtimeMs } =
    inversion;
  return {
    ...{ label, start, status, l1, asr, probe, steps, gradientSteps, stopped },
    files: [...files],
    curve: columnsOf(inversion.curve),
    timings: { seconds, runtimeMs },
  };
}

export function summaryOf({
  files: _files,
  curve: _curve,
  timings,
  ...figures
}: LabelRecord): InversionSummary {
  return { ...figures, ...timings };
}

/** The record that counts for each label, by label in ascending order. */
export function bestRecords(records: Iterable<LabelRecord>): LabelRecord[] {
  const best = new Map<number, LabelRecord>();
  for (const record of [...records].sort((a, b) => a.start - b.start)) {
    const other = best.get(record.label);
    best.set(record.label, other ? betterInversion(other, record) : record);
  }
  return [...best.values()].sort((a, b) => a.label - b.label);
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

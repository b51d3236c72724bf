/** What is known of a scan while it runs. */

import { betterInversion } from '../../src/detect/better-inversion.ts';
import type { InversionProgress } from '../../src/detect/inversion.ts';
import { findOutliers, type Outliers } from '../../src/detect/outliers.ts';
import type { FoundLabel, OwnLabel, ScanPlan } from './scan/protocol.ts';

/** A moment of an inversion. */
export interface LivePoint {
  readonly step: number;
  /** In pixels. */
  readonly l1: number;
  readonly asr: number;
}

export interface RunningLabel {
  readonly label: number;
  readonly start: number;
  /** The last one is now. The step falls where another starting point is tried. */
  readonly points: readonly LivePoint[];
  readonly mask: Float32Array | undefined;
}

export class LiveScan {
  readonly plan: ScanPlan;
  /** By label: of several starts the one with the smallest mask. */
  readonly best = new Map<number, OwnLabel>();
  readonly running = new Map<string, RunningLabel>();
  paused = false;
  concluding = false;
  /** Inversions that are finished, with those of earlier visits. */
  finished = 0;
  /** Those of this visit. */
  private finishedHere = 0;
  private known = true;
  private countedMs = 0;
  private since: number | undefined = performance.now();

  constructor(plan: ScanPlan) {
    this.plan = plan;
  }

  get total(): number {
    return Math.max(this.plan.inversions, this.finished);
  }

  note(progress: InversionProgress): void {
    const { label, start, step, l1, asr, mask } = progress;
    const before = this.running.get(keyOf(progress));
    const points = [...(before?.points ?? []), { step, l1, asr }];
    this.running.set(keyOf(progress), { label, start, points, mask });
    this.known = false;
  }

  found(found: FoundLabel): void {
    const { status } = found;
    if (status !== 'unlearned') {
      const other = this.best.get(found.label);
      const own: OwnLabel = { ...found, status };
      this.best.set(found.label, other ? betterInversion(other, own) : own);
    }
    this.running.delete(keyOf(found));
    this.finished++;
    // What comes before any progress was known from an earlier visit.
    if (!this.known) this.finishedHere++;
  }

  pause(): void {
    this.countedMs = this.elapsedMs;
    this.since = undefined;
    this.paused = true;
  }

  continue(): void {
    this.since = performance.now();
    this.paused = false;
  }

  conclude(): void {
    this.running.clear();
    this.concluding = true;
  }

  /** Of this visit, without pauses. */
  get elapsedMs(): number {
    return this.countedMs + (this.since === undefined ? 0 : performance.now() - this.since);
  }

  /** An estimate from what is finished; `undefined` before there is one. */
  get leftMs(): number | undefined {
    if (this.finishedHere === 0) return undefined;
    return (this.elapsedMs / this.finishedHere) * (this.total - this.finished);
  }

  /** Share of the work that is done, in [0, 1]. */
  get share(): number {
    const { updates } = this.plan;
    const partial = [...this.running.values()].reduce((sum, { points }) => {
      return sum + (updates === undefined ? 0 : Math.min(1, (points.length * updatesAPoint) / updates));
    }, 0);
    return Math.min(1, (this.finished + partial) / this.total);
  }

  /** Preliminary: every further label changes the median. Masks that were stopped early are too large to be compared. */
  get outliers(): Outliers {
    const finished = [...this.best.values()].filter(({ status }) => status !== 'screened');
    return findOutliers(
      finished.map(({ label, l1, status }) => ({
        label,
        l1,
        censored: status === 'censored',
      })),
    );
  }
}

/** Inversions report every so many updates. */
const updatesAPoint = 10;

const keyOf = ({ label, start }: { readonly label: number; readonly start: number }): string =>
  `${label}/${start}`;

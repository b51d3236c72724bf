/** A scan: every label inverted from each of its starts, outliers among the norms, a verdict. */

import type { ImageSet } from '../data/dataset.ts';
import { type ErrorCode, NeuralCleanseError } from '../errors.ts';
import type { Pool } from '../runtime/task.ts';
import { betterInversion } from './better-inversion.ts';
import type { Inversion, InversionProgress } from './invert.ts';
import { type InversionShared, invertTask } from './invert-task.ts';
import { findOutliers, type Outliers } from './outliers.ts';
import type { PreflightReport } from './preflight.ts';
import { splitSamples } from './split.ts';
import { type Conclusion, decideVerdict, type VerdictLevels } from './verdict.ts';

/** The figures of an inversion. */
export type InversionSummary = Omit<Inversion, 'trigger' | 'curve'>;

export interface ScanRequest {
  /** Labels to invert, in the order in which they start. */
  readonly labels: readonly number[];
  readonly seed: number;
  /** How often each label is inverted. */
  readonly starts: number;
  readonly preflight: PreflightReport;
  /** Height × width. */
  readonly pixels: number;
  readonly levels?: Partial<VerdictLevels>;
  /** Inversions of an interrupted run, which are not repeated. */
  readonly finished?: readonly InversionSummary[];
  readonly signal?: AbortSignal;
}

export interface ScanEvents {
  onProgress?(progress: InversionProgress): void;
  /**
   * Called once for each inversion as it finishes, in no fixed order; the scan does not count it before this has returned.
   * What it throws ends the scan.
   */
  onInversion?(inversion: Inversion): Promise<void> | void;
}

type LabelStart = Pick<Inversion, 'label' | 'start'>;

/** An inversion that could not be done, for a reason that need not concern other labels. */
export interface FailedInversion {
  readonly label: number;
  readonly start: number;
  readonly error: NeuralCleanseError;
}

/**
 * Triggers are handed to {@link ScanEvents.onInversion} only: those of thousands of labels need not fit into memory
 * together.
 */
export interface ScanOutcome {
  /** The inversion that counts for each label, by label: of several starts the one with the smallest mask. */
  readonly inversions: readonly InversionSummary[];
  /** All inversions, including starts that do not count. */
  readonly all: readonly InversionSummary[];
  /** By label and start. A label has no inversion if all its starts failed. */
  readonly failed: readonly FailedInversion[];
  readonly outliers: Outliers;
  readonly conclusion: Conclusion;
}

/**
 * Runs the inversions over a pool.
 *
 * The result depends on the request and the pool's shared values alone, not on order, threads or what was resumed.
 *
 * @throws NeuralCleanseError CANCELLED; what an inversion threw if it concerns the model, or if all labels failed; what
 *   `onInversion` threw. Inversions that run by then are stopped first.
 */
export async function scanLabels(
  pool: Pool<InversionShared>,
  request: ScanRequest,
  events: ScanEvents = {},
): Promise<ScanOutcome> {
  const done = new Map((request.finished ?? []).map((inversion) => [key(inversion), inversion]));
  const failed: FailedInversion[] = [];
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(request.signal ? [request.signal] : [])]);

  const run = async ({ label, start }: LabelStart): Promise<InversionSummary> => {
    const known = done.get(key({ label, start }));
    if (known) return known;
    const inversion = await pool.run(
      invertTask,
      { label, start, seed: request.seed },
      {
        name: `label ${label}`,
        signal,
        ...(events.onProgress && { onProgress: events.onProgress }),
      },
    );
    await events.onInversion?.(inversion);
    return summaryOf(inversion);
  };
  const attempt = async ({ label, start }: LabelStart): Promise<InversionSummary | undefined> => {
    try {
      return await run({ label, start });
    } catch (error) {
      if (concernsOneLabel(error)) failed.push({ label, start, error });
      else stop.abort(error);
      return undefined;
    }
  };
  /** Settles when all have, so that no inversion finishes unseen. */
  const runAll = async (inversions: readonly LabelStart[]): Promise<InversionSummary[]> => {
    const found = await Promise.all(inversions.map(attempt));
    stop.signal.throwIfAborted();
    return found.filter((inversion) => inversion !== undefined);
  };

  const starts = Array.from({ length: request.starts }, (_, start) => start);
  const all = await runAll(starts.flatMap((start) => request.labels.map((label) => ({ label, start }))));
  if (all.length === 0 && failed[0]) throw failed[0].error;
  const best = new Map<number, InversionSummary>();
  for (const inversion of all) {
    const other = best.get(inversion.label);
    best.set(inversion.label, other ? betterInversion(other, inversion) : inversion);
  }
  const inversions = [...best.values()].toSorted((a, b) => a.label - b.label);
  const outliers = findOutliers(
    inversions.map(({ label, l1, status }) => ({ label, l1, censored: status === 'censored' })),
  );
  const { chosen, problems } = request.preflight;
  const found = new Set(inversions.map(({ label }) => label));
  const conclusion = decideVerdict(
    {
      outliers,
      preflight: { accuracy: chosen.accuracy, problems },
      pixels: request.pixels,
      heldOutAsr: new Map(inversions.map(({ label, asr }) => [label, asr])),
      missing: request.labels.filter((label) => !found.has(label)).toSorted((a, b) => a - b),
    },
    request.levels,
  );
  return {
    inversions,
    all,
    failed: failed.toSorted((a, b) => a.label - b.label || a.start - b.start),
    outliers,
    conclusion,
  };
}

/**
 * Checks that every label has images of other classes to learn from and to be judged on.
 *
 * @throws NeuralCleanseError DATA_TOO_FEW
 */
export function checkSamples(images: ImageSet, labels: readonly number[], seed: number): void {
  const split = splitSamples(images, seed);
  const starved = labels.find((label) =>
    [split.train, split.heldOut].some((indices) => split.without(indices, label).length === 0),
  );
  if (starved === undefined) return;
  throw new NeuralCleanseError(
    'DATA_TOO_FEW',
    `Almost all of the ${images.count} images of ${images.source} show class ${starved}, and a trigger for label ${starved} is sought on the others.`,
    { hint: 'Give images of several classes.', data: { label: starved } },
  );
}

/** What goes wrong with one trigger, or in one process; anything else would go wrong with every label. */
const ofOneLabel: ReadonlySet<ErrorCode> = new Set(['LOGITS_NAN', 'RUNTIME_FAILED', 'WORKER_FAILED']);

const concernsOneLabel = (error: unknown): error is NeuralCleanseError =>
  error instanceof NeuralCleanseError && ofOneLabel.has(error.code);

const key = ({ label, start }: LabelStart): string => `${label}/${start}`;

function summaryOf({ trigger: _trigger, curve: _curve, ...figures }: Inversion): InversionSummary {
  return figures;
}

/** A scan: every label inverted from each of its starts, or screened first; outliers among the norms, a verdict. */

import type { ImageSet } from '../data/dataset.ts';
import { type ErrorCode, NeuralCleanseError } from '../errors.ts';
import type { Pool } from '../runtime/task.ts';
import { Checkpoints } from './checkpoints.ts';
import type { Inversion, InversionProgress } from './inversion.ts';
import { type InversionShared, invertTask } from './invert-task.ts';
import { type LabelsRequest, lookAtLabels } from './look-at-labels.ts';
import { nextEvidence } from './opinion.ts';
import type { Outliers } from './outliers.ts';
import type { PairConclusion } from './pair-verdict.ts';
import type { PairSearch, PairsFound, Sources } from './pairs.ts';
import type { PreflightReport } from './preflight.ts';
import {
  type InversionSummary,
  type OwnSummary,
  type RunAll,
  subjectName,
  type Work,
  workKey,
} from './scan-work.ts';
import type { UnlearnedMask } from './second-look.ts';
import { splitSamples } from './split.ts';
import { type Conclusion, decideVerdict, type VerdictLevels } from './verdict.ts';

export type { InversionSummary } from './scan-work.ts';

export interface ScanRequest extends LabelsRequest {
  /** Labels to invert, in the order in which they start. */
  readonly labels: readonly number[];
  /** Which pairs of a source and a target are scanned once the labels are; `null`: none. */
  readonly pairs?: (PairSearch & Sources) | null;
  readonly preflight: PreflightReport;
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

/** An inversion that could not be done, for a reason that need not concern other labels. */
export interface FailedInversion {
  readonly label: number;
  /** Of a pair. */
  readonly source?: number;
  readonly start: number;
  readonly error: NeuralCleanseError;
}

/**
 * Triggers are handed to {@link ScanEvents.onInversion} only: those of thousands of labels need not fit into memory
 * together.
 */
export interface ScanOutcome {
  /**
   * The inversion that counts for each label, by label: of several starts the one with the smallest mask. The norm of a screened
   * label is the estimate that the outlier test took.
   */
  readonly inversions: readonly OwnSummary[];
  /** Of the suspects of a second look, how large a mask they need once their trigger is unlearned. */
  readonly unlearned: readonly UnlearnedMask[];
  /** By label, of suspects that fit into a window: by what factor their mask is smaller there than those of other labels; see confined.ts. */
  readonly compactness: ReadonlyMap<number, number>;
  /** All inversions, including starts that do not count, the short runs of a screening, and those after unlearning. */
  readonly all: readonly InversionSummary[];
  /** By label and start. A label has no inversion if all its starts failed. */
  readonly failed: readonly FailedInversion[];
  readonly outliers: Outliers;
  /** Of the pairs, where these were scanned. */
  readonly pairs?: PairsFound & PairConclusion;
  /** With what the pairs say. */
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
  const done = new Map((request.finished ?? []).map((inversion) => [workKey(inversion), inversion]));
  const failed: FailedInversion[] = [];
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(request.signal ? [request.signal] : [])]);

  const checkpoints = new Checkpoints(!pool.isRemote);
  const run = async (work: Work): Promise<InversionSummary> => {
    const known = done.get(workKey(work));
    if (known) return known;
    const inversion = await pool.run(
      invertTask,
      { ...work, seed: request.seed, ...checkpoints.of(work) },
      {
        name: subjectName(work),
        signal,
        ...(events.onProgress && { onProgress: events.onProgress }),
      },
    );
    checkpoints.keep(inversion);
    await events.onInversion?.(inversion);
    return summaryOf(inversion);
  };
  const tryOnce = async (work: Work): Promise<InversionSummary | undefined> => {
    try {
      return await run(work);
    } catch (error) {
      if (concernsOneLabel(error) || isOpinionOnly(work, error)) {
        const { label, source, start } = work;
        failed.push({ label, ...(source !== undefined && { source }), start, error });
      } else stop.abort(error);
      return undefined;
    }
  };
  /** In the order in which they were asked for. What is asked for once more, as after an early look, is not made again. */
  const attempts = new Map<string, Promise<InversionSummary | undefined>>();
  const attempt = (work: Work): Promise<InversionSummary | undefined> => {
    const key = workKey(work);
    const made = attempts.get(key) ?? tryOnce(work);
    attempts.set(key, made);
    return made;
  };
  /** Settles when all have, so that no inversion finishes unseen. */
  const runAll: RunAll<InversionSummary> = async (work) => {
    const found = await Promise.all(work.map(attempt));
    stop.signal.throwIfAborted();
    return found.filter((inversion) => inversion !== undefined);
  };

  const { inversions, unlearned, compactness, outliers } = await lookAtLabels(runAll, request);
  if (inversions.length === 0 && failed[0]) throw failed[0].error;
  const { chosen, problems } = request.preflight;
  const found = new Set(inversions.map(({ label }) => label));
  const reached = inversions.filter(({ status }) => status !== 'censored');
  const scale = { median: outliers.median, pixels: request.pixels };
  const ofLabels = decideVerdict(
    {
      outliers,
      preflight: { accuracy: chosen.accuracy, problems },
      pixels: request.pixels,
      heldOutAsr: new Map(inversions.map(({ label, asr }) => [label, asr])),
      unlearned: new Map(
        unlearned.map(({ label, l1: after, residualAsr }) => [
          label,
          {
            before: inversions.find((inversion) => inversion.label === label)!.l1,
            after,
            residualAsr,
            compactness: compactness.get(label) ?? 1,
            next: nextEvidence(label, reached, scale, compactness),
          },
        ]),
      ),
      estimated: inversions.filter(({ status }) => status === 'screened').length,
      missing: request.labels.filter((label) => !found.has(label)).toSorted((a, b) => a - b),
    },
    request.levels,
  );
  // Loaded by scans of pairs only: the web app, which has none, stays small.
  const ofPairs = request.pairs && (await import('./pair-scan.ts'));
  const pairs = ofPairs && (await ofPairs.scanAndJudgePairs(runAll, request, request.pairs!, ofLabels));
  const all = await Promise.all(attempts.values());
  return {
    inversions,
    unlearned,
    compactness,
    all: all.filter((inversion) => inversion !== undefined),
    failed: failed.toSorted((a, b) => a.label - b.label || a.start - b.start),
    outliers,
    ...(pairs && { pairs }),
    conclusion: pairs ? ofPairs!.withPairs(ofLabels, pairs) : ofLabels,
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

/** A model that cannot be trained, say for quantised weights, is scanned without the opinion of unlearning. */
const isOpinionOnly = ({ stage }: Work, error: unknown): error is NeuralCleanseError =>
  stage === 'unlearned' && error instanceof NeuralCleanseError && error.code !== 'CANCELLED';

const concernsOneLabel = (error: unknown): error is NeuralCleanseError =>
  error instanceof NeuralCleanseError && ofOneLabel.has(error.code);

function summaryOf({
  trigger: _trigger,
  curve: _curve,
  checkpoint: _checkpoint,
  ...figures
}: Inversion): InversionSummary {
  return figures;
}

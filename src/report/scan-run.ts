/** A scan whose inversions are saved as they finish, wherever that is: from a preflight to a result. */

import type { TriggerArrays, TriggerImages, TriggerKey } from '../data/trigger-contents.ts';
import { betterInversion } from '../detect/better-inversion.ts';
import { finishSteps, laterSteps } from '../detect/budget.ts';
import type { Inversion, InversionProgress } from '../detect/inversion.ts';
import type { InversionShared } from '../detect/invert-task.ts';
import { pairsOf } from '../detect/pairs.ts';
import type { PreflightReport } from '../detect/preflight.ts';
import { type ScanRequest, scanLabels } from '../detect/scan.ts';
import { triggerName } from '../detect/scan-work.ts';
import { splitSamples } from '../detect/split.ts';
import { preflightObstacles } from '../detect/verdict.ts';
import { Queue } from '../runtime/queue.ts';
import type { Pool } from '../runtime/task.ts';
import { renderTrigger } from '../triggers/render.ts';
import { buildResult, buildStoppedResult, type RunInputs } from './build-result.ts';
import {
  bestPairRecords,
  bestRecords,
  isOwnRecord,
  type LabelRecord,
  recordOf,
  summaryOf,
} from './label-record.ts';
import type { ScanResult } from './result.ts';

/** Where a run is saved. */
export interface RunStore {
  /** Inversions that were logged before this scan began. */
  readonly entries: readonly LabelRecord[];
  /** Names of the files that were there then. */
  readonly files: ReadonlySet<string>;
  /** Saves a trigger in place of an older one of the same label and source. @returns the names of its files */
  saveTrigger(key: TriggerKey, images: TriggerImages, arrays: TriggerArrays): Promise<string[]>;
  /** Logs a finished inversion. */
  append(record: LabelRecord): Promise<void>;
}

export interface ScanRun {
  readonly inputs: RunInputs;
  readonly preflight: PreflightReport;
  readonly store: RunStore;
  /** Begin with this label. */
  readonly firstLabel?: number | undefined;
  readonly startedAt: Date;
  readonly environment: ScanResult['environment'];
  readonly signal?: AbortSignal;
}

export interface ScanRunEvents {
  onProgress?(progress: InversionProgress): void;
  /** Called once an inversion is saved. */
  onSaved?(inversion: Inversion, record: LabelRecord): void;
}

/** Logged inversions whose files are all there: these are not repeated. */
export const finishedRecords = ({ entries, files }: Pick<RunStore, 'entries' | 'files'>): LabelRecord[] =>
  entries.filter((record) => record.files.every((name) => files.has(name)));

/** The inversions that all labels have in common. */
export const sharedOf = (
  { classifier, images, settings, seed }: RunInputs,
  { chosen }: PreflightReport,
): InversionShared => ({ classifier, images, preprocess: chosen.preprocess, settings, seed });

/** The pairs to scan, and the classes that can be their sources; `null` if none are to be scanned. */
async function pairSearchOf({
  settings: { pairs },
  images,
  seed,
  classifier,
}: RunInputs): Promise<NonNullable<ScanRequest['pairs']> | null> {
  if (!pairs) return null;
  // Only here: the web app, which scans none, stays small.
  const { sourcesOf } = await import('../detect/pair-sources.ts');
  return { ...pairs, ...sourcesOf(images, splitSamples(images, seed), classifier.classes) };
}

/** The result where the preflight has left nothing to scan for, else `undefined`. */
export function stoppedByPreflight(run: ScanRun): ScanResult | undefined {
  const { chosen, problems } = run.preflight;
  const obstacles = preflightObstacles({ accuracy: chosen.accuracy, problems });
  if (obstacles.length === 0) return undefined;
  return buildStoppedResult(run.inputs, run.preflight, obstacles, circumstances(run, 0));
}

/**
 * Inverts what is not finished, and concludes.
 *
 * @param pool shares what {@link sharedOf} returns; stays open
 * @throws NeuralCleanseError as {@link scanLabels}, and what the store throws. Finished inversions are kept.
 */
export async function runInversions(
  pool: Pool<InversionShared>,
  run: ScanRun,
  events: ScanRunEvents = {},
): Promise<ScanResult> {
  const { inputs, preflight, store } = run;
  const known = finishedRecords(store);
  const best = new Map(
    [...bestRecords(known), ...bestPairRecords(known)].map((record) => [triggerName(record), record]),
  );

  // One at a time: of two starts of a label, the second to be saved must know of the first.
  const saves = new Queue();
  const save = async (inversion: Inversion): Promise<void> => {
    const { label, source, status, trigger } = inversion;
    const other = best.get(triggerName(inversion));
    // There are too many pairs to keep what a short run has left.
    const isKept = status !== 'unlearned' && (source === undefined || status !== 'screened');
    const counts =
      isKept && (other === undefined || betterInversion<LabelFigures>(other, inversion) === inversion);
    const files = counts ? await store.saveTrigger({ label, source }, renderTrigger(trigger), trigger) : [];
    const record = recordOf(inversion, files);
    await store.append(record);
    if (counts && isOwnRecord(record)) best.set(triggerName(record), record);
    events.onSaved?.(inversion, record);
  };

  const pairs = await pairSearchOf(inputs);
  const extent = {
    labels: inputs.labels.length,
    ...(pairs && { pairs: pairsOf(pairs.sources, inputs.labels).length }),
  };
  const outcome = await scanLabels(
    pool,
    {
      labels: startingWith(run.firstLabel, inputs.labels),
      seed: inputs.seed,
      starts: inputs.settings.starts,
      screening: inputs.settings.screening,
      secondLook: inputs.settings.secondLook,
      pairs,
      ...(inputs.budget !== undefined && {
        budget: inputs.budget - laterSteps(inputs.settings, extent),
        finishSteps: finishSteps(inputs.settings),
      }),
      preflight,
      pixels: inputs.classifier.input.height * inputs.classifier.input.width,
      finished: known.map(summaryOf),
      ...(run.signal && { signal: run.signal }),
    },
    {
      onProgress: (progress) => events.onProgress?.(progress),
      onInversion: (inversion) => saves.run(() => save(inversion)),
    },
  );
  const files = new Map([...best].map(([name, record]) => [name, record.files]));
  return buildResult(inputs, preflight, outcome, files, circumstances(run, known.length));
}

type LabelFigures = Pick<Inversion, 'status' | 'l1'>;

const startingWith = (first: number | undefined, labels: readonly number[]): number[] =>
  first === undefined ? [...labels] : [first, ...labels.filter((label) => label !== first)];

const circumstances = ({ startedAt, environment }: ScanRun, resumed: number) => ({
  timings: {
    startedAt: startedAt.toISOString(),
    seconds: (Date.now() - startedAt.getTime()) / 1000,
    resumed,
  },
  environment,
});

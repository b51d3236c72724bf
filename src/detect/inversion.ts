/** What an inversion is asked for, and what it finds. */

import type { Trigger } from '../triggers/trigger.ts';
import type { ConfinedMask } from './confined.ts';
import type { Checkpoint, CurvePoint } from './label-run.ts';
import type { Reach } from './reach.ts';
import type { StopReason } from './schedule.ts';
import type { SecondLook } from './second-look.ts';

export const stages = ['screen', 'finish', 'whole', 'confined', 'unlearned'] as const;
/** Of inversions of the model itself; one that has unlearned a trigger is another. */
export const ownStatuses = ['reversed', 'censored', 'screened'] as const;
export const statuses = [...ownStatuses, 'unlearned'] as const;

/** What the inversion of one label found. */
export interface Inversion {
  readonly label: number;
  /** Of a pair: the class whose images the trigger is for; see pairs.ts. Absent for a trigger for images of all other classes. */
  readonly source?: number;
  readonly start: number;
  /**
   * `reversed`: `trigger` passed the ASR threshold. `censored`: nothing did, and `trigger` is the last state, whose norm
   * means nothing. `screened`: stopped early, and `trigger` is as it stood then. `unlearned`: found after the model had unlearned
   * the trigger of this label and start; see unlearned.ts.
   */
  readonly status: (typeof statuses)[number];
  readonly trigger: Trigger;
  /** Norm of the mask, in pixels; of a screened label the mean of its last steps. */
  readonly l1: number;
  /**
   * Share of the held-out images of other classes (of a pair: of the source) that the frozen trigger turns into the label; of a screened label the share
   * of its last mini-batches.
   */
  readonly asr: number;
  /** Of an `unlearned` inversion: ASR that the trigger which was to be unlearned has when it is made more
   * opaque, on the held-out images. */
  readonly residualAsr?: number;
  /** Of a pair, at its end: what its trigger does to each class; of an `unlearned` inversion, what the one that was to be unlearned does. */
  readonly reach?: Reach;
  /** Of a `confined` inversion: what it has found within a window. */
  readonly confined?: ConfinedMask;
  /** Of a `screened` inversion: what its end goes on from. */
  readonly checkpoint?: Checkpoint;
  /** Which of the starting points was followed. */
  readonly probe: number;
  /** Steps of the schedule, from the starting point that was followed to the end. */
  readonly steps: number;
  /** Mini-batches with an update, of all starting points. */
  readonly gradientSteps: number;
  readonly stopped: StopReason;
  readonly curve: readonly CurvePoint[];
  readonly seconds: number;
  /** Milliseconds inside ONNX Runtime. */
  readonly runtimeMs: number;
}

export interface InversionProgress {
  readonly label: number;
  readonly source?: number;
  readonly start: number;
  readonly step: number;
  readonly l1: number;
  readonly asr: number;
  /** [H·W] in [0, 1], as it stands; only where it was asked for. */
  readonly mask?: Float32Array;
}

/** @param trigger makes the trigger as it stands */
export type InversionReporter = (progress: InversionProgress, trigger: () => Trigger) => void;

export interface InvertRequest {
  readonly label: number;
  /** Seek a trigger for images of this class only. @default images of all other classes */
  readonly source?: number;
  /** @default 0 */
  readonly start?: number;
  readonly seed: number;
  /**
   * `screen`: the short run of a screening; `finish`: to the end, from the starting point that did best in it; `confined`: to the end,
   * and on within a window, see confined.ts; the smaller trigger counts; `unlearned`: on the model after it has unlearned what the whole
   * inversion finds, or the confined one where {@link confines} says so.
   *
   * @default 'whole'
   */
  readonly stage?: Stage;
  /** That starting point. */
  readonly probe?: number;
  /** Of a `screen`: hand on where it stands. @default false */
  readonly handsOn?: boolean;
  /** Of a `finish`: the steps of its short run are not its own. @default false */
  readonly goesOn?: boolean;
  /** What to go on from; without it the steps of the short run are made again, with the same result. */
  readonly checkpoint?: Checkpoint;
}

export type Stage = (typeof stages)[number];

/** What a trigger is for. */
export type LabelOfSource = Pick<InvertRequest, 'label' | 'source'>;

/**
 * Whether a request goes on within a window. All further starts of a label do, so that what is unlearned is what they have found; those of
 * pairs do not.
 */
export const confines = ({ source, start = 0, stage }: InvertRequest): boolean =>
  stage === 'confined' || (stage === 'unlearned' && start > 0 && source === undefined);

/**
 * Whether a request begins with a tour of windows (tour.ts) in place of an inversion of the whole image: those do that come after the usual
 * further starts.
 */
export const tours = (request: InvertRequest, secondLook: Pick<SecondLook, 'starts'> | null): boolean =>
  secondLook !== null && confines(request) && (request.start ?? 0) > secondLook.starts;

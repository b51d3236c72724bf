/** What one inversion request begins: its runs, how far they are followed, and what they cost. */

import type { Classifier } from '../model/classifier.ts';
import { throwIfCancelled } from '../runtime/task.ts';
import type { ConfinedMask } from './confined.ts';
import type { InversionReporter, LabelOfSource } from './inversion.ts';
import { LabelRun, type LabelRunOptions } from './label-run.ts';
import { confinedSteps, type InversionSettings, withSteps } from './presets.ts';
import type { Judged, TriggerJudge } from './trigger-judge.ts';

export interface AttemptOptions {
  readonly classifier: Classifier;
  readonly pair: LabelOfSource;
  readonly start: number;
  readonly seed: number;
  readonly settings: InversionSettings;
  /** Indices of the images to learn from. */
  readonly images: readonly number[];
  readonly judge: TriggerJudge;
  /** One update of a trigger. */
  readonly step: (run: LabelRun) => Promise<void>;
  readonly signal: AbortSignal;
  readonly report: InversionReporter;
}

/** What an inversion ends with. */
export interface Ended {
  /** The run that was followed. */
  readonly run: LabelRun;
  readonly outcome: Judged;
  /** Of one that was confined. */
  readonly confined?: ConfinedMask;
}

/** Progress is reported every so many updates. */
const reportEvery = 10;

export class Attempt {
  /** Milliseconds inside ONNX Runtime. */
  runtimeMs = 0;
  readonly options: AttemptOptions;
  private readonly runs = new Set<LabelRun>();

  constructor(options: AttemptOptions) {
    this.options = options;
  }

  /** Mini-batches with an update, of all runs. */
  get gradientSteps(): number {
    return [...this.runs].reduce((sum, { updates }) => sum + updates, 0);
  }

  /** @param start of the random stream */
  open(start: number, within?: LabelRunOptions['within'], settings = this.options.settings): LabelRun {
    const { classifier, pair, seed, images } = this.options;
    return new LabelRun(classifier, { ...pair, start, seed, settings, images, ...(within && { within }) });
  }

  /** Goes on from a trigger in a window, to the end. */
  async finishWithin(within: Required<NonNullable<LabelRunOptions['within']>>): Promise<Ended> {
    const { start, settings } = this.options;
    const run = this.open(start, within, withSteps(settings, confinedSteps(settings)));
    const outcome = await this.finish(run);
    const { l1, asr, status } = outcome;
    return {
      run,
      outcome,
      confined: { l1, asr, found: status === 'reversed', area: within.window.edge ** 2 },
    };
  }

  /**
   * Brings a run to a step, or to its end.
   *
   * @throws NeuralCleanseError LOGITS_NAN, CANCELLED, RUNTIME_FAILED
   */
  async follow(run: LabelRun, until = Number.POSITIVE_INFINITY): Promise<void> {
    const { pair, start, step, signal, report } = this.options;
    this.runs.add(run);
    while (!run.done && run.course.step < until) {
      throwIfCancelled(signal);
      await this.timed(() => step(run));
      const last = run.curve.at(-1);
      if (last && run.updates % reportEvery === 0) {
        report({ ...pair, start, step: run.course.step, l1: last.norm, asr: last.asr }, () => run.trigger());
      }
    }
  }

  /** Brings a run to its end and chooses its trigger. */
  async finish(run: LabelRun): Promise<Judged> {
    await this.follow(run);
    return this.timed(() => this.options.judge.judge(run, this.options.pair));
  }

  private async timed<T>(work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const done = await work();
    this.runtimeMs += performance.now() - began;
    return done;
  }
}

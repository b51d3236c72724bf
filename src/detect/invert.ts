/** Reverse-engineers, for one label after the other, the smallest trigger that makes a classifier answer that label. */

import { toBatch } from '../data/batch.ts';
import type { ImageSet } from '../data/dataset.ts';
import type { Preprocess } from '../data/preprocess.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { Classifier } from '../model/classifier.ts';
import { float32 } from '../onnx/tensor.ts';
import type { Runtime, Session, SessionOptions } from '../runtime/session.ts';
import { throwIfCancelled } from '../runtime/task.ts';
import { l1Norm, strengthen, type Trigger } from '../triggers/trigger.ts';
import { wilsonInterval } from '../wilson.ts';
import { betterInversion } from './better-inversion.ts';
import { type ConfinedMask, densestWindow, windowEdge } from './confined.ts';
import {
  confines,
  type Inversion,
  type InversionReporter,
  type InvertRequest,
  type LabelOfSource,
  type Stage,
} from './inversion.ts';
import { openInversion, parameterDims, updatedName } from './inversion-graph.ts';
import { LabelRun, stateNames } from './label-run.ts';
import { Predictor } from './predictor.ts';
import { confinedSteps, type InversionSettings, withSteps } from './presets.ts';
import { ReachMeter } from './reach.ts';
import type { SampleSplit } from './split.ts';

/** After a mask that failed, the next to be tried is larger by this factor at least. */
const worthTrying = 0.97;

/** How much more opaque a mask is made that almost passes, step by step. */
const strengths = [1.1, 1.25, 1.5, 2];

/** Mean over the last steps, of which one alone has noise. */
function recent({ curve }: LabelRun, what: 'norm' | 'asr'): number {
  const last = curve.slice(-6);
  return last.reduce((sum, point) => sum + point[what], 0) / last.length;
}

/** Those of a stage of a screening, whose starting points may be fewer or shorter. */
function settingsOf(settings: InversionSettings, stage: Stage): InversionSettings {
  const { screening } = settings;
  if ((stage !== 'screen' && stage !== 'finish') || screening === null) return settings;
  return { ...settings, probes: { count: screening.probes, steps: screening.steps } };
}

/** What one run of steps ends with. */
type Found = Pick<Inversion, 'status' | 'trigger' | 'l1' | 'asr'>;

/** That the trigger of a pair is tried on, to see which pairs deserve a closer look. */
const imagesOfClass = 20;

/** Progress is reported every so many updates. */
const reportEvery = 10;

/** Opens the sessions once and inverts any number of labels with them. */
export class Inverter {
  private readonly session: Session;
  private readonly predictor: Predictor;
  private readonly classifier: Classifier;
  private readonly settings: InversionSettings;
  private readonly images: ImageSet;
  private readonly split: SampleSplit;
  private meter: ReachMeter | undefined;

  private constructor(
    session: Session,
    predictor: Predictor,
    options: Pick<InverterOptions, 'classifier' | 'settings' | 'images' | 'split'>,
  ) {
    this.session = session;
    this.predictor = predictor;
    this.classifier = options.classifier;
    this.settings = options.settings;
    this.images = options.images;
    this.split = options.split;
  }

  static async open(runtime: Runtime, options: InverterOptions): Promise<Inverter> {
    const { classifier, preprocess, settings, session = {} } = options;
    const graphOptions = { ...settings, preprocess, labels: 1 };
    const step = await openInversion(runtime, classifier, graphOptions, session);
    try {
      return new Inverter(step, await Predictor.open(runtime, classifier, preprocess, session), options);
    } catch (error) {
      await step.release();
      throw error;
    }
  }

  /**
   * Inverts one label. The result depends on the request, the samples and the settings alone.
   *
   * @throws NeuralCleanseError LOGITS_NAN, CANCELLED, RUNTIME_FAILED
   */
  async invert(
    request: InvertRequest,
    signal: AbortSignal,
    report: InversionReporter = () => {},
  ): Promise<Inversion> {
    const began = performance.now();
    const { label, source, start = 0, seed, stage = 'whole' } = request;
    const settings = settingsOf(this.settings, stage);
    const images =
      source !== undefined
        ? this.split.showing(this.split.train, source)
        : settings.excludeTarget
          ? this.split.without(this.split.train, label)
          : this.split.train;
    const pair = { label, ...(source !== undefined && { source }) };
    const { count, steps } = settings.probes;
    const probes = request.probe === undefined ? Array.from({ length: count }, (_, i) => i) : [request.probe];
    const runs = probes.map((probe) => {
      return new LabelRun(this.classifier, { ...pair, start: start * count + probe, seed, settings, images });
    });
    let runtimeMs = 0;
    const follow = async (run: LabelRun, until: number): Promise<void> => {
      while (!run.done && run.course.step < until) {
        throwIfCancelled(signal);
        const stepBegan = performance.now();
        await this.step(run);
        runtimeMs += performance.now() - stepBegan;
        const last = run.curve.at(-1);
        if (last && run.updates % reportEvery === 0) {
          report({ ...pair, start, step: run.course.step, l1: last.norm, asr: last.asr }, () =>
            run.trigger(),
          );
        }
      }
    };
    const finish = async (run: LabelRun): Promise<Found> => {
      await follow(run, Number.POSITIVE_INFINITY);
      const judgeBegan = performance.now();
      const judged = await this.judge(run, pair);
      runtimeMs += performance.now() - judgeBegan;
      return { ...judged, l1: l1Norm(judged.trigger) };
    };
    for (const run of runs) await follow(run, steps);
    const run = runs.reduce((a, b) => (recent(b, 'norm') < recent(a, 'norm') ? b : a));
    let outcome: Found;
    if (stage === 'screen') {
      outcome = {
        status: 'screened',
        trigger: run.trigger(),
        l1: recent(run, 'norm'),
        asr: recent(run, 'asr'),
      };
    } else {
      outcome = await finish(run);
    }
    const reach =
      source !== undefined && stage === 'finish'
        ? await this.reaches().reachOf({ ...outcome, label, source })
        : undefined;
    const within = confines(request) ? this.startWithin(outcome.trigger, request, images) : undefined;
    let confined: ConfinedMask | undefined;
    if (within) {
      const smaller = await finish(within.run);
      const { l1, asr, status } = smaller;
      confined = { l1, asr, found: status === 'reversed', area: within.edge ** 2 };
      outcome = betterInversion(outcome, smaller);
    }
    return {
      ...pair,
      start,
      ...outcome,
      ...(reach && { reach }),
      ...(confined && { confined }),
      probe: probes[runs.indexOf(run)]!,
      steps: run.course.step,
      gradientSteps: [...runs, ...(within ? [within.run] : [])].reduce(
        (sum, { updates }) => sum + updates,
        0,
      ),
      stopped: run.course.stopped ?? 'steps',
      curve: run.curve,
      seconds: (performance.now() - began) / 1000,
      runtimeMs,
    };
  }

  private reaches(): ReachMeter {
    const { predictor, images, split, classifier } = this;
    this.meter ??= new ReachMeter(predictor, images, split, classifier.classes, imagesOfClass);
    return this.meter;
  }

  /** Goes on from a trigger, in the window where most of its mask lies. Masks of super-pixels are not confined. */
  private startWithin(
    trigger: Trigger,
    { label, start = 0, seed }: InvertRequest,
    images: readonly number[],
  ): { readonly run: LabelRun; readonly edge: number } | undefined {
    const { secondLook, upsample } = this.settings;
    if (!secondLook || upsample !== 1) return undefined;
    const { height, width } = this.classifier.input;
    const window = densestWindow(trigger.mask, windowEdge(height, width));
    const settings = withSteps(this.settings, confinedSteps(this.settings, secondLook));
    const from = { trigger, window };
    const run = new LabelRun(this.classifier, { label, start, seed, settings, images, from });
    return { run, edge: window.edge };
  }

  /**
   * Chooses among the triggers that were kept. `moving`: the last, the smallest that passed while it moved. `frozen`: the
   * smallest that passes on held-out images; of those of much the same size only one is tried. If none does, the last one is made
   * more opaque until it does; its norm is then more than is needed, never less. If that fails too, the last state stands for a
   * censored label.
   */
  private async judge(
    run: LabelRun,
    pair: LabelOfSource,
  ): Promise<Pick<Inversion, 'status' | 'trigger' | 'asr'>> {
    const heldOut = this.heldOut(pair);
    const asrOf = (trigger: Trigger): Promise<number> => this.asrOf(trigger, pair);
    if (this.settings.judge === 'moving') {
      const trigger = run.kept.at(-1);
      if (trigger) return { status: 'reversed', trigger, asr: await asrOf(trigger) };
    } else {
      const passes = (asr: number): boolean =>
        wilsonInterval(asr, heldOut.length, 1).high >= run.course.attackSuccThreshold;
      const last = run.trigger();
      for (const candidates of [run.kept, strengths.map((factor) => strengthen(last, factor))]) {
        let tried = 0;
        for (const trigger of candidates.toSorted((a, b) => l1Norm(a) - l1Norm(b))) {
          if (l1Norm(trigger) * worthTrying < tried) continue;
          tried = l1Norm(trigger);
          const asr = await this.predictor.passingRate(this.images, heldOut, trigger, pair.label, passes);
          if (asr !== undefined) return { status: 'reversed', trigger, asr };
        }
      }
    }
    const trigger = run.trigger();
    return { status: 'censored', trigger, asr: await asrOf(trigger) };
  }

  /** ASR of a frozen trigger on the held-out images that it is for. */
  asrOf(trigger: Trigger, pair: LabelOfSource): Promise<number> {
    return this.predictor.attackSuccessRate(this.images, this.heldOut(pair), trigger, pair.label);
  }

  /** Held-out images that a trigger is for: of the source, or of all classes but the target. */
  private heldOut({ label, source }: LabelOfSource): number[] {
    const { split } = this;
    return source === undefined ? split.without(split.heldOut, label) : split.showing(split.heldOut, source);
  }

  /** One update of the trigger. */
  private async step(run: LabelRun): Promise<void> {
    const { classes } = this.classifier;
    const dims = parameterDims(this.classifier, this.settings.upsample);
    const batch = toBatch(this.images, run.nextBatch(), 'NCHW');
    const target = new Float32Array(classes);
    target[run.label] = 1;
    const feeds = {
      images: { ...batch, dims: [1, ...batch.dims] },
      targets: float32([1, 1, classes], target),
      cost: float32([1], [run.cost]),
      rate: float32([1], [run.rate]),
      ...Object.fromEntries(
        stateNames.map((name) => [
          name,
          float32([1, ...(name.endsWith('mask') ? dims.mask : dims.pattern)], run.state.get(name)!),
        ]),
      ),
    };
    const results = await this.session.run(feeds);
    const scalar = (name: string): number => (results[name]!.data as Float32Array)[0]!;
    const crossEntropy = scalar('cross_entropy');
    if (!Number.isFinite(crossEntropy)) {
      throw new NeuralCleanseError(
        'LOGITS_NAN',
        `The loss of label ${run.label} became ${crossEntropy} after ${run.updates} updates.`,
        {
          hint: 'The model overflows on stamped images; check its preprocessing with --preprocess, or the model itself.',
        },
      );
    }
    for (const name of stateNames) run.state.set(name, results[updatedName(name)]!.data as Float32Array);
    run.record({ asr: scalar('asr'), norm: scalar('norm'), crossEntropy });
  }

  async release(): Promise<void> {
    await this.session.release();
    await this.predictor.release();
  }
}

export interface InverterOptions {
  readonly classifier: Classifier;
  readonly preprocess: Preprocess;
  readonly settings: InversionSettings;
  readonly images: ImageSet;
  readonly split: SampleSplit;
  readonly session?: SessionOptions;
}

/** Reverse-engineers, for one label after the other, the smallest trigger that makes a classifier answer that label. */

import { toBatch } from '../data/batch.ts';
import type { ImageSet } from '../data/dataset.ts';
import type { Preprocess } from '../data/preprocess.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { Classifier } from '../model/classifier.ts';
import { float32 } from '../onnx/tensor.ts';
import type { Runtime, Session, SessionOptions } from '../runtime/session.ts';
import type { Trigger } from '../triggers/trigger.ts';
import { Attempt } from './attempt.ts';
import {
  confines,
  type Inversion,
  type InversionReporter,
  type InvertRequest,
  type LabelOfSource,
  type Stage,
  tours,
} from './inversion.ts';
import { openInversion, parameterDims, updatedName } from './inversion-graph.ts';
import { type LabelRun, stateNames } from './label-run.ts';
import { Predictor } from './predictor.ts';
import { type InversionSettings, stepsOf } from './presets.ts';
import type { SampleSplit } from './split.ts';
import { type Followed, followBest } from './starting-points.ts';
import { tourWindows } from './tour.ts';
import { TriggerJudge } from './trigger-judge.ts';

/** Those of a stage of a screening, whose starting points may be fewer or shorter. */
function settingsOf(settings: InversionSettings, stage: Stage): InversionSettings {
  const { screening } = settings;
  if ((stage !== 'screen' && stage !== 'finish') || screening === null) return settings;
  return { ...settings, probes: { count: screening.probes, steps: screening.steps } };
}

/** Gradient steps of a short run that its end does not make again. */
const shortSteps = (settings: InversionSettings): number =>
  settings.miniBatches * Math.min(settings.probes.steps, stepsOf(settings));

/** Opens the sessions once and inverts any number of labels with them. */
export class Inverter {
  private readonly session: Session;
  private readonly predictor: Predictor;
  private readonly judge: TriggerJudge;
  private readonly classifier: Classifier;
  private readonly settings: InversionSettings;
  private readonly images: ImageSet;
  private readonly split: SampleSplit;

  private constructor(
    session: Session,
    predictor: Predictor,
    options: Pick<InverterOptions, 'classifier' | 'settings' | 'images' | 'split'>,
  ) {
    this.session = session;
    this.predictor = predictor;
    this.judge = new TriggerJudge(predictor, options);
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
    const attempt = new Attempt({
      ...{ pair, start, seed, settings, images, signal, report },
      classifier: this.classifier,
      judge: this.judge,
      step: (run) => this.step(run),
    });
    // Masks of super-pixels are not confined.
    const within = settings.secondLook !== null && settings.upsample === 1 && confines(request);
    const ended: Followed =
      within && tours(request, settings.secondLook)
        ? { probe: 0, ...(await tourWindows(attempt)) }
        : await followBest(attempt, request, within);
    const { run, outcome, confined, probe, checkpoint } = ended;
    const reach =
      source !== undefined && stage === 'finish'
        ? await this.judge.reachOf(outcome, label, source)
        : undefined;
    return {
      ...pair,
      start,
      ...outcome,
      ...(reach && { reach }),
      ...(confined && { confined }),
      ...(checkpoint && { checkpoint }),
      probe,
      steps: run.course.step,
      gradientSteps: attempt.gradientSteps - (request.goesOn ? shortSteps(settings) : 0),
      stopped: run.course.stopped ?? 'steps',
      curve: run.curve,
      seconds: (performance.now() - began) / 1000,
      runtimeMs: attempt.runtimeMs,
    };
  }

  /** ASR of a frozen trigger on the held-out images that it is for. */
  asrOf(trigger: Trigger, pair: LabelOfSource): Promise<number> {
    return this.judge.asrOf(trigger, pair);
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

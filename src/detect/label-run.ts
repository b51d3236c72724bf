/** The state of one label's inversion between steps. */

import type { Classifier } from '../model/classifier.ts';
import { float32, sizeOf } from '../onnx/tensor.ts';
import { type RandomStream, randomStream } from '../random.ts';
import type { Trigger } from '../triggers/trigger.ts';
import { confine, type Window } from './confined.ts';
import { type Course, openCourse } from './course.ts';
import {
  momentName,
  type Parameter,
  parameterDims,
  parameterName,
  parameters,
  tanhMargin,
  updatedName,
} from './inversion-graph.ts';
import { channelsFirst, triggerFromPlanes } from './predictor.ts';
import type { InversionSettings } from './presets.ts';

/** One step as the report draws it. */
export interface CurvePoint {
  readonly step: number;
  /** Of the mini-batches, while the parameters moved. */
  readonly asr: number;
  /** Norm that the loss weighs: L1 in pixels by default. */
  readonly norm: number;
  readonly crossEntropy: number;
  /** λ */
  readonly cost: number;
}

export interface LabelRunOptions {
  readonly label: number;
  /** 0 for the first start, 1 for the second… */
  readonly start: number;
  /** The class that all images show, if they do. */
  readonly source?: number | undefined;
  readonly seed: number;
  readonly settings: InversionSettings;
  /** Indices of the images it may learn from. */
  readonly images: readonly number[];
  /** The mask is to stay within a window, and begins with that of the trigger, or half opaque. @default the whole image, at random */
  readonly within?: { readonly window: Window; readonly trigger?: Trigger };
}

/** Values of one lane of the step graph, by input name. */
export type LaneState = Map<string, Float32Array>;

/** What a run goes on from: in another process, too. */
export interface Checkpoint {
  readonly state: ReadonlyMap<string, Float32Array>;
  readonly curve: readonly CurvePoint[];
}

export class LabelRun {
  readonly label: number;
  readonly start: number;
  /** Parameters and Adam moments. */
  readonly state: LaneState = new Map();
  readonly curve: CurvePoint[] = [];
  /** Triggers of which the best is yet to be found, oldest first. */
  readonly kept: Trigger[] = [];
  readonly course: Course;
  /** Updates made so far. */
  updates = 0;
  private readonly settings: InversionSettings;
  private readonly random: RandomStream;
  private readonly images: readonly number[];
  private readonly classifier: Classifier;
  /** Places of the mask outside of the window. */
  private readonly outside: readonly number[];
  private queue: number[] = [];
  private sums = { asr: 0, norm: 0, crossEntropy: 0, batches: 0 };

  constructor(
    classifier: Classifier,
    { label, start, source, seed, settings, images, within }: LabelRunOptions,
  ) {
    this.label = label;
    this.start = start;
    this.settings = settings;
    this.images = images;
    this.classifier = classifier;
    this.course = openCourse(settings.schedule);
    this.random = randomStream(seed, label, start, ...(source === undefined ? [] : [source]));
    const dims = parameterDims(classifier, settings.upsample);
    const mask = within && confinedMask(within, classifier.input);
    this.outside = mask ? [...mask].flatMap((v, i) => (v === 0 ? [i] : [])) : [];
    for (const p of parameters) {
      const size = sizeOf(dims[p]);
      // Mask and pattern start uniform in [0, 1] (times 255), as in the original.
      const values =
        (p === 'mask' ? mask : patternOf(within?.trigger)) ??
        Float64Array.from({ length: size }, () => this.random.next());
      const theta = Float32Array.from(values, thetaOf);
      this.state.set(parameterName(p), theta);
      this.state.set(momentName(p, 1), new Float32Array(size));
      this.state.set(momentName(p, 2), new Float32Array(size));
    }
  }

  /** `undefined` where more than the parameters would have to be carried: triggers that were kept, or mini-batches of a step. */
  checkpoint(): Checkpoint | undefined {
    if (this.kept.length > 0 || this.curve.length < this.updates) return undefined;
    return { state: this.state, curve: this.curve };
  }

  /** Brings a new run to where another one with the same options stood. */
  goOnFrom({ state, curve }: Checkpoint): void {
    for (const measured of curve) {
      this.nextBatch();
      this.record(measured);
    }
    for (const [name, values] of state) this.state.set(name, values);
  }

  /** λ of the current step. */
  get cost(): number {
    return this.course.cost;
  }

  get done(): boolean {
    return this.course.stopped !== null;
  }

  /** Adam's step size with the schedule's factor and the bias correction of the next update (Kingma & Ba 2015, §2). */
  get rate(): number {
    const { learningRate, beta1, beta2 } = this.settings.adam;
    const t = this.updates + 1;
    return (this.course.rateFactor * learningRate * Math.sqrt(1 - beta2 ** t)) / (1 - beta1 ** t);
  }

  /** Mean over the last steps, of which one alone has noise. */
  recent(what: 'norm' | 'asr' | 'crossEntropy', steps: number): number {
    const last = this.curve.slice(-steps);
    return last.reduce((sum, point) => sum + point[what], 0) / last.length;
  }

  /** The next mini-batch: passes over all images, each in a new order. */
  nextBatch(): number[] {
    const batch: number[] = [];
    while (batch.length < this.settings.batch) {
      if (this.queue.length === 0) this.queue = this.random.shuffle(this.images);
      batch.push(this.queue.pop()!);
    }
    return batch;
  }

  /**
   * Takes in what one mini-batch measured, after {@link state} was updated.
   */
  record(measured: { readonly asr: number; readonly norm: number; readonly crossEntropy: number }): void {
    this.updates++;
    // A gradient is never quite 0, and Adam makes a step of any.
    for (const i of this.outside) this.state.get(parameterName('mask'))![i] = transparent;
    this.sums.asr += measured.asr;
    this.sums.norm += measured.norm;
    this.sums.crossEntropy += measured.crossEntropy;
    this.sums.batches++;
    if (this.sums.batches < this.settings.miniBatches) return;
    const n = this.sums.batches;
    const point: CurvePoint = {
      step: this.course.step,
      asr: this.sums.asr / n,
      norm: this.sums.norm / n,
      crossEntropy: this.sums.crossEntropy / n,
      cost: this.cost,
    };
    this.curve.push(point);
    this.sums = { asr: 0, norm: 0, crossEntropy: 0, batches: 0 };
    if (!this.course.advance({ asr: point.asr, reg: point.norm })) return;
    // Of masks that were judged as they moved, a later one is smaller and takes the place of those before.
    if (this.settings.judge === 'moving') this.kept.length = 0;
    this.kept.push(this.trigger());
  }

  /** The trigger as the parameters stand now. */
  trigger(): Trigger {
    const { height, width } = this.classifier.input;
    const bounded = (p: Parameter): Float32Array =>
      this.state
        .get(parameterName(p))!
        .map((v) => Math.min(1, Math.max(0, Math.tanh(v) / (2 - tanhMargin) + 0.5)));
    const pattern = bounded('pattern').map((v) => 255 * v);
    return triggerFromPlanes(this.enlarge(bounded('mask')), pattern, [height, width]);
  }

  /** Super-pixels to pixels, nearest, cropped. */
  private enlarge(mask: Float32Array): Float32Array {
    const { upsample } = this.settings;
    if (upsample === 1) return mask;
    const { height, width } = this.classifier.input;
    const columns = Math.ceil(width / upsample);
    return Float32Array.from({ length: height * width }, (_, i) => {
      const row = Math.floor(Math.floor(i / width) / upsample);
      return mask[row * columns + Math.floor((i % width) / upsample)]!;
    });
  }
}

/** θ of a value in [0, 1]. */
const thetaOf = (value: number): number => Math.atanh((value - 0.5) * (2 - tanhMargin));

const transparent = thetaOf(0);

/** Values in [0, 1] that a confined inversion begins with. */
function confinedMask(
  { window, trigger }: NonNullable<LabelRunOptions['within']>,
  { height, width }: Classifier['input'],
): Float32Array {
  return confine(
    trigger?.mask ?? float32([height, width], new Float32Array(height * width).fill(0.5)),
    window,
  );
}

/** Values in [0, 1]. At the very ends of its range a colour would hardly change. */
const patternOf = (trigger: Trigger | undefined): ArrayLike<number> | undefined =>
  trigger && channelsFirst(trigger.pattern).data.map((v) => Math.min(0.98, Math.max(0.02, v / 255)));

/** Names of all values that go round from step to step. */
export const stateNames = parameters.flatMap((p) => [parameterName(p), momentName(p, 1), momentName(p, 2)]);

export const nextNames = stateNames.map(updatedName);

/** Chooses among the triggers that an inversion has kept, and measures them on images that it has not seen. */

import type { ImageSet } from '../data/dataset.ts';
import type { Classifier } from '../model/classifier.ts';
import { l1Norm, strengthen, type Trigger } from '../triggers/trigger.ts';
import { wilsonInterval } from '../wilson.ts';
import type { Inversion, LabelOfSource } from './inversion.ts';
import type { LabelRun } from './label-run.ts';
import type { Predictor } from './predictor.ts';
import type { InversionSettings } from './presets.ts';
import { type Reach, ReachMeter } from './reach.ts';
import type { SampleSplit } from './split.ts';

/** After a mask that failed, the next to be tried is larger by this factor at least. */
const worthTrying = 0.97;

/** How much more opaque a mask is made that almost passes, step by step. */
const strengths = [1.1, 1.25, 1.5, 2];

/** That the trigger of a pair is tried on, to see which pairs deserve a closer look. */
const imagesOfClass = 20;

/** What a run of steps ends with. */
export type Judged = Pick<Inversion, 'status' | 'trigger' | 'l1' | 'asr'>;

export class TriggerJudge {
  private readonly predictor: Predictor;
  private readonly classifier: Classifier;
  private readonly kind: InversionSettings['judge'];
  private readonly images: ImageSet;
  private readonly split: SampleSplit;
  private meter: ReachMeter | undefined;

  constructor(
    predictor: Predictor,
    {
      classifier,
      settings,
      images,
      split,
    }: {
      readonly classifier: Classifier;
      readonly settings: Pick<InversionSettings, 'judge'>;
      readonly images: ImageSet;
      readonly split: SampleSplit;
    },
  ) {
    this.predictor = predictor;
    this.classifier = classifier;
    this.kind = settings.judge;
    this.images = images;
    this.split = split;
  }

  /**
   * `moving`: the last, the smallest that passed while it moved. `frozen`: the
   * smallest that passes on held-out images; of those of much the same size only one is tried. If none does, the last one is made
   * more opaque until it does; its norm is then more than is needed, never less. If that fails too, the last state stands for a
   * censored label.
   */
  async judge(run: LabelRun, pair: LabelOfSource): Promise<Judged> {
    const judged = await this.choose(run, pair);
    return { ...judged, l1: l1Norm(judged.trigger) };
  }

  private async choose(run: LabelRun, pair: LabelOfSource): Promise<Omit<Judged, 'l1'>> {
    const heldOut = this.heldOut(pair);
    const asrOf = (trigger: Trigger): Promise<number> => this.asrOf(trigger, pair);
    if (this.kind === 'moving') {
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

  /** What the trigger of a pair does to each class. */
  reachOf({ trigger, asr }: Judged, label: number, source: number): Promise<Reach> {
    const { predictor, images, split, classifier } = this;
    this.meter ??= new ReachMeter(predictor, images, split, classifier.classes, imagesOfClass);
    return this.meter.reachOf({ trigger, asr, label, source });
  }

  /** Held-out images that a trigger is for: of the source, or of all classes but the target. */
  private heldOut({ label, source }: LabelOfSource): number[] {
    const { split } = this;
    return source === undefined ? split.without(split.heldOut, label) : split.showing(split.heldOut, source);
  }
}

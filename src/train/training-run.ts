/** The loop over epochs and mini-batches, and where it stands. */

import { type Classifier, modelPrefix } from '../model/classifier.ts';
import type { Model } from '../onnx/graph.ts';
import type { Tensor } from '../onnx/tensor.ts';
import type { Runtime, SessionOptions } from '../runtime/session.ts';
import { throwIfCancelled } from '../runtime/task.ts';
import { epochOrder, readBatch } from './batches.ts';
import { type RunIdentity, type RunPosition, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { evaluate, type Measurement } from './evaluate.ts';
import type { TrainingHooks } from './hooks.ts';
import type { EpochRecord, TrainingOutcome } from './outcome.ts';
import { learningRateAt } from './schedule.ts';
import type { TrainingSettings } from './settings.ts';
import { copyOf, type Stepper } from './stepper.ts';
import { withWeights } from './trainable.ts';
import type { TrainingSet } from './training-set.ts';

export interface TrainingContext {
  readonly runtime: Runtime;
  readonly model: Model;
  /** The model, prepared with BatchNormalization kept. */
  readonly classifier: Classifier;
  readonly data: TrainingSet;
  readonly settings: TrainingSettings;
  readonly hooks: TrainingHooks;
  readonly session: SessionOptions;
  readonly stepper: Stepper;
  /** Needed where there is a checkpoint. */
  readonly identity: RunIdentity | undefined;
}

type Tensors = ReadonlyMap<string, Tensor>;

/** Marks, in a checkpoint, the best weights so far. */
const bestPrefix = 'best:';

export class TrainingRun {
  private readonly context: TrainingContext;
  private readonly stepsPerEpoch: number;
  private readonly started = performance.now();
  private position: RunPosition = { epoch: 1, step: 0, loss: 0, correct: 0, history: [] };
  private best: Tensors = new Map();
  /** Mini-batches since {@link started}. */
  private done = 0;

  constructor(context: TrainingContext) {
    this.context = context;
    this.stepsPerEpoch = Math.ceil(context.data.count / context.settings.batch);
  }

  /** Runs to the end, from the start or from the checkpoint. */
  async finish(): Promise<TrainingOutcome> {
    await this.load();
    while (this.position.stopped === undefined) {
      await this.trainEpoch();
      await this.endEpoch();
    }
    const { history, stopped, best } = this.position;
    return {
      model: this.modelWith(best ? this.best : this.weights()),
      history,
      stopped,
      seconds: (performance.now() - this.started) / 1000,
      runtimeMs: this.context.stepper.runtimeMs,
    };
  }

  private async trainEpoch(): Promise<void> {
    const { data, settings, hooks, classifier, stepper } = this.context;
    const { batch, seed } = settings;
    const { epoch } = this.position;
    const order = epochOrder(seed, epoch, data.count);
    while (this.position.step < this.stepsPerEpoch) {
      if (hooks.signal) throwIfCancelled(hooks.signal);
      const { step, loss, correct } = this.position;
      const indices = order.slice(step * batch, (step + 1) * batch);
      const result = await stepper.run(
        readBatch(data, indices, epoch, classifier.classes),
        this.stepsBefore(step),
        this.learningRate(step),
      );
      this.done++;
      this.position = {
        ...this.position,
        step: step + 1,
        loss: loss + result.loss * indices.length,
        correct: correct + result.correct,
      };
      this.report();
      const isDue = hooks.checkpointSteps && (step + 1) % hooks.checkpointSteps === 0;
      if (isDue && step + 1 < this.stepsPerEpoch) await this.save();
    }
    const last = this.stepsPerEpoch - 1;
    stepper.checkFinite(this.stepsBefore(last), this.learningRate(last));
  }

  private async endEpoch(): Promise<void> {
    const { data, settings, hooks } = this.context;
    const { epoch, loss, correct, history } = this.position;
    const validation = hooks.validation && (await this.validate(hooks.validation));
    const record: EpochRecord = {
      epoch,
      loss: loss / data.count,
      accuracy: correct / data.count,
      ...(validation && { validation }),
      learningRate: this.learningRate(this.stepsPerEpoch - 1),
    };
    const best = this.judge(record);
    const asked = await hooks.afterEpoch?.(record, () => this.modelWith(this.weights()));
    const { earlyStop, epochs } = settings;
    const isStale = earlyStop && best && epoch - best.epoch >= earlyStop.patience;
    const stopped = asked ? 'callback' : epoch === epochs ? 'epochs' : isStale ? 'early-stop' : undefined;
    this.position = {
      epoch: epoch + 1,
      step: 0,
      loss: 0,
      correct: 0,
      history: [...history, record],
      ...(best && { best }),
      ...(stopped && { stopped }),
    };
    await this.save();
  }

  /** The best epoch so far, where the best is asked for; its weights are kept. */
  private judge(record: EpochRecord): RunPosition['best'] {
    if (!this.context.settings.earlyStop) return undefined;
    const { loss, accuracy } = record.validation ?? record;
    const { best } = this.position;
    if (best && best.loss <= loss) return best;
    this.best = this.weights();
    return { epoch: record.epoch, loss, accuracy };
  }

  private validate(set: TrainingSet): Promise<Measurement> {
    const { runtime, classifier, settings, session } = this.context;
    const { graph } = classifier;
    const initializers = new Map([...graph.initializers, ...this.weights()]);
    const current = { ...classifier, graph: { ...graph, initializers } };
    return evaluate(runtime, current, set, settings.preprocess, session);
  }

  /** Mini-batches before this one of the current epoch, over the whole run. */
  private stepsBefore(step: number): number {
    return (this.position.epoch - 1) * this.stepsPerEpoch + step;
  }

  private learningRate(step: number): number {
    const { schedule, optimizer, epochs } = this.context.settings;
    const { stepsPerEpoch } = this;
    return learningRateAt(schedule, optimizer.learningRate, this.stepsBefore(step), {
      stepsPerEpoch,
      epochs,
    });
  }

  private report(): void {
    const { data, settings, hooks } = this.context;
    const { epoch, step, loss, correct } = this.position;
    const images = Math.min(step * settings.batch, data.count);
    const secondsPerStep = (performance.now() - this.started) / 1000 / this.done;
    const stepsLeft = settings.epochs * this.stepsPerEpoch - this.stepsBefore(step);
    hooks.progress?.({
      epoch,
      step,
      steps: this.stepsPerEpoch,
      loss: loss / images,
      accuracy: correct / images,
      secondsLeft: secondsPerStep * stepsLeft,
    });
  }

  /** A copy of what of the state belongs to the model, by the names of the prepared graph. */
  private weights(): Tensors {
    return copyOf(new Map([...this.context.stepper.state].filter(([name]) => name.startsWith(modelPrefix))));
  }

  private modelWith(weights: Tensors): Model {
    const named = [...weights].map(([name, tensor]) => [name.slice(modelPrefix.length), tensor] as const);
    return withWeights(this.context.model, new Map(named));
  }

  private async load(): Promise<void> {
    const { hooks, identity, stepper } = this.context;
    const bytes = await hooks.checkpoint?.load();
    if (!bytes || !identity) return;
    const { position, tensors } = readCheckpoint(bytes, identity);
    this.position = position;
    const entries = [...tensors];
    this.best = new Map(
      entries.flatMap(([name, t]) =>
        name.startsWith(bestPrefix) ? [[name.slice(bestPrefix.length), t]] : [],
      ),
    );
    stepper.restore(new Map(entries.filter(([name]) => !name.startsWith(bestPrefix))));
  }

  private async save(): Promise<void> {
    const { hooks, identity, stepper } = this.context;
    if (!hooks.checkpoint || !identity) return;
    const best = [...this.best].map(([name, t]): [string, Tensor] => [bestPrefix + name, t]);
    const { position } = this;
    await hooks.checkpoint.save(
      writeCheckpoint(identity, { position, tensors: new Map([...stepper.state, ...best]) }),
    );
  }
}

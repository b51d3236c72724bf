/** Holds the weights of a run and moves them, mini-batch by mini-batch. */

import { NeuralCleanseError } from '../errors.ts';
import type { Classifier } from '../model/classifier.ts';
import { float32, type Tensor } from '../onnx/tensor.ts';
import type { Runtime, Session, SessionOptions } from '../runtime/session.ts';
import type { Batch } from './batches.ts';
import { drawMasks } from './dropout-masks.ts';
import { rateCount, rates } from './optimizer.ts';
import { type StepGraph, type StepGraphOptions, stepGraph, stepModel, updatedName } from './step-graph.ts';

interface Compiled {
  readonly session: Session;
  readonly masks: StepGraph['masks'];
}

export interface StepperOptions extends Omit<StepGraphOptions, 'batch'> {
  readonly seed: number;
}

export class Stepper {
  private current: ReadonlyMap<string, Tensor> = new Map();
  /** Memory for the next state: two take turns, since to allocate one each step took 4 % of its time. */
  private spare: ReadonlyMap<string, Tensor> = new Map();
  /** Time inside ONNX Runtime, in milliseconds. */
  runtimeMs = 0;
  private readonly compiled = new Map<number, Compiled>();
  private readonly runtime: Runtime;
  private readonly classifier: Classifier;
  private readonly options: StepperOptions;
  private readonly session: SessionOptions;

  private constructor(
    runtime: Runtime,
    classifier: Classifier,
    options: StepperOptions,
    session: SessionOptions,
  ) {
    this.runtime = runtime;
    this.classifier = classifier;
    this.options = options;
    this.session = session;
  }

  /**
   * @param sizes of the mini-batches there will be; each has a graph of its own, and all of them share the state
   * @throws NeuralCleanseError see {@link stepGraph}
   */
  static async open(
    runtime: Runtime,
    classifier: Classifier,
    sizes: readonly number[],
    options: StepperOptions,
    session: SessionOptions,
  ): Promise<Stepper> {
    const stepper = new Stepper(runtime, classifier, options, session);
    try {
      for (const size of new Set(sizes)) await stepper.compile(size);
    } catch (error) {
      await stepper.release();
      throw error;
    }
    return stepper;
  }

  /**
   * Weights, optimiser state and running statistics, by their names in the step graph. The next step but one overwrites
   * them: copy what is to stay.
   */
  get state(): ReadonlyMap<string, Tensor> {
    return this.current;
  }

  /** Goes on from a state as {@link state} returns it. */
  restore(state: ReadonlyMap<string, Tensor>): void {
    this.current = copyOf(state);
    this.spare = copyOf(state);
  }

  private async compile(batch: number): Promise<void> {
    const { runtime, classifier, options, session } = this;
    const { graph, masks, state } = await stepGraph(runtime, classifier, { ...options, batch }, session);
    this.compiled.set(batch, { session: await runtime.open(stepModel(graph), session), masks });
    this.restore(state);
  }

  /**
   * One step on one mini-batch.
   *
   * @param step counted from 0, over the whole run
   * @returns the mean cross entropy of the mini-batch and how many of its images were classified as labelled, both before
   *   the update
   * @throws NeuralCleanseError TRAINING_DIVERGED
   */
  async run(batch: Batch, step: number, learningRate: number): Promise<{ loss: number; correct: number }> {
    const { seed, optimizer } = this.options;
    const { session, masks } = this.compiled.get(batch.images.dims[0]!)!;
    const feeds = {
      ...batch,
      ...drawMasks(masks, seed, step),
      ...Object.fromEntries(this.current),
      rates: float32([rateCount], rates(optimizer, step + 1, learningRate)),
    };
    const start = performance.now();
    const into = Object.fromEntries([...this.spare].map(([name, tensor]) => [updatedName(name), tensor]));
    const results = await session.run(feeds, undefined, into);
    this.runtimeMs += performance.now() - start;
    const [loss, correct] = ['loss', 'correct'].map((name) => (results[name]!.data as Float32Array)[0]!) as [
      number,
      number,
    ];
    if (!Number.isFinite(loss)) throw diverged(`The loss is ${loss}`, step, learningRate);
    this.spare = this.current;
    this.current = new Map([...this.spare.keys()].map((name) => [name, results[updatedName(name)]!]));
    return { loss, correct };
  }

  /** @throws NeuralCleanseError TRAINING_DIVERGED if a weight is NaN or infinite after step `step` */
  checkFinite(step: number, learningRate: number): void {
    for (const [name, tensor] of this.current) {
      if (!(tensor.data as Float32Array).every(Number.isFinite)) {
        throw diverged(`"${name}" holds NaN or infinity`, step, learningRate);
      }
    }
  }

  async release(): Promise<void> {
    for (const { session } of this.compiled.values()) await session.release();
  }
}

export const copyOf = (tensors: ReadonlyMap<string, Tensor>): Map<string, Tensor> =>
  new Map([...tensors].map(([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() } as Tensor]));

const diverged = (what: string, step: number, learningRate: number): NeuralCleanseError =>
  new NeuralCleanseError(
    'TRAINING_DIVERGED',
    `${what} after ${step + 1} mini-batches at a learning rate of ${learningRate}.`,
    {
      hint: 'Choose a smaller learning rate, and check the preprocessing.',
      data: { step: step + 1, learningRate },
    },
  );

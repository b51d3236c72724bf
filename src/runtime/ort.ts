/** The part of onnxruntime-common that onnxruntime-node and onnxruntime-web share: IR tensors in, IR tensors out. */

import type { InferenceSession, Tensor as OrtTensor, TensorConstructor } from 'onnxruntime-common';
import { NeuralCleanseError } from '../errors.ts';
import type { DType, Tensor } from '../onnx/tensor.ts';
import type { Feeds, Fetches, Provider, Session } from './session.ts';

/** A Session over one InferenceSession. */
export class OrtSession implements Session {
  readonly provider: Provider;
  private readonly session: InferenceSession;
  private readonly TensorClass: TensorConstructor;
  private queue: Promise<unknown> = Promise.resolve();
  private released = false;

  constructor(provider: Provider, session: InferenceSession, TensorClass: TensorConstructor) {
    this.provider = provider;
    this.session = session;
    this.TensorClass = TensorClass;
  }

  get inputNames(): readonly string[] {
    return this.session.inputNames;
  }

  get outputNames(): readonly string[] {
    return this.session.outputNames;
  }

  run(feeds: Feeds, outputs: readonly string[] = this.outputNames): Promise<Fetches> {
    // Two overlapping runs of one WebGPU session hang, so runs queue up whatever the provider.
    const result = this.queue.then(() => this.runOnce(feeds, outputs));
    this.queue = result.catch(() => undefined);
    return result;
  }

  private async runOnce(feeds: Feeds, outputs: readonly string[]): Promise<Fetches> {
    if (this.released) throw new NeuralCleanseError('RUNTIME_FAILED', 'The session was released.');
    const inputs = Object.fromEntries(
      Object.entries(feeds).map(([name, t]) => [
        name,
        new this.TensorClass(t.dtype as OrtTensor.Type, t.data as never, t.dims as number[]),
      ]),
    );
    try {
      const results = await this.session.run(inputs, [...outputs]);
      return Object.fromEntries(
        outputs.map((name) => {
          const t = results[name]!;
          return [name, { dtype: t.type as DType, dims: t.dims, data: t.data } as Tensor];
        }),
      );
    } catch (cause) {
      throw runtimeFailure('run', cause);
    }
  }

  async release(): Promise<void> {
    if (this.released) return;
    this.released = true;
    await this.queue;
    await this.session.release();
  }
}

export const runtimeFailure = (doing: string, cause: unknown): NeuralCleanseError =>
  new NeuralCleanseError('RUNTIME_FAILED', `ONNX Runtime could not ${doing} the graph: ${message(cause)}`, { cause });

const message = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

/** The part of onnxruntime-common that onnxruntime-node and onnxruntime-web share: IR tensors in, IR tensors out. */

import type {
  InferenceSession,
  InferenceSessionFactory,
  Tensor as OrtTensor,
  TensorConstructor,
} from 'onnxruntime-common';
import { NeuralCleanseError } from '../errors.ts';
import type { DType, Tensor } from '../onnx/tensor.ts';
import { Queue } from './queue.ts';
import type { Feeds, Fetches, Provider, Session, SessionOptions } from './session.ts';

/** What is used of either package. */
export interface Ort {
  readonly InferenceSession: InferenceSessionFactory;
  readonly Tensor: TensorConstructor;
}

export interface OrtSessionOptions extends SessionOptions {
  readonly provider: Provider;
  /** Shared by sessions that must not run at the same time. @default one of its own */
  readonly queue?: Queue;
}

/** Only what also comes back as an error may be silent; ONNX Runtime would write the rest to stderr or the console. */
const fatalOnly = 4;

/**
 * Pad_Fusion (ONNX Runtime 1.30) makes a Pad of zeros the padding of a MaxPool behind it, in which the zeros never count, and so
 * changes the answer of models whose values there are negative.
 */
const configuration = { optimization: { disable_specified_optimizers: 'Pad_Fusion' } };

/** Loads a serialised model. @throws NeuralCleanseError RUNTIME_FAILED */
export async function createOrtSession(
  ort: Ort,
  model: Uint8Array,
  options: OrtSessionOptions,
): Promise<Session> {
  const queue = options.queue ?? new Queue();
  try {
    const session = await queue.run(() =>
      ort.InferenceSession.create(model, {
        executionProviders: [options.provider],
        intraOpNumThreads: options.threads ?? 1,
        interOpNumThreads: 1,
        graphOptimizationLevel: options.optimization ?? 'all',
        logSeverityLevel: fatalOnly,
        extra: configuration,
      }),
    );
    return new OrtSession(ort, session, options, queue);
  } catch (cause) {
    throw runtimeFailure('load', cause);
  }
}

class OrtSession implements Session {
  readonly provider: Provider;
  private readonly ort: Ort;
  private readonly session: InferenceSession;
  private readonly queue: Queue;
  private released: Promise<void> | undefined;

  constructor(ort: Ort, session: InferenceSession, options: OrtSessionOptions, queue: Queue) {
    this.ort = ort;
    this.session = session;
    this.provider = options.provider;
    this.queue = queue;
  }

  get inputNames(): readonly string[] {
    return this.session.inputNames;
  }

  get outputNames(): readonly string[] {
    return this.session.outputNames;
  }

  async run(feeds: Feeds, outputs: readonly string[] = this.outputNames, into: Feeds = {}): Promise<Fetches> {
    if (this.released) throw new NeuralCleanseError('RUNTIME_FAILED', 'The session was released.');
    return this.queue.run(() => this.runOnce(feeds, outputs, this.provider === 'cpu' ? into : {}));
  }

  private async runOnce(feeds: Feeds, outputs: readonly string[], into: Feeds): Promise<Fetches> {
    try {
      const inputs = Object.entries(feeds).map(([name, tensor]) => [name, this.toOrt(tensor)] as const);
      const wanted = outputs.map((name) => [name, into[name] ? this.toOrt(into[name]) : null] as const);
      const results = await this.session.run(Object.fromEntries(inputs), Object.fromEntries(wanted));
      if (this.provider === 'wasm') await nextTask();
      return Object.fromEntries(outputs.map((name) => [name, fromOrt(results[name]!)]));
    } catch (cause) {
      throw runtimeFailure('run', cause);
    }
  }

  private toOrt(tensor: Tensor): OrtTensor {
    return new this.ort.Tensor(
      tensor.dtype as OrtTensor.Type,
      tensor.data as OrtTensor.DataType,
      tensor.dims,
    );
  }

  release(): Promise<void> {
    this.released ??= this.queue.run(() => this.session.release());
    return this.released;
  }
}

function fromOrt(tensor: OrtTensor): Tensor {
  let data = tensor.data;
  if (tensor.type === 'float16') {
    // Engines that know Float16Array return one; the IR holds the bits.
    const halves = data as Uint16Array;
    data = new Uint16Array(halves.buffer, halves.byteOffset, halves.length);
  }
  return { dtype: tensor.type as DType, dims: tensor.dims, data } as Tensor;
}

/**
 * Waits for a turn of the event loop.
 *
 * WebAssembly runs settle in microtasks: a loop of them would otherwise starve timers, messages and rendering,
 * and a request to stop would never arrive.
 */
function nextTask(): Promise<void> {
  // Not setTimeout: browsers slow it down to one call a second in a hidden tab.
  const { port1, port2 } = new MessageChannel();
  const receiver = port1 as unknown as { onmessage?: () => void; close(): void };
  return new Promise((resolve) => {
    receiver.onmessage = () => {
      receiver.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

const hints = {
  load: 'Check the model with `neural-cleanse inspect`; if memory ran out, lower the batch size.',
  run: 'Check the names, shapes and element types of the inputs; if memory ran out, lower the batch size.',
};

function runtimeFailure(doing: 'load' | 'run', cause: unknown): NeuralCleanseError {
  if (cause instanceof NeuralCleanseError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new NeuralCleanseError(
    'RUNTIME_FAILED',
    `ONNX Runtime could not ${doing} the graph: ${message.trim()}`,
    {
      hint: hints[doing],
      cause,
    },
  );
}

/** From a list of ways to run graphs to a Runtime: availability, the automatic choice, and errors that name the alternatives. */

import { NeuralCleanseError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { canonicalModel } from '../onnx/model.ts';
import { float32 } from '../onnx/tensor.ts';
import { writeModel } from '../onnx/write.ts';
import type { Provider, ProviderStatus, Runtime, Session, SessionOptions } from './session.ts';

/** One provider on one platform. Reasons are whole sentences that end with the next step. */
export interface Backend {
  readonly provider: Provider;
  /** Why `auto` passes over it, or `undefined`. Must not load anything heavy. */
  unsuited?(): Promise<string | undefined>;
  /** Why it cannot be used here, or `undefined`. Asked once. */
  missing(): Promise<string | undefined>;
  /** @throws NeuralCleanseError RUNTIME_FAILED */
  create(model: Uint8Array, options: CreateOptions): Promise<Session>;
}

export type CreateOptions = Omit<SessionOptions, 'provider'>;

/** @param backends fastest first */
export function runtimeOver(backends: readonly Backend[]): Runtime {
  const answers = new Map<Backend, Promise<string | undefined>>();
  const missing = (backend: Backend): Promise<string | undefined> => {
    const answer = answers.get(backend) ?? backend.missing();
    answers.set(backend, answer);
    return answer;
  };

  const providers = async (): Promise<ProviderStatus[]> => {
    const statuses: ProviderStatus[] = [];
    for (const backend of backends) {
      const absent = await missing(backend);
      const reason = absent ?? (await backend.unsuited?.());
      statuses.push({
        provider: backend.provider,
        available: absent === undefined,
        automatic: reason === undefined,
        ...(reason === undefined ? {} : { reason }),
      });
    }
    return statuses;
  };

  const unavailable = async (requested: string, reason: string): Promise<NeuralCleanseError> => {
    const available = (await providers()).filter((s) => s.available).map((s) => s.provider);
    return new NeuralCleanseError(
      'PROVIDER_UNAVAILABLE',
      `The provider "${requested}" cannot be used here.`,
      {
        hint: `${reason} Available here: ${available.join(', ') || 'none'}.`,
        data: { provider: requested, available },
      },
    );
  };

  const requested = async (provider: Provider): Promise<Backend> => {
    const backend = backends.find((b) => b.provider === provider);
    const reason = backend ? await missing(backend) : 'This platform has no such provider.';
    if (!backend || reason !== undefined) throw await unavailable(provider, reason ?? '');
    return backend;
  };

  const fastest = async (): Promise<{ backend: Backend; failures: string[] }> => {
    const failures: string[] = [];
    for (const backend of backends) {
      if ((await backend.unsuited?.()) !== undefined) continue;
      const reason = await missing(backend);
      if (reason === undefined) return { backend, failures };
      failures.push(reason);
    }
    throw await unavailable('auto', failures.join(' '));
  };

  return {
    async open(model, { provider = 'auto', ...options } = {}) {
      const backend = provider === 'auto' ? (await fastest()).backend : await requested(provider);
      return backend.create(writeModel(model), options);
    },
    async choose(provider = 'auto') {
      if (provider !== 'auto') return { provider: (await requested(provider)).provider };
      const { backend, failures } = await fastest();
      return { provider: backend.provider, ...(failures.length > 0 ? { notice: failures.join(' ') } : {}) };
    },
    providers,
  };
}

/** Whether one session keeps the whole device busy, so that sessions side by side gain nothing. */
export const isGpu = (provider: Provider): boolean => provider === 'webgpu' || provider === 'cuda';

/** Opens and runs a one-node graph. @returns why that failed, or `undefined` */
export async function tryOut(create: (model: Uint8Array) => Promise<Session>): Promise<string | undefined> {
  const b = new GraphBuilder();
  b.output(b.op('Relu', [b.input('x', 'float32', [1])]), 'float32', [1], 'y');
  try {
    const session = await create(writeModel(canonicalModel(b.build())));
    await session.run({ x: float32([1], [1]) });
    await session.release();
    return undefined;
  } catch (error) {
    return firstLine(error);
  }
}

/** The gist of a failure; ONNX Runtime puts a place in its sources and the condition that failed before it. */
export function firstLine(error: unknown): string {
  const reason = error instanceof NeuralCleanseError && error.cause !== undefined ? error.cause : error;
  const message = reason instanceof Error ? reason.message : String(reason);
  return message
    .trim()
    .split('\n')[0]!
    .replace(/^\S*onnxruntime_src\S* .* was false\. /, '')
    .replace(/\.$/, '');
}

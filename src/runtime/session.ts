/** What every provider offers: open a graph, run it, release it. */

import type { Model } from '../onnx/graph.ts';
import type { Tensor } from '../onnx/tensor.ts';

/**
 * Where a graph runs. `cpu` and `cuda` need onnxruntime-node, `wasm` needs onnxruntime-web (Node or browser),
 * `webgpu` works in both.
 */
export const providers = ['cpu', 'cuda', 'webgpu', 'wasm'] as const;
export type Provider = (typeof providers)[number];

/** ONNX Runtime's graph optimisation level. Results are bit-identical only at one level, so runs record it. */
export type OptimizationLevel = 'disabled' | 'basic' | 'extended' | 'all';

export interface SessionOptions {
  /** @default 'auto': the fastest provider that works here */
  readonly provider?: Provider | 'auto';
  /**
   * Threads inside one operator, for `cpu`. WebAssembly fixes its number when it is first loaded.
   *
   * @default 1, since sessions run side by side, one a core
   */
  readonly threads?: number;
  /** @default 'all' */
  readonly optimization?: OptimizationLevel;
}

export type Feeds = Readonly<Record<string, Tensor>>;
export type Fetches = Record<string, Tensor>;

export interface Session {
  readonly provider: Provider;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /**
   * Runs the graph once. Runs of one session are serialised.
   *
   * @param outputs names to compute; all by default
   * @param into tensors of the right type and dims that outputs may be written to, which spares new memory for large ones;
   *   used on the `cpu`. None may share memory with a feed.
   * @throws NeuralCleanseError RUNTIME_FAILED
   */
  run(feeds: Feeds, outputs?: readonly string[], into?: Feeds): Promise<Fetches>;
  /** Frees native memory; a released session throws RUNTIME_FAILED when run. Releasing twice is harmless. */
  release(): Promise<void>;
}

export interface ProviderStatus {
  readonly provider: Provider;
  /** Whether a session can be opened on it here. */
  readonly available: boolean;
  /** Whether `auto` may choose it. A GPU in software is available and correct, but slower than the CPU. */
  readonly automatic: boolean;
  /** Why it is not available or not automatic, and the next step; whole sentences. */
  readonly reason?: string;
}

export interface ProviderChoice {
  readonly provider: Provider;
  /** What to tell the user who left the choice open: which faster provider does not work, and how to get it. */
  readonly notice?: string;
}

/** Opens sessions. Code above this layer receives one, so that it runs unchanged in Node and in a browser. */
export interface Runtime {
  /**
   * Opens a session on the provider asked for, never on another; `auto` stands for what {@link Runtime.choose} returns.
   *
   * @throws NeuralCleanseError PROVIDER_UNAVAILABLE, RUNTIME_FAILED
   */
  open(model: Model, options?: SessionOptions): Promise<Session>;
  /**
   * The provider asked for, once it has opened and run a one-node graph; for `auto`, the fastest of those that are suited
   * to this machine and do so.
   *
   * @throws NeuralCleanseError PROVIDER_UNAVAILABLE
   */
  choose(provider?: Provider | 'auto'): Promise<ProviderChoice>;
  /** The providers of this runtime, fastest first. */
  providers(): Promise<readonly ProviderStatus[]>;
}

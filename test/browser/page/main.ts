/** Offers the core on the runtime of the browser to the test, which calls it through the page's global scope. */

import { type CompileOptions, compileGradient } from '../../../src/model/compile.ts';
import { readModel } from '../../../src/onnx/read.ts';
import { float32 } from '../../../src/onnx/tensor.ts';
import type { Feeds, Fetches, Provider, ProviderStatus } from '../../../src/runtime/session.ts';
import { createWebRuntime } from '../../../src/runtime/web.ts';

/** Tensors as they cross from the test to the page and back. */
export type PlainTensors = Record<
  string,
  { readonly dims: readonly number[]; readonly data: readonly number[] }
>;

export interface GradientRequest extends Pick<CompileOptions, 'loss' | 'wrt'> {
  /** Address of an ONNX model. */
  readonly model: string;
  readonly feeds: PlainTensors;
  readonly provider: Provider;
  /** How many sessions to open. */
  readonly sessions: number;
}

export interface PageApi {
  readonly crossOriginIsolated: boolean;
  providers(): Promise<readonly ProviderStatus[]>;
  choose(): Promise<Provider>;
  /** Differentiates the model, runs each session twice, all at the same time, and returns all results. */
  gradients(request: GradientRequest): Promise<PlainTensors[]>;
}

const { crossOriginIsolated, location } = globalThis as unknown as {
  crossOriginIsolated: boolean;
  location: { search: string };
};
const wasmPaths = new URLSearchParams(location.search).get('wasmPaths');
const runtime = createWebRuntime({ threads: 2, ...(wasmPaths === null ? {} : { wasmPaths }) });

const api: PageApi = {
  crossOriginIsolated,
  providers: () => runtime.providers(),
  choose: async () => (await runtime.choose('auto')).provider,
  async gradients(request) {
    const response = await fetch(request.model);
    const { graph } = readModel(new Uint8Array(await response.arrayBuffer()));
    const feeds = typed(request.feeds);
    const opening = Array.from({ length: request.sessions }, () =>
      compileGradient(runtime, graph, { ...request, example: feeds }),
    );
    const sessions = await Promise.all(opening);
    const results = await Promise.all([...sessions, ...sessions].map((session) => session.run(feeds)));
    await Promise.all(sessions.map((session) => session.release()));
    return results.map(plain);
  },
};

const typed = (tensors: PlainTensors): Feeds =>
  Object.fromEntries(Object.entries(tensors).map(([name, { dims, data }]) => [name, float32(dims, data)]));

const plain = (tensors: Fetches): PlainTensors =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { dims, data }]) => [
      name,
      { dims, data: Array.from(data as Float32Array) },
    ]),
  );

Object.assign(globalThis, { api });

/** Sessions in a browser: WebGPU and WebAssembly, both of onnxruntime-web, each loaded when first needed. */

import type { Env } from 'onnxruntime-common';
import { type Backend, runtimeOver, tryOut } from './backend.ts';
import { createOrtSession } from './ort.ts';
import { Queue } from './queue.ts';
import type { Runtime } from './session.ts';

export interface WebRuntimeOptions {
  /**
   * Where the .wasm and .mjs files of onnxruntime-web are served: a folder, with a slash at its end, or the address of
   * each file.
   *
   * @default where the bundler put them
   */
  readonly wasmPaths?: Env.WasmPrefixOrFilePaths;
  /**
   * Threads of WebAssembly. The first session fixes their number for the page, and there is but one where the page is
   * not cross-origin isolated (by COOP and COEP headers).
   *
   * @default one a core, at most 8
   */
  readonly threads?: number;
}

/** The globals that are used here. The types of the DOM would let every file of the core use all of them. */
interface Browser {
  readonly crossOriginIsolated?: boolean;
  readonly navigator: {
    readonly hardwareConcurrency: number;
    readonly gpu?: { requestAdapter(): Promise<Adapter | null> };
  };
}
interface Adapter {
  readonly info?: { readonly isFallbackAdapter?: boolean };
}

const browser = globalThis as unknown as Browser;

/** Calls that overlap inside the one WebGPU module of a page fail or hang, even those of different sessions. */
const webgpuQueue = new Queue();

/** WebGPU where there is a GPU, else WebAssembly. */
export function createWebRuntime(options: WebRuntimeOptions = {}): Runtime {
  const configure = (env: Env): void => {
    const cores = Math.min(8, browser.navigator.hardwareConcurrency);
    env.logLevel = 'fatal';
    env.wasm.numThreads = browser.crossOriginIsolated ? (options.threads ?? cores) : 1;
    if (options.wasmPaths !== undefined) env.wasm.wasmPaths = options.wasmPaths;
  };

  const adapter = async (): Promise<Adapter | undefined> =>
    (await browser.navigator.gpu?.requestAdapter()) ?? undefined;
  const createOnWebGpu: Backend['create'] = async (model, sessionOptions) => {
    const ort = await import('onnxruntime-web/webgpu');
    configure(ort.env);
    return createOrtSession(ort, model, { ...sessionOptions, provider: 'webgpu', queue: webgpuQueue });
  };

  return runtimeOver([
    {
      provider: 'webgpu',
      async unsuited() {
        const isSoftware = (await adapter())?.info?.isFallbackAdapter ?? false;
        return isSoftware ? 'The only WebGPU adapter is software, slower than WebAssembly.' : undefined;
      },
      async missing() {
        if (!browser.navigator.gpu) {
          return 'There is no WebGPU; it needs a current browser and a page served over HTTPS or from localhost.';
        }
        if (!(await adapter())) {
          return 'The browser found no GPU that it supports. Turn on hardware acceleration in its settings.';
        }
        const failure = await tryOut((model) => createOnWebGpu(model, {}));
        return (
          failure && `A graph cannot be run on webgpu (${failure}). Update the browser or the GPU driver.`
        );
      },
      create: createOnWebGpu,
    },
    {
      provider: 'wasm',
      missing: async () => undefined,
      async create(model, sessionOptions) {
        const ort = await import('onnxruntime-web/wasm');
        configure(ort.env);
        return createOrtSession(ort, model, { ...sessionOptions, provider: 'wasm' });
      },
    },
  ]);
}

/** {@link createWebRuntime} with its defaults. */
export const webRuntime = createWebRuntime();

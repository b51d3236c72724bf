/** Sessions in Node: onnxruntime-node for the CPU and GPUs, onnxruntime-web's WebAssembly where that cannot be loaded. */

import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { type Backend, firstLine, runtimeOver, tryOut } from './backend.ts';
import { createOrtSession } from './ort.ts';
import type { Provider } from './session.ts';

async function loadNative() {
  const ort = await import('onnxruntime-node');
  ort.env.logLevel = 'fatal';
  return ort;
}

/** WebAssembly runs on one thread in Node: it is the fallback, and workers use the other cores. */
async function loadWasm() {
  const ort = await import('onnxruntime-web');
  ort.env.logLevel = 'fatal';
  ort.env.wasm.numThreads = 1;
  return ort;
}

interface NativeOptions {
  readonly unsuited?: () => Promise<string | undefined>;
  /** Why the installed onnxruntime-node does not have this provider, or `undefined`. */
  readonly absent?: () => Promise<string | undefined>;
  /** What to do if a graph cannot be run on it. */
  readonly advice: string;
  /** Called before a session is opened. */
  readonly prepare?: () => void;
}

function nativeBackend(provider: Provider, { unsuited, absent, advice, prepare }: NativeOptions): Backend {
  const create: Backend['create'] = async (model, options) => {
    prepare?.();
    return createOrtSession(await loadNative(), model, { ...options, provider });
  };
  return {
    provider,
    ...(unsuited ? { unsuited } : {}),
    async missing() {
      const reason = (await nativeMissing()) ?? (await absent?.());
      if (reason !== undefined) return reason;
      const failure = await tryOut((model) => create(model, {}));
      return failure && `A graph cannot be run on ${provider} (${failure}). ${advice}`;
    },
    create,
  };
}

/**
 * Has CUDA's libraries multiply in float32. By default they round factors to the 10 bits of TF32, which moves gradients by 3 to
 * 5 %, and a planted trigger was then not found again (docs/providers.md). ONNX Runtime's option for it is not passed on by its
 * npm package; the libraries read this variable when they are loaded, with the first session.
 */
function keepFloat32(): void {
  process.env.NVIDIA_TF32_OVERRIDE ??= '0';
}

async function nativeMissing(): Promise<string | undefined> {
  try {
    await loadNative();
    return undefined;
  } catch (error) {
    return (
      `onnxruntime-node cannot be loaded (${firstLine(error)}). Install it with \`npm install onnxruntime-node\` ` +
      'on Linux (x64 or arm64, with glibc), macOS (arm64) or Windows; WebAssembly is about five times slower.'
    );
  }
}

async function cudaAbsent(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return `onnxruntime-node has no CUDA on ${process.platform} ${process.arch}. Choose another provider.`;
  }
  const root = dirname(dirname(createRequire(import.meta.url).resolve('onnxruntime-node')));
  if (existsSync(join(root, 'bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so'))) return undefined;
  const script = relative(process.cwd(), join(root, 'script/install.js'));
  return (
    'The CUDA files of onnxruntime-node are not installed. Download them with ' +
    `\`node ${script} --onnxruntime-node-install=cuda12\`; CUDA 12 and cuDNN 9 are needed too.`
  );
}

async function webgpuAbsent(): Promise<string | undefined> {
  const { listSupportedBackends } = await loadNative();
  if (listSupportedBackends().some((b) => b.name === 'webgpu')) return undefined;
  return `onnxruntime-node has no WebGPU on ${process.platform} ${process.arch}. Choose another provider.`;
}

const nvidiaDevices = ['/dev/nvidiactl', '/dev/dxg'];

const isThere = (paths: readonly string[]): boolean => paths.some((path) => existsSync(path));

/**
 * Whether this machine shows a GPU. ONNX Runtime does not tell which adapter it opened, and a software one
 * (SwiftShader, llvmpipe) must not be chosen automatically, so look for the device and for a driver chosen by hand.
 */
function hasGpu(): boolean {
  const driver = process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES ?? '';
  if (/swiftshader|lvp|lavapipe/i.test(driver)) return false;
  if (process.platform === 'darwin') return true;
  if (process.platform !== 'linux') return false;
  const renderers = existsSync('/dev/dri') ? readdirSync('/dev/dri') : [];
  return isThere(nvidiaDevices) || renderers.some((name) => name.startsWith('renderD'));
}

/** CUDA and WebGPU where there is a GPU, then the CPU, and WebAssembly last. */
export const nodeRuntime = runtimeOver([
  nativeBackend('cuda', {
    unsuited: async () => (isThere(nvidiaDevices) ? undefined : 'There is no NVIDIA GPU here.'),
    absent: cudaAbsent,
    prepare: keepFloat32,
    advice: 'Check that `nvidia-smi` works and that CUDA 12 and cuDNN 9 are installed.',
  }),
  nativeBackend('webgpu', {
    unsuited: async () =>
      hasGpu() ? undefined : 'No GPU was recognised; if there is one, choose the provider webgpu by name.',
    absent: webgpuAbsent,
    advice: 'Install the driver of the GPU and, on Linux, the Vulkan loader (libvulkan1).',
  }),
  nativeBackend('cpu', { advice: 'Install onnxruntime-node again.' }),
  {
    provider: 'wasm',
    missing: async () => undefined,
    create: async (model, options) =>
      createOrtSession(await loadWasm(), model, { ...options, provider: 'wasm' }),
  },
]);

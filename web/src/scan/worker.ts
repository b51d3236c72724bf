/** The worker that checks and scans, so that the page stays free for the person before it. */

import type { ImageSet } from '../../../src/data/dataset.ts';
import type { PreflightReport } from '../../../src/detect/preflight.ts';
import { NeuralCleanseError } from '../../../src/errors.ts';
import { Gate, pausable } from '../../../src/runtime/pausable.ts';
import { Queue } from '../../../src/runtime/queue.ts';
import type { Runtime } from '../../../src/runtime/session.ts';
import { createWebRuntime } from '../../../src/runtime/web.ts';
import { encodeError } from '../../../src/runtime/wire.ts';
import {
  checkFacts,
  imageFacts,
  modelFacts,
  type OpenedModel,
  openImages,
  openModel,
  preflightOf,
} from './check.ts';
import type { CheckOptions, FromScanWorker, Given, Part, ToScanWorker } from './protocol.ts';
import { KeptFiles, MemoryFiles, openDatabase, type RunFileStore } from './run-files.ts';
import { zipRun } from './save-run.ts';
import { beginScan, type Checked, resumeScan, type ScanEvents } from './scan.ts';

interface Scope {
  onmessage: ((event: MessageEvent<ToScanWorker>) => void) | null;
  postMessage(message: FromScanWorker): void;
}
const scope = globalThis as unknown as Scope;
const send = (message: FromScanWorker): void => scope.postMessage(message);

const gate = new Gate();
const queue = new Queue();
let runtime: Runtime | undefined;
let checked: Checked | undefined;
let store: RunFileStore | undefined;

scope.onmessage = ({ data: message }) => {
  if (message.kind === 'pause') gate.close();
  else if (message.kind === 'continue') gate.reopen();
  else void queue.run(() => answer(message));
};

async function answer(message: Exclude<ToScanWorker, { kind: 'pause' | 'continue' }>): Promise<void> {
  switch (message.kind) {
    case 'check':
      return check(message.model, message.data, message.options);
    case 'start':
      return attempt('scan', async () => {
        const notKept = await openForNewRun();
        const content = await beginScan(
          runtimeFor(checked!.options),
          checked!,
          message.options,
          store!,
          notKept,
          events,
        );
        send({ kind: 'done', content });
      });
    case 'resume':
      return attempt('scan', resume);
    case 'save':
      return attempt('scan', async () => {
        store ??= await openKept();
        send({ kind: 'saved', ...(await zipRun(store!)) });
      });
  }
}

async function resume(): Promise<void> {
  if (!(await holdKeptRun())) {
    throw new NeuralCleanseError('RUN_BUSY', 'Another tab works on this scan.', {
      hint: 'Go on in that tab, or close it.',
    });
  }
  const kept = await openKept();
  const inputs = await kept?.inputs();
  if (!kept || !inputs) {
    throw new NeuralCleanseError('RUN_NOT_FOUND', 'This browser keeps no unfinished scan any more.', {
      hint: 'Begin a new one.',
    });
  }
  store = kept;
  const runtime = runtimeFor(inputs.check);
  const model = await openModel(runtime, inputs.model, { ...inputs.check, provider: inputs.provider });
  send({ kind: 'done', content: await resumeScan(runtime, inputs, model, kept, events) });
}

/** The number of threads is fixed with the first session, so a worker has one runtime. */
function runtimeFor({ threads }: CheckOptions): Runtime {
  runtime ??= pausable(createWebRuntime({ threads }), gate);
  return runtime;
}

/** Opens what the browser keeps, for this worker alone if it is to be changed. */
async function openKept(): Promise<KeptFiles | undefined> {
  return openDatabase().then(
    (database) => new KeptFiles(database),
    () => undefined,
  );
}

/** @returns why the run will not outlive the page, or `undefined` */
async function openForNewRun(): Promise<string | undefined> {
  const kept = await openKept();
  if (!kept) {
    store = new MemoryFiles();
    return 'This browser keeps nothing for this page, as in some private windows: a reload would lose the scan.';
  }
  if (!(await holdKeptRun())) {
    store = new MemoryFiles();
    return 'Another tab keeps its scan in this browser: a reload of this one would lose the scan.';
  }
  store = kept;
  return undefined;
}

let held: Promise<boolean> | undefined;

/** Keeps other tabs from changing the kept run as long as this worker lives. @returns whether no other does */
function holdKeptRun(): Promise<boolean> {
  held ??= new Promise((resolve) => {
    void navigator.locks.request('neural-cleanse-run', { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock === null ? undefined : new Promise(() => undefined);
    });
  });
  return held;
}

const events: ScanEvents = {
  begun: (plan) => send({ kind: 'begun', plan }),
  progress: (progress) => send({ kind: 'progress', progress }),
  found: (found) => send({ kind: 'found', found }),
  concluding: () => send({ kind: 'concluding' }),
};

let model: { readonly key: string; readonly opened: OpenedModel } | undefined;
let images: { readonly key: string; readonly set: ImageSet } | undefined;

/** Does again only what has changed. */
async function check(givenModel: Given, givenData: Given | undefined, options: CheckOptions): Promise<void> {
  checked = undefined;
  const runtime = runtimeFor(options);
  const { provider, size, output, seed, samples } = options;
  const opened = await attempt('model', async () => {
    const key = JSON.stringify([givenModel.id, provider, size, output]);
    if (model?.key !== key) model = { key, opened: await openModel(runtime, givenModel, options) };
    send({ kind: 'model', facts: modelFacts(model.opened) });
    return model.opened;
  });
  if (!opened || !givenData) return;
  const set = await attempt('images', async () => {
    const { height, width, channels } = opened.classifier.input;
    const key = JSON.stringify([
      givenData.id,
      seed,
      samples,
      height,
      width,
      channels,
      opened.classifier.classes,
    ]);
    if (images?.key !== key) {
      images = { key, set: await openImages(givenData, opened.classifier, options) };
    }
    send({ kind: 'images', facts: imageFacts(images.set) });
    return images.set;
  });
  if (!set) return;
  await attempt('check', async () => {
    const preflight: PreflightReport = await preflightOf(runtime, opened, set, options);
    checked = { given: givenModel, model: opened, images: set, preflight, options };
    send({ kind: 'checked', facts: checkFacts(opened, preflight) });
  });
}

async function attempt<T>(part: Part, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    send({ kind: 'failed', part, error: encodeError(error) });
    return undefined;
  }
}

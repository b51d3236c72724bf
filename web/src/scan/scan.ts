/** A scan in the worker: begun or gone on with, saved as it goes, and concluded with the files of a run folder. */

import { env } from 'onnxruntime-common';
import type { ImageSet } from '../../../src/data/dataset.ts';
import { parseNpy } from '../../../src/data/npy.ts';
import { headerDifference, type RunHeader } from '../../../src/data/run-log.ts';
import { triggerContents } from '../../../src/data/trigger-contents.ts';
import { plannedInversions } from '../../../src/detect/budget.ts';
import type { InversionProgress } from '../../../src/detect/inversion.ts';
import { chooseLabels, parseLabels } from '../../../src/detect/label-list.ts';
import type { PreflightReport } from '../../../src/detect/preflight.ts';
import type { InversionSettings } from '../../../src/detect/presets.ts';
import { checkSamples } from '../../../src/detect/scan.ts';
import { settingsFrom } from '../../../src/detect/settings.ts';
import { NeuralCleanseError } from '../../../src/errors.ts';
import { toFloat32 } from '../../../src/onnx/tensor.ts';
import { headerOf, type RunInputs } from '../../../src/report/build-result.ts';
import { reportFiles, runFolderName } from '../../../src/report/file-names.ts';
import type { FinishedReport } from '../../../src/report/html/content.ts';
import { extrasFile } from '../../../src/report/html/extras.ts';
import { makeExtras } from '../../../src/report/html/make-extras.ts';
import { renderPage } from '../../../src/report/html/page.tsx';
import { pictureOf } from '../../../src/report/html/picture.ts';
import { finishedReport } from '../../../src/report/html/saved-report.ts';
import { renderJson } from '../../../src/report/json.ts';
import type { LabelRecord } from '../../../src/report/label-record.ts';
import {
  finishedRecords,
  runInversions,
  type ScanRun,
  sharedOf,
  stoppedByPreflight,
} from '../../../src/report/scan-run.ts';
import { createInlinePool } from '../../../src/runtime/inline-pool.ts';
import type { Runtime } from '../../../src/runtime/session.ts';
import { renderTrigger } from '../../../src/triggers/render.ts';
import { makeTrigger, type Trigger } from '../../../src/triggers/trigger.ts';
import { digestOf, type OpenedModel } from './check.ts';
import { machine, platform } from './machine.ts';
import type { CheckOptions, FoundLabel, Given, ScanOptions, ScanPlan } from './protocol.ts';
import type { KeptInputs, RunFileStore } from './run-files.ts';
import { filesOf } from './stored-log.ts';

export interface ScanEvents {
  begun(plan: ScanPlan): void;
  progress(progress: InversionProgress): void;
  found(found: FoundLabel): void;
  concluding(): void;
}

/** What the check has left. */
export interface Checked {
  readonly given: Given;
  readonly model: OpenedModel;
  readonly images: ImageSet;
  readonly preflight: PreflightReport;
  readonly options: CheckOptions;
}

/** Longest edge of the pictures of a found label. */
const foundEdge = 64;

/**
 * @param notKept why the store lasts only as long as the page
 * @throws NeuralCleanseError USAGE, DATA_TOO_FEW, SETTING_INVALID; what {@link runInversions} throws
 */
export async function beginScan(
  runtime: Runtime,
  checked: Checked,
  scan: ScanOptions,
  store: RunFileStore,
  notKept: string | undefined,
  events: ScanEvents,
): Promise<FinishedReport> {
  const inputs = await inputsOf(checked, scan, await digestOf(checked.images));
  checkSamples(inputs.images, inputs.labels, inputs.seed);
  const header = headerOf(inputs, checked.preflight.chosen.preprocess);
  const startedAt = new Date();
  await store.begin({
    model: checked.given,
    modelName: inputs.modelName,
    folder: folderOf(inputs),
    images: checked.images,
    dataSha256: inputs.dataSha256,
    check: checked.options,
    scan,
    preflight: checked.preflight,
    provider: inputs.provider,
    header,
    labels: inputs.labels.length,
    startedAt: startedAt.toISOString(),
  });
  return follow(runtime, { checked, inputs, header, startedAt, notKept }, store, events);
}

/**
 * Goes on with the kept run.
 *
 * @throws NeuralCleanseError RUN_MISMATCH if this version of the app would scan differently
 */
export async function resumeScan(
  runtime: Runtime,
  kept: KeptInputs,
  model: OpenedModel,
  store: RunFileStore,
  events: ScanEvents,
): Promise<FinishedReport> {
  const checked: Checked = {
    given: kept.model,
    model,
    images: kept.images,
    preflight: kept.preflight,
    options: kept.check,
  };
  const inputs = await inputsOf(checked, kept.scan, kept.dataSha256);
  const header = headerOf(inputs, kept.preflight.chosen.preprocess);
  const difference = headerDifference(plain(kept.header), plain(header));
  if (difference) {
    const { field, values } = difference;
    throw new NeuralCleanseError(
      'RUN_MISMATCH',
      `The scan cannot be gone on with: its ${field} was ${values[0]}, and now it is ${values[1]}.`,
      { hint: 'Begin a new scan of the same model.', data: { field } },
    );
  }
  return follow(
    runtime,
    { checked, inputs, header, startedAt: new Date(), notKept: undefined },
    store,
    events,
  );
}

/** As it is read back from JSON. */
const plain = (header: RunHeader): RunHeader => JSON.parse(JSON.stringify(header)) as RunHeader;

const folderOf = ({ modelName, modelSha256, seed }: RunInputs): string =>
  runFolderName(modelName, modelSha256, seed);

interface Job {
  readonly checked: Checked;
  readonly inputs: RunInputs;
  readonly header: RunHeader;
  readonly startedAt: Date;
  readonly notKept: string | undefined;
}

async function follow(
  runtime: Runtime,
  job: Job,
  store: RunFileStore,
  events: ScanEvents,
): Promise<FinishedReport> {
  const { inputs, header, checked } = job;
  const { preflight } = checked;
  const entries = await store.records();
  const run: ScanRun = {
    inputs,
    preflight,
    startedAt: job.startedAt,
    environment: {
      command: [],
      model: inputs.modelName,
      runFolder: folderOf(inputs),
      threads: checked.options.threads,
      platform: platform(),
      notices: checked.model.notice === undefined ? [] : [checked.model.notice],
    },
    store: {
      entries,
      files: new Set(await store.names()),
      async saveTrigger(key, images, arrays) {
        const contents = triggerContents(key, images, arrays);
        await store.write(contents);
        return [...contents.keys()];
      },
      append: (record) => store.append(record),
    },
  };
  events.begun(planOf(inputs, job.notKept));
  for (const record of finishedRecords(run.store)) events.found(await foundAgain(record, store));

  const result = stoppedByPreflight(run) ?? (await invert(runtime, run, events));
  events.concluding();
  const extras = await makeExtras({
    runtime,
    inputs,
    model: checked.model.model,
    preflight,
    result,
    environment: machine(),
    trigger: (label) => savedTrigger(store, result.labels.find((found) => found.label === label)!.files),
  });
  const report = await finishedReport(filesOf(store, header, inputs.modelName), result, extras);
  const text = (content: string): Uint8Array => new TextEncoder().encode(content);
  await store.write(
    new Map([
      [extrasFile, text(`${JSON.stringify(extras)}\n`)],
      [reportFiles.html, text(renderPage(report))],
      [reportFiles.json, text(renderJson(result))],
    ]),
  );
  return report;
}

async function invert(runtime: Runtime, run: ScanRun, events: ScanEvents) {
  const { inputs, preflight } = run;
  const pool = await createInlinePool(runtime, {
    provider: inputs.provider,
    threads: run.environment.threads,
    shared: { ...sharedOf(inputs, preflight), previews: true },
  });
  try {
    return await runInversions(pool, run, {
      onProgress: (progress) => events.progress(progress),
      onSaved: ({ trigger }, record) => events.found(foundLabel(record, trigger)),
    });
  } finally {
    await pool.close();
  }
}

async function inputsOf(
  { model, images, options: { seed, samples } }: Checked,
  scan: ScanOptions,
  dataSha256: string,
): Promise<RunInputs> {
  const asked = scan.labels.trim() === '' ? undefined : parseLabels(scan.labels, 'The list of labels');
  return {
    version: __VERSION__,
    versions: { onnxruntime: env.versions.common! },
    modelName: model.name,
    modelSha256: model.sha256,
    modelFormat: model.format,
    classifier: model.classifier,
    images,
    dataSha256,
    preset: scan.preset,
    settings: settingsFrom({
      preset: scan.preset,
      samples,
      ...(scan.steps !== undefined && { steps: scan.steps }),
    }),
    seed,
    labels: chooseLabels(asked, model.classifier.classes),
    provider: model.provider,
    // What sessions are opened with by default.
    optimization: 'all',
  };
}

const planOf = (
  { modelName, labels, settings, classifier, images, provider }: RunInputs,
  notKept: string | undefined,
): ScanPlan => ({
  model: modelName,
  labels,
  inversions: plannedInversions(settings, { labels: labels.length }),
  size: [classifier.input.height, classifier.input.width],
  classNames: images.classNames,
  provider,
  updates: updatesOf(settings),
  notKept,
});

/** Updates of an inversion whose number of steps is fixed. */
function updatesOf({ schedule, probes, miniBatches }: InversionSettings): number | undefined {
  if (schedule.kind !== 'annealed') return undefined;
  return miniBatches * (schedule.steps + (probes.count - 1) * Math.min(probes.steps, schedule.steps));
}

const foundLabel = (
  { label, start, status, l1, asr, timings }: LabelRecord,
  trigger: Trigger | undefined,
): FoundLabel => {
  const images = trigger && renderTrigger(trigger);
  return {
    ...{ label, start, status, l1, asr },
    seconds: timings.seconds,
    mask: images && pictureOf(images.mask, foundEdge),
    fusion: images && pictureOf(images.fusion, foundEdge),
  };
};

const foundAgain = async (record: LabelRecord, store: RunFileStore): Promise<FoundLabel> =>
  foundLabel(record, record.files.length > 0 ? await savedTrigger(store, record.files) : undefined);

async function savedTrigger(store: RunFileStore, files: readonly string[]): Promise<Trigger> {
  const array = async (kind: string) => {
    const name = files.find((file) => file.includes(`_${kind}_label_`) && file.endsWith('.npy'))!;
    return toFloat32(parseNpy((await store.read(name))!));
  };
  return makeTrigger(await array('mask'), await array('pattern'));
}

/** The scans of a repair, each in a run folder of its own. */

import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { type LabelledImageSet, requireClasses } from '../data/dataset.ts';
import { digestOf } from '../data/run-digest.ts';
import { sampleImages } from '../data/sample.ts';
import { readTrigger } from '../data/trigger-files.ts';
import { type PresetName, presets } from '../detect/presets.ts';
import { prepareClassifier } from '../model/classifier.ts';
import type { Model } from '../onnx/graph.ts';
import { writeModel } from '../onnx/write.ts';
import type { FinishedReport } from '../report/html/content.ts';
import type { ReportedScan } from '../report/repair-build.ts';
import type { ScanResult } from '../report/result.ts';
import { nodeRuntime } from '../runtime/node.ts';
import { restoreTrigger } from '../triggers/render.ts';
import type { ModelData } from './mitigation-inputs.ts';
import { note } from './output.ts';
import { runScan } from './run-scan.ts';
import { platform, version, versions } from './version.ts';

/** What a repair asks of a scan whose triggers lie in a folder. */
export const scanOf = (result: ScanResult, folder: string): ReportedScan => ({
  labels: result.labels,
  flagged: result.findings.map(({ label }) => label),
  verdict: result.verdict,
  runFolder: folder,
  seed: result.config.seed,
  trigger: async (label) => restoreTrigger(await readTrigger(folder, label)),
});

export interface RoundScan extends ReportedScan {
  readonly report: FinishedReport;
}

export interface RoundScanOptions {
  /** Holds a folder a round. */
  readonly folder: string;
  readonly preset: PresetName;
  readonly seed: number;
  readonly resume: boolean;
  readonly threads: number;
  readonly output?: string | undefined;
}

/** Most images that a scan draws, as those of `scan`. */
const scanSamples = 1000;

/**
 * Scans all labels of a model. Each round has other starting points, and draws other images.
 *
 * @param images that may be used: never those that measure the repair
 * @throws NeuralCleanseError CANCELLED; what {@link runScan} throws
 */
export async function scanRound(
  model: Model,
  round: number,
  { opened, preprocess, session }: ModelData,
  images: LabelledImageSet,
  options: RoundScanOptions,
): Promise<RoundScan> {
  const startedAt = new Date();
  const folder = join(options.folder, String(round));
  const seed = options.seed + round;
  note(
    '',
    round === 0
      ? 'Scanning the model as it is.'
      : `Scanning the model after round ${round}, from fresh starts.`,
  );
  const { provider } = await nodeRuntime.choose(session.provider);
  const classifier = await prepareClassifier(nodeRuntime, model, {
    session: { provider },
    size: [images.height, images.width],
    ...(options.output !== undefined && { output: options.output }),
  });
  const samples = requireClasses(sampleImages(images, scanSamples, { seed }));
  const report = await runScan({
    inputs: {
      version,
      versions,
      modelName: basename(opened.path),
      modelSha256: round === 0 ? opened.sha256 : hashOf(model),
      modelFormat: round === 0 ? opened.format : 'onnx',
      classifier,
      images: samples,
      dataSha256: digestOf(samples),
      preset: options.preset,
      settings: presets[options.preset],
      seed,
      labels: Array.from({ length: classifier.classes }, (_, label) => label),
      provider,
      optimization: 'all',
    },
    folder,
    resume: options.resume,
    preprocess,
    firstLabel: undefined,
    formats: [],
    model,
    startedAt,
    environment: {
      command: [],
      model: opened.path,
      runFolder: folder,
      threads: options.threads,
      platform,
      notices: [],
    },
  });
  return { ...scanOf(report.result, folder), report };
}

/** Of the file that the model would make. */
const hashOf = (model: Model): string => createHash('sha256').update(writeModel(model)).digest('hex');

/** Gathers what a report shows from the files of a run, wherever these are. */

import { z } from 'zod';
import { parseNpy } from '../../data/npy.ts';
import type { RunLog } from '../../data/run-log.ts';
import type { TriggerImages } from '../../data/trigger-files.ts';
import { findOutliers } from '../../detect/outliers.ts';
import { NeuralCleanseError } from '../../errors.ts';
import { float32, type Tensor, toFloat32 } from '../../onnx/tensor.ts';
import { renderTrigger } from '../../triggers/render.ts';
import { makeTrigger } from '../../triggers/trigger.ts';
import { bestRecords, comparableRecords, type LabelRecord } from '../label-record.ts';
import { pairName, suspectsOf } from '../pair-text.ts';
import { type LabelResult, type PairsResult, type ScanResult, scanResult } from '../result.ts';
import { bySize } from '../text.ts';
import {
  detailedLabels,
  fullGallery,
  type LabelDetail,
  type OutlierFigures,
  type PairsContent,
  type ReportContent,
  type ReportLabel,
  type RunFacts,
  type SuspectPair,
} from './content.ts';
import type { ReportExtras } from './extras.ts';
import { type Picture, pictureOf } from './picture.ts';

export interface ReportSources {
  /** Absent while the scan is unfinished. */
  readonly result?: ScanResult | undefined;
  readonly log?: RunLog<LabelRecord> | undefined;
  readonly extras?: ReportExtras | undefined;
  /** Reads a file of the run by its name, which holds no path; `undefined` if there is none. */
  read(name: string): Promise<Uint8Array | undefined>;
}

/** Longest edges of embedded pictures, in pixels. */
const edges = { detail: 256, gallery: 64, small: 48 };

/**
 * @returns `undefined` if there is neither a result nor a log
 * @throws NeuralCleanseError RUN_CORRUPT if the log does not say what was run; DATA_CORRUPT, TRIGGER_INVALID for damaged
 *   triggers
 */
export async function collectReport(sources: ReportSources): Promise<ReportContent | undefined> {
  const { result, log, extras } = sources;
  const records = bestRecords(log?.entries ?? []);
  const found = result ? ofResult(result) : log?.header && ofLog(log.header, log.entries);
  if (!found) return undefined;

  const wanted = new Set(
    detailedLabels({
      labels: found.labels,
      flagged: result ? result.findings.map(({ label }) => label) : (found.outliers?.flagged ?? []),
    }),
  );
  const levels = new Map(result?.findings.map(({ label, level }) => [label, level]));
  const labels: ReportLabel[] = [];
  const details: LabelDetail[] = [];
  for (const [rank, { files, timings, ...figures }] of bySize(found.labels).entries()) {
    const pictures = await picturesOf(sources, files, {
      mask: rank < fullGallery ? edges.gallery : edges.small,
      fusion: rank < fullGallery ? edges.gallery : undefined,
      detail: wanted.has(figures.label) ? edges.detail : undefined,
    });
    const level = levels.get(figures.label);
    const label: ReportLabel = {
      ...figures,
      seconds: timings.seconds,
      ...(level && { level }),
      ...(pictures && { mask: pictures.mask }),
      ...(pictures?.fusion && { fusion: pictures.fusion }),
    };
    labels.push(label);
    if (!wanted.has(label.label)) continue;
    details.push({
      label,
      pictures: pictures?.detail,
      curve: records.find((record) => record.label === label.label)?.curve,
      examples: extras?.examples.find((example) => example.label === label.label)?.images ?? [],
    });
  }
  const pairs = result?.pairs && (await pairsOf(sources, result.pairs));
  return { run: found.run, result, labels, outliers: found.outliers, details, pairs, extras };
}

async function pairsOf(sources: ReportSources, result: PairsResult): Promise<PairsContent> {
  const levels = new Map(result.findings.map((finding) => [pairName(finding), finding.level]));
  const suspects: SuspectPair[] = [];
  for (const pair of suspectsOf(result)) {
    const pictures = await picturesOf(sources, pair.files, {
      mask: edges.small,
      fusion: edges.gallery,
      detail: undefined,
    });
    const level = levels.get(pairName(pair));
    suspects.push({ ...pair, ...(level && { level }), ...(pictures?.fusion && { fusion: pictures.fusion }) });
  }
  return { result, suspects };
}

interface Found {
  readonly run: RunFacts;
  readonly outliers: OutlierFigures | null;
  readonly labels: readonly LabelResult[];
}

const ofResult = (result: ScanResult): Found => ({
  run: result,
  outliers: result.outliers,
  labels: result.labels,
});

/** The first line of the log; what it has beyond this is not shown. */
const header = scanResult.shape.config.extend({
  tool: z.string(),
  onnxruntime: z.string(),
  model: scanResult.shape.model.pick({ sha256: true, input: true }).strip(),
  data: scanResult.shape.data.pick({ sha256: true, count: true }),
  preprocess: scanResult.shape.preprocess.omit({ name: true }),
});

function ofLog(fields: Readonly<Record<string, unknown>>, entries: readonly LabelRecord[]): Found {
  const parsed = header.strip().safeParse(fields);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new NeuralCleanseError(
      'RUN_CORRUPT',
      `The log does not say what was run: ${issue?.path.join('.')}: ${issue?.message}.`,
      { hint: 'Run the scan again in another folder.', cause: parsed.error },
    );
  }
  const { tool, onnxruntime, model, data, preprocess, ...config } = parsed.data;
  const outliers = findOutliers(
    comparableRecords(entries).map(({ label, l1, status }) => ({
      label,
      l1,
      censored: status === 'censored',
    })),
  );
  const byLabel = new Map(outliers.labels.map((outlier) => [outlier.label, outlier]));
  const labels = bestRecords(entries).map(
    ({ curve: _curve, timings: { seconds }, ...figures }): LabelResult => {
      const { anomalyIndex = null, pValue = null } = byLabel.get(figures.label) ?? {};
      return { ...figures, anomalyIndex, pValue, timings: { seconds } };
    },
  );
  return {
    run: { tool: { version: tool }, versions: { onnxruntime }, model, data, preprocess, config },
    outliers,
    labels,
  };
}

/** Only such names are read: a run may come from anywhere, and must not name files outside of itself. */
const arrayName = /^[^/\\]*_(mask|pattern)_label_\d+(_source_\d+)?\.npy$/;

interface LabelPictures {
  readonly mask: Picture;
  readonly fusion: Picture | undefined;
  readonly detail: LabelDetail['pictures'];
}

/** Longest edges; `undefined` for pictures that are not wanted. */
type Sizes = { readonly mask: number } & Readonly<Record<'fusion' | 'detail', number | undefined>>;

async function picturesOf(
  { read }: ReportSources,
  files: readonly string[],
  sizes: Sizes,
): Promise<LabelPictures | undefined> {
  const array = async (kind: string) => {
    const name = files.find((file) => arrayName.exec(file)?.[1] === kind);
    const bytes = name === undefined ? undefined : await read(name);
    return bytes && toFloat32(parseNpy(bytes));
  };
  const { fusion, detail } = sizes;
  const mask = await array('mask');
  // A mask alone is drawn with black, which takes a fraction of the time.
  const onlyMask = fusion === undefined && detail === undefined;
  const pattern = onlyMask ? mask && black(mask) : await array('pattern');
  if (!mask || !pattern) return undefined;
  const images = renderTrigger(makeTrigger(mask, pattern));
  return {
    mask: pictureOf(images.mask, sizes.mask),
    fusion: fusion === undefined ? undefined : pictureOf(images.fusion, fusion),
    detail: detail === undefined ? undefined : detailPictures(images, detail),
  };
}

const black = ({ dims, data }: Tensor<'float32'>): Tensor<'float32'> =>
  float32([...dims, 1], new Float32Array(data.length));

const detailPictures = ({ mask, pattern, fusion }: TriggerImages, edge: number) => ({
  mask: pictureOf(mask, edge),
  pattern: pictureOf(pattern, edge),
  fusion: pictureOf(fusion, edge),
});

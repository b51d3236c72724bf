/** Reports of scans that never ran, made of triggers that are drawn when they are read. */

import { writeNpy } from '../../src/data/npy.ts';
import type { RunLog } from '../../src/data/run-log.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { collectReport, type ReportSources } from '../../src/report/html/collect.ts';
import type { FinishedReport, ReportContent } from '../../src/report/html/content.ts';
import type { ReportExtras } from '../../src/report/html/extras.ts';
import { pictureOf } from '../../src/report/html/picture.ts';
import type { LabelRecord } from '../../src/report/label-record.ts';
import type { LabelResult, ScanResult } from '../../src/report/result.ts';
import { type Sample, sampleResult } from './sample.ts';

export interface HtmlSample extends Sample {
  /** Edge of images and masks, in pixels. @default 32 */
  readonly edge?: number;
  /** Label whose examples, card and machine are known. @default 33 */
  readonly examplesOf?: number;
}

/** A finished report in which every label has a trigger, and all have a curve. */
export async function sampleReport(sample: HtmlSample = {}): Promise<FinishedReport> {
  const { edge = 32, examplesOf = 33 } = sample;
  const plain = sampleResult(sample);
  const result: ScanResult = {
    ...plain,
    labels: plain.labels.map((label) => ({ ...label, files: filesOf(label.label) })),
  };
  const content = await collectReport({
    result,
    log: { header: {}, entries: result.labels.map(recordOf), end: 0 },
    extras: extrasOf(examplesOf),
    read: drawTriggers(result.labels, edge),
  });
  return { ...content!, result };
}

/** The same scan before it has finished, with these labels known. */
export async function unfinishedReport(known: number): Promise<ReportContent> {
  const result = sampleResult();
  const labels = result.labels.slice(0, known).map((label) => ({ ...label, files: filesOf(label.label) }));
  const log = { header: headerOf(result), entries: labels.map(recordOf), end: 0 };
  return (await collectReport({ log, read: drawTriggers(labels, 32) }))!;
}

/** What a run writes into the first line of its log. */
export function headerOf(result: ScanResult): NonNullable<RunLog<unknown>['header']> {
  const { model, data, preprocess, config, tool, versions, schemaVersion } = result;
  const { name: _name, ...arithmetic } = preprocess;
  return {
    schemaVersion,
    tool: tool.version,
    onnxruntime: versions.onnxruntime,
    model: { sha256: model.sha256, input: model.input, output: 'scores' },
    data: { sha256: data.sha256, count: data.count },
    preprocess: arithmetic,
    ...config,
  };
}

export const filesOf = (label: number): string[] =>
  ['mask', 'pattern'].map((kind) => `gtsrb_visualize_${kind}_label_${label}.npy`);

export function recordOf(result: Omit<LabelResult, 'anomalyIndex' | 'pValue'>): LabelRecord {
  const { label, start, status, l1, asr, steps, gradientSteps, stopped, files } = result;
  const step = Array.from({ length: 50 }, (_, i) => i);
  return {
    ...{ label, start, status, l1, asr, probe: 0, steps, gradientSteps, stopped, files },
    curve: {
      step,
      asr: step.map((i) => Math.min(1, i / 10)),
      norm: step.map((i) => 400 / (1 + i)),
      crossEntropy: step.map((i) => 3 / (1 + i)),
      cost: step.map((i) => (i < 10 ? 0 : 0.001 * i)),
    },
    timings: { seconds: 2, runtimeMs: 1800 },
  };
}

/** Noise everywhere is the hardest to compress. */
function drawTriggers(labels: readonly Pick<LabelResult, 'label'>[], edge: number): ReportSources['read'] {
  const known = new Set(labels.flatMap(({ label }) => filesOf(label)));
  const mask = noise(edge * edge, 1);
  const pattern = noise(edge * edge * 3, 255);
  return async (name) => {
    if (!known.has(name)) return undefined;
    return name.includes('_mask_')
      ? writeNpy(float32([edge, edge], mask))
      : writeNpy(float32([edge, edge, 3], pattern));
  };
}

/** A linear congruential generator (Numerical Recipes), scaled to [0, most). */
function noise(length: number, most: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((most * 256 * state) / 2 ** 32) / 256;
  });
}

function extrasOf(label: number): ReportExtras {
  const image = pictureOf({ height: 2, width: 2, channels: 1, data: Uint8Array.of(0, 85, 170, 255) }, 2);
  const example = (after: number) => ({
    shows: 2,
    original: image,
    stamped: image,
    before: { label: 2, confidence: 0.9 },
    after: { label: after, confidence: 0.75 },
  });
  return {
    schemaVersion: 1,
    model: {
      opset: 21,
      producer: 'exporter',
      parameters: 123456,
      operators: [
        { operator: 'Conv', count: 6 },
        { operator: 'Relu', count: 5 },
      ],
    },
    examples: [{ label, images: [example(label), example(2)] }],
    environment: { cpu: 'Processor 3000', cores: 2, memoryBytes: 2 ** 34, system: 'Linux 6' },
  };
}

/** Makes `report.json` while model and images are at hand. */

import { cpus, release, totalmem, type } from 'node:os';
import { readTrigger } from '../data/trigger-files.ts';
import { type StampedExample, stampExamples } from '../detect/examples.ts';
import { Predictor } from '../detect/predictor.ts';
import type { PreflightReport } from '../detect/preflight.ts';
import { splitSamples } from '../detect/split.ts';
import { canonicalize } from '../model/canonical.ts';
import { countOperators, countParameters } from '../model/inspect.ts';
import type { Model } from '../onnx/graph.ts';
import type { RunInputs } from '../report/build-result.ts';
import { detailedLabels } from '../report/html/content.ts';
import type { Example, ReportExtras } from '../report/html/extras.ts';
import { pictureOf } from '../report/html/picture.ts';
import type { ScanResult } from '../report/result.ts';
import { nodeRuntime } from '../runtime/node.ts';
import { restoreTrigger } from '../triggers/render.ts';

/** Images a label, and their longest edge in pixels. */
const examplesPerLabel = 6;
const exampleEdge = 96;

/**
 * @param folder holds the triggers
 * @throws NeuralCleanseError RUNTIME_FAILED, LOGITS_NAN; what {@link readTrigger} throws
 */
export async function makeExtras(
  { inputs, folder, model }: { inputs: RunInputs; folder: string; model: Model },
  preflight: PreflightReport,
  result: ScanResult,
): Promise<ReportExtras> {
  const labels = detailedLabels({ labels: result.labels, flagged: result.outliers?.flagged ?? [] });
  return {
    schemaVersion: 1,
    model: modelCard(model),
    examples: labels.length === 0 ? [] : await stampAll(inputs, folder, preflight, labels),
    environment: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown processor',
      cores: cpus().length,
      memoryBytes: totalmem(),
      system: `${type()} ${release()}`,
    },
  };
}

/** @throws NeuralCleanseError as {@link canonicalize} */
const modelCard = (model: Model): ReportExtras['model'] => ({
  opset: model.opsets.get('') ?? null,
  producer: model.producer,
  parameters: countParameters(model),
  operators: countOperators(canonicalize(model)).map(({ operator, count }) => ({ operator, count })),
});

async function stampAll(
  { classifier, images, seed, provider }: RunInputs,
  folder: string,
  { chosen }: PreflightReport,
  labels: readonly number[],
): Promise<ReportExtras['examples']> {
  const split = splitSamples(images, seed);
  const predictor = await Predictor.open(nodeRuntime, classifier, chosen.preprocess, { provider });
  try {
    const examples: ReportExtras['examples'] = [];
    for (const label of labels) {
      const trigger = restoreTrigger(await readTrigger(folder, label));
      const request = { label, trigger, count: examplesPerLabel };
      const stamped = await stampExamples(predictor, images, split, request);
      examples.push({ label, images: stamped.map(exampleOf) });
    }
    return examples;
  } finally {
    await predictor.release();
  }
}

const exampleOf = ({ shows, original, stamped, before, after }: StampedExample): Example => ({
  shows: shows ?? null,
  original: pictureOf(original, exampleEdge),
  stamped: pictureOf(stamped, exampleEdge),
  before,
  after,
});

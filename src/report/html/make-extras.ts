/** Makes `report.json` while model and images are at hand. */

import { type StampedExample, stampExamples } from '../../detect/examples.ts';
import { Predictor } from '../../detect/predictor.ts';
import type { PreflightReport } from '../../detect/preflight.ts';
import { splitSamples } from '../../detect/split.ts';
import { canonicalize } from '../../model/canonical.ts';
import { countOperators, countParameters } from '../../model/inspect.ts';
import type { Model } from '../../onnx/graph.ts';
import type { Runtime } from '../../runtime/session.ts';
import type { Trigger } from '../../triggers/trigger.ts';
import type { RunInputs } from '../build-result.ts';
import type { ScanResult } from '../result.ts';
import { detailedLabels } from './content.ts';
import type { Example, ReportExtras } from './extras.ts';
import { pictureOf } from './picture.ts';

/** Images a label, and their longest edge in pixels. */
const examplesPerLabel = 6;
const exampleEdge = 96;

export interface ExtrasSources {
  readonly runtime: Runtime;
  readonly inputs: RunInputs;
  /** As it was given. */
  readonly model: Model;
  readonly preflight: PreflightReport;
  readonly result: ScanResult;
  readonly environment: ReportExtras['environment'];
  /** The saved trigger of a label. */
  trigger(label: number): Promise<Trigger>;
}

/** @throws NeuralCleanseError RUNTIME_FAILED, LOGITS_NAN; what `trigger` throws */
export async function makeExtras(sources: ExtrasSources): Promise<ReportExtras> {
  const { model, result, environment } = sources;
  const labels = detailedLabels({
    labels: result.labels,
    flagged: result.findings.map(({ label }) => label),
  });
  return {
    schemaVersion: 1,
    model: modelCard(model),
    examples: labels.length === 0 ? [] : await stampAll(sources, labels),
    environment,
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
  { runtime, inputs, preflight: { chosen }, trigger }: ExtrasSources,
  labels: readonly number[],
): Promise<ReportExtras['examples']> {
  const { classifier, images, seed, provider } = inputs;
  const split = splitSamples(images, seed);
  const predictor = await Predictor.open(runtime, classifier, chosen.preprocess, { provider });
  try {
    const examples: ReportExtras['examples'] = [];
    for (const label of labels) {
      const request = { label, trigger: await trigger(label), count: examplesPerLabel };
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

/** Makes a filter and writes it. */

import { basename } from 'node:path';
import { saveModel } from '../data/model-file.ts';
import { replaceFiles, wholeFile } from '../data/replace-files.ts';
import { digestOf } from '../data/run-digest.ts';
import { exportFilter } from '../mitigate/export-filter.ts';
import { createFilter } from '../mitigate/filter.ts';
import { writeFilter } from '../mitigate/filter-file.ts';
import { outputDifference } from '../mitigate/output-difference.ts';
import type { Classifier } from '../model/classifier.ts';
import type { Model } from '../onnx/graph.ts';
import { nodeRuntime } from '../runtime/node.ts';
import { type MitigationOptions, openMitigation } from './mitigation-inputs.ts';
import { checkOutputs, type OutputOptions } from './mitigation-output.ts';
import { note, print } from './output.ts';
import { checkDistinct } from './output-paths.ts';
import { version } from './version.ts';

export interface MakeFilterOptions extends MitigationOptions, OutputOptions {
  readonly out: string;
  readonly onnx?: string;
  readonly fpr?: number;
  readonly layer?: string;
}

/** Images that are used unless the user says otherwise. */
const defaultSamples = 2000;

/** @throws NeuralCleanseError what opening the inputs, {@link createFilter} and {@link exportFilter} throw */
export async function makeFilter(path: string, options: MakeFilterOptions): Promise<void> {
  const { out, onnx, fpr, layer, seed, trigger: run } = options;
  checkDistinct({ 'the filter': out, 'the model with its score': onnx });
  await checkOutputs(onnx === undefined ? [out] : [out, onnx], path, options);
  const { opened, classifier, images, preprocess, triggers, session } = await openMitigation(
    path,
    { samples: defaultSamples, ...options },
    { leastPerClass: 0 },
  );
  const filter = await createFilter(nodeRuntime, classifier, preprocess, images, triggers, {
    seed,
    session,
    ...(fpr !== undefined && { fpr }),
    ...(layer !== undefined && { layer }),
  });
  const text = writeFilter(filter, {
    version,
    model: {
      name: basename(path),
      sha256: opened.sha256,
      output: options.output ?? opened.model.graph.outputs[0]!.name,
    },
    preprocess,
    triggers,
    images: { source: images.source, sha256: digestOf(images), seed },
    run,
  });
  if (onnx !== undefined) {
    const exported = exportFilter(opened.model, filter);
    await checkExport(opened.model, exported, classifier);
    await saveModel(onnx, exported);
  }
  await replaceFiles([wholeFile(out, text)]);
  print(
    `Layer      ${filter.layer.tensor}: ${filter.detectors[0]!.neurons.length} of ${filter.layer.neurons} neurons watched`,
    `Threshold  ${filter.threshold.toFixed(3)}, which rejects ${percent(filter.fpr)} of clean images (set on ${filter.images.calibration})`,
    ...filter.detectors.map(
      ({ label }, i) =>
        `Label ${label}    ${percent(filter.caught[i]!)} of images with its reversed trigger are rejected`,
    ),
    `Written    ${[out, ...(onnx === undefined ? [] : [onnx])].join(', ')}`,
  );
}

/** Says so if the scores are no longer the same bit for bit. */
async function checkExport(model: Model, exported: Model, classifier: Classifier): Promise<void> {
  const { input, exportedBatch = 2 } = classifier;
  const difference = await outputDifference(nodeRuntime, [model, exported], input, exportedBatch);
  if (difference > 0) {
    note(
      `Warning: with its second output the model answers otherwise, by up to ${difference.toPrecision(2)}.`,
    );
  }
}

const percent = (share: number): string => `${Number((100 * share).toFixed(2))} %`;

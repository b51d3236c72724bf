/** A model that scores its own input: the filter as a second output. */

import { NeuralCleanseError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { inferDTypes } from '../onnx/dtypes.ts';
import { type Model, namesOf } from '../onnx/graph.ts';
import { appendScore } from './detector.ts';
import type { Filter } from './filter.ts';
import { modelWith } from './model-with.ts';
import { mitigatePrefix } from './prefix.ts';

export const scoreOutput = 'backdoor_score';

/**
 * The model with a further output `backdoor_score`, float32 [N]. Its other outputs, its input and its operator set stay as they are.
 * The threshold is in its metadata, `neural_cleanse.backdoor_threshold`.
 *
 * @param model the one that the filter was made for, as it was read
 * @throws NeuralCleanseError LAYER_NOT_FOUND, OUTPUT_EXISTS if the model has an output of that name
 */
export function exportFilter(model: Model, filter: Filter): Model {
  const { layer, detectors, threshold, fpr } = filter;
  const base = modelWith(model, layer);
  if (namesOf(base.graph).has(scoreOutput)) {
    throw new NeuralCleanseError('OUTPUT_EXISTS', `The model has a value named ${scoreOutput} already.`, {
      hint: 'Give the model without a filter.',
    });
  }
  const b = new GraphBuilder(base.graph, mitigatePrefix);
  const isFloat32 = inferDTypes(base.graph).get(layer.tensor) === 'float32';
  const value = isFloat32 ? layer.tensor : b.cast(layer.tensor, 'float32');
  const batch = base.graph.outputs[0]?.dims?.[0] ?? null;
  b.output(appendScore(b, value, layer, detectors), 'float32', [batch], scoreOutput);
  const metadata = new Map(base.metadata)
    .set('neural_cleanse.backdoor_threshold', String(threshold))
    .set('neural_cleanse.backdoor_fpr', String(fpr))
    .set('neural_cleanse.backdoor_labels', detectors.map(({ label }) => label).join());
  return { ...base, graph: b.build(), metadata };
}

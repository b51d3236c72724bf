/** A layer that was found in the prepared form of a model, in the model itself. */

import { NeuralCleanseError } from '../errors.ts';
import { canonicalize } from '../model/canonical.ts';
import type { Model } from '../onnx/graph.ts';
import type { Layer } from './layer.ts';

/**
 * The model as it was read, if the value of the layer exists in it; else its canonical form, where the value may be that of a
 * function or of an operator that was replaced.
 *
 * @throws NeuralCleanseError LAYER_NOT_FOUND
 */
export function modelWith(model: Model, { tensor, name }: Pick<Layer, 'tensor' | 'name'>): Model {
  const has = ({ graph }: Model): boolean => graph.nodes.some((node) => node.outputs.includes(tensor));
  if (has(model)) return model;
  const canonical = canonicalize(model);
  if (has(canonical)) return canonical;
  throw new NeuralCleanseError(
    'LAYER_NOT_FOUND',
    `The layer ${name} (${tensor}) arises only when the model is prepared.`,
    { hint: 'Name a value of the model with --layer.' },
  );
}

/** Errors about what a model file holds. */

import { NeuralCleanseError } from '../errors.ts';
import { labelOf, type Node } from './graph.ts';

const hint = 'The model file is damaged or was written by a faulty exporter; export it again.';

/** MODEL_INVALID about the model as a whole or one of its nodes. */
export const invalidModel = (message: string, node?: Node): NeuralCleanseError =>
  new NeuralCleanseError('MODEL_INVALID', message, {
    hint,
    ...(node && { node: labelOf(node), op: node.op }),
  });

/** MODEL_INVALID about a tensor; `what` follows its name. */
export const invalidTensor = (name: string, what: string): NeuralCleanseError =>
  new NeuralCleanseError('MODEL_INVALID', `Tensor "${name}" ${what}.`, { hint, data: { tensor: name } });

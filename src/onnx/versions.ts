/** Which versions of the file format and of the standard operator set can be read. */

import { NeuralCleanseError } from '../errors.ts';
import type { Model } from './graph.ts';

/** From IR 3 on a model states its operator sets; IR 13 is the newest that ONNX Runtime 1.30 opens. */
export const supportedIr = { min: 3, max: 13 } as const;

/** ONNX Runtime vouches for opset 7 and up; 22 and 23 only gave the operators of classifiers more element types. */
export const supportedOpsets = { min: 7, max: 23 } as const;

/** @throws NeuralCleanseError IR_UNSUPPORTED */
export function checkIrVersion(irVersion: number): void {
  const { min, max } = supportedIr;
  if (irVersion >= min && irVersion <= max) return;
  throw new NeuralCleanseError(
    'IR_UNSUPPORTED',
    `The model is in version ${irVersion} of the ONNX file format.`,
    {
      hint: `Versions ${min} to ${max} can be read; export it again${irVersion > max ? ' with an older onnx package' : ''}.`,
      data: { irVersion },
    },
  );
}

/**
 * Checks the version of the standard operator set. {@link readModel} calls this, so that every model from a file has passed it.
 *
 * @throws NeuralCleanseError MODEL_INVALID if the model does not state it, OPSET_UNSUPPORTED
 */
export function checkOpset(model: Pick<Model, 'opsets'>): void {
  const { min, max } = supportedOpsets;
  const version = model.opsets.get('');
  if (version === undefined) {
    throw new NeuralCleanseError('MODEL_INVALID', 'The model does not say which operator set it uses.', {
      hint: 'The file may be cut off; copy it or export it again.',
    });
  }
  if (version >= min && version <= max) return;
  throw new NeuralCleanseError('OPSET_UNSUPPORTED', `The model uses operator set ${version}.`, {
    hint: `Versions ${min} to ${max} are supported; export it again with one of them, or convert it with onnx.version_converter.`,
    data: { opset: version },
  });
}

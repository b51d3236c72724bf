/** The classifier of a model, and where it runs. */

import { type Classifier, prepareClassifier } from '../model/classifier.ts';
import type { Model } from '../onnx/graph.ts';
import { nodeRuntime } from '../runtime/node.ts';
import type { SessionOptions } from '../runtime/session.ts';
import type { ModelOptions } from './data-options.ts';
import { note } from './output.ts';

export interface OpenedClassifier {
  readonly classifier: Classifier;
  /** With the provider that was chosen. */
  readonly session: SessionOptions;
}

/**
 * Chooses the provider, and says on stderr if a faster one does not work.
 *
 * @throws NeuralCleanseError PROVIDER_UNAVAILABLE; what {@link prepareClassifier} throws
 */
export async function openClassifier(
  model: Model,
  { provider: wanted, threads, size, output }: ModelOptions,
): Promise<OpenedClassifier> {
  const { provider, notice } = await nodeRuntime.choose(wanted);
  if (notice !== undefined) note(notice);
  const session: SessionOptions = { provider, threads };
  const classifier = await prepareClassifier(nodeRuntime, model, {
    session,
    ...(size && { size }),
    ...(output !== undefined && { output }),
  });
  return { classifier, session };
}

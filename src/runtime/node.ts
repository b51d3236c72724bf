/** Sessions in Node. */

import type { Runtime } from './session.ts';
import { writeModel } from '../onnx/write.ts';
import { OrtSession, runtimeFailure } from './ort.ts';

export const nodeRuntime: Runtime = {
  async open(model, options = {}) {
    const ort = await import('onnxruntime-node');
    try {
      const session = await ort.InferenceSession.create(writeModel(model), {
        executionProviders: ['cpu'],
        intraOpNumThreads: options.threads ?? 1,
        interOpNumThreads: 1,
        graphOptimizationLevel: options.optimization ?? 'all',
      });
      return new OrtSession('cpu', session, ort.Tensor);
    } catch (cause) {
      throw runtimeFailure('load', cause);
    }
  },
};

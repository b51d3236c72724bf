/** Reads the neurons of a layer while the model looks at raw pixels, with or without a trigger on them. */

import { stampedImages } from '../attack/stamped-images.ts';
import { toBatch } from '../data/batch.ts';
import type { ImageSet } from '../data/dataset.ts';
import type { Preprocess } from '../data/preprocess.ts';
import { appendClassifier, builderFor } from '../data/raw-classifier.ts';
import type { Classifier } from '../model/classifier.ts';
import { prune } from '../onnx/graph.ts';
import { canonicalModel } from '../onnx/model.ts';
import type { Runtime, Session, SessionOptions } from '../runtime/session.ts';
import type { Trigger } from '../triggers/trigger.ts';
import type { Layer } from './layer.ts';

/** Stands before the names of what repairs add to a model. */
export const mitigatePrefix = 'nc/mitigate/';

/** Images in one run. */
const chunk = 64;

export class ActivationReader {
  private readonly session: Session;
  private readonly neurons: number;

  private constructor(session: Session, neurons: number) {
    this.session = session;
    this.neurons = neurons;
  }

  /** @throws NeuralCleanseError RUNTIME_FAILED, PROVIDER_UNAVAILABLE */
  static async open(
    runtime: Runtime,
    classifier: Classifier,
    preprocess: Preprocess,
    layer: Layer,
    options: SessionOptions = {},
  ): Promise<ActivationReader> {
    const { height, width, channels } = classifier.input;
    const b = builderFor(classifier, mitigatePrefix);
    const images = b.input('images', 'float32', ['N', channels, height, width]);
    appendClassifier(b, classifier, images, preprocess);
    const others = layer.shape.map((_, i) => i + 1).filter((axis) => axis !== layer.axis);
    const neurons = b.reduce('ReduceMean', layer.value, others, false);
    b.output(neurons, 'float32', ['N', layer.neurons], 'neurons');
    const session = await runtime.open(canonicalModel(prune(b.build())), options);
    return new ActivationReader(session, layer.neurons);
  }

  /**
   * @param indices of the images to look at
   * @param trigger stamped on each of them
   * @returns the neurons of each image in turn
   * @throws NeuralCleanseError TRIGGER_SIZE_MISMATCH
   */
  async *read(images: ImageSet, indices: readonly number[], trigger?: Trigger): AsyncGenerator<Float32Array> {
    for (let start = 0; start < indices.length; start += chunk) {
      const part = indices.slice(start, start + chunk);
      const shown = trigger ? stampedImages(images, part, { kind: 'patch', trigger }) : images;
      const order = trigger ? part.map((_, i) => i) : part;
      const result = await this.session.run({ images: toBatch(shown, order, 'NCHW') });
      const values = result.neurons!.data as Float32Array;
      for (let i = 0; i < part.length; i++) yield values.subarray(i * this.neurons, (i + 1) * this.neurons);
    }
  }

  release(): Promise<void> {
    return this.session.release();
  }
}

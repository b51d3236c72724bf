/** Reads the neurons of a layer while the model looks at raw pixels, with or without a trigger on them. */

import type { ImageSet } from '../data/dataset.ts';
import type { Preprocess } from '../data/preprocess.ts';
import type { Classifier } from '../model/classifier.ts';
import { prune } from '../onnx/graph.ts';
import { canonicalModel } from '../onnx/model.ts';
import type { Runtime, Session, SessionOptions } from '../runtime/session.ts';
import type { Trigger } from '../triggers/trigger.ts';
import { classifierOfImages, imageBatches } from './image-feed.ts';
import type { Layer } from './layer.ts';

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
    const { b } = classifierOfImages(classifier, preprocess);
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
   * @throws NeuralCleanseError as {@link imageBatches}
   */
  async *read(images: ImageSet, indices: readonly number[], trigger?: Trigger): AsyncGenerator<Float32Array> {
    for (const batch of imageBatches(images, indices, trigger)) {
      const result = await this.session.run({ images: batch.images });
      const values = result.neurons!.data as Float32Array;
      for (let i = 0; i < batch.count; i++) yield values.subarray(i * this.neurons, (i + 1) * this.neurons);
    }
  }

  release(): Promise<void> {
    return this.session.release();
  }
}

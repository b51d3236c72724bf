/** What a classifier answers while some neurons of a layer are set to 0. */

import type { ImageSet } from '../data/dataset.ts';
import type { Preprocess } from '../data/preprocess.ts';
import type { Classifier } from '../model/classifier.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { inferDTypes } from '../onnx/dtypes.ts';
import { capturedNames, type Graph, int, type Node, prune } from '../onnx/graph.ts';
import { canonicalModel } from '../onnx/model.ts';
import { float32, toNumbers } from '../onnx/tensor.ts';
import type { Runtime, Session, SessionOptions } from '../runtime/session.ts';
import type { Trigger } from '../triggers/trigger.ts';
import { neuronDims } from './channel-axis.ts';
import { classifierOfImages, imageBatches } from './image-feed.ts';
import type { Layer } from './layer.ts';
import { mitigatePrefix } from './prefix.ts';

/** One a neuron: 1 keeps it, 0 removes it. */
export type NeuronMask = Float32Array;

/**
 * The model is cut at the layer: what comes before it runs once for a batch of images, and only what comes after it once for
 * each mask.
 */
export class MaskedPredictor {
  private readonly head: Session;
  private readonly tail: Session;
  private readonly layer: Layer;

  private constructor(head: Session, tail: Session, layer: Layer) {
    this.head = head;
    this.tail = tail;
    this.layer = layer;
  }

  /** @throws NeuralCleanseError RUNTIME_FAILED, PROVIDER_UNAVAILABLE */
  static async open(
    runtime: Runtime,
    classifier: Classifier,
    preprocess: Preprocess,
    layer: Layer,
    options: SessionOptions = {},
  ): Promise<MaskedPredictor> {
    const { b, logits } = classifierOfImages(classifier, preprocess);
    const label = b.op('ArgMax', [logits], { axis: int(-1), keepdims: int(0) });
    b.output(label, 'int64', ['N'], 'label');
    const { head, tail } = cut(prune(b.build()), layer);
    const opened = await runtime.open(canonicalModel(head), options);
    try {
      return new MaskedPredictor(opened, await runtime.open(canonicalModel(tail), options), layer);
    } catch (error) {
      await opened.release();
      throw error;
    }
  }

  /**
   * @param indices of the images to classify
   * @param masks of which each is tried
   * @param trigger stamped on each image
   * @returns by mask, the labels of the images
   * @throws NeuralCleanseError as {@link imageBatches}
   */
  async predict(
    images: ImageSet,
    indices: readonly number[],
    masks: readonly NeuronMask[],
    trigger?: Trigger,
  ): Promise<Int32Array[]> {
    const labels = masks.map(() => new Int32Array(indices.length));
    const dims = neuronDims(this.layer);
    for (const batch of imageBatches(images, indices, trigger)) {
      const values = await this.head.run({ images: batch.images });
      for (const [i, mask] of masks.entries()) {
        const { label } = await this.tail.run({ ...values, mask: float32(dims, mask) });
        labels[i]!.set(toNumbers(label!), batch.start);
      }
    }
    return labels;
  }

  async release(): Promise<void> {
    await this.head.release();
    await this.tail.release();
  }
}

/**
 * Cuts a graph at the value of a layer. The head returns that value and all others that are read behind the cut; the tail takes them
 * and a mask.
 */
function cut(graph: Graph, layer: Layer): { head: Graph; tail: Graph } {
  const behind = new Set([layer.value]);
  const isBehind = (node: Node): boolean => readsOf(node).some((name) => behind.has(name));
  const after: Node[] = [];
  for (const node of graph.nodes) {
    if (!isBehind(node)) continue;
    after.push(node);
    for (const name of node.outputs) behind.add(name);
  }
  const made = new Set(after.flatMap((node) => node.outputs));
  const read = new Set(
    after.flatMap(readsOf).filter((name) => name && !made.has(name) && !graph.initializers.has(name)),
  );
  const dtypes = inferDTypes(graph);
  const declare = (name: string) => ({ name, dtype: dtypes.get(name) ?? 'float32', dims: null });
  const head = prune({ ...graph, outputs: [...read].map(declare) });

  const b = GraphBuilder.rewriting({ ...graph, inputs: [...read].map(declare) }, mitigatePrefix);
  const mask = b.input('mask', 'float32', neuronDims(layer));
  const masked = b.mul(layer.value, mask);
  for (const node of after) {
    b.push({ ...node, inputs: node.inputs.map((name) => (name === layer.value ? masked : name)) });
  }
  return { head, tail: prune(b.build()) };
}

const readsOf = (node: Node): string[] => [...node.inputs, ...capturedNames(node)];

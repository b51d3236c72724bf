/** Tensors whose bytes lie in files beside the model. */

import { invalidTensor } from './invalid.ts';
import {
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type SparseTensorProto,
  type TensorProto,
  TensorProto_DataLocation,
} from './proto/onnx_pb.ts';
import { rawByteLength } from './tensor-codec.ts';

/** Where the bytes of a tensor lie. The keys are those of the file format. */
export interface ExternalReference {
  /** File path, relative to the model's folder; as the model states it, so not to be trusted. */
  readonly location: string;
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

/** Fetches exactly `reference.length` bytes, in a buffer that nobody else uses. */
export type ExternalData = (reference: ExternalReference, tensor: string) => Uint8Array;

/** Takes the bytes of a tensor to another file and says where, or declines, so that they stay in the model. */
export type ExternalStore = (bytes: Uint8Array, tensor: string) => ExternalReference | undefined;

/**
 * Moves all external tensor data into the model, functions and subgraphs included, so that nothing read later on
 * (not even by ONNX Runtime) opens a file that the model names.
 *
 * @throws NeuralCleanseError MODEL_INVALID for a reference that makes no sense; whatever `read` throws
 */
export function embedExternalData(model: ModelProto, read: ExternalData): void {
  for (const tensor of tensorsOfGraph(model.graph)) embed(tensor, read);
  for (const tensor of tensorsOfNodes(model.functions.flatMap((f) => f.node))) embed(tensor, read);
}

function embed(tensor: TensorProto, read: ExternalData): void {
  if (tensor.dataLocation !== TensorProto_DataLocation.EXTERNAL) return;
  tensor.rawData = read(referenceOf(tensor), tensor.name) as Uint8Array<ArrayBuffer>;
  tensor.dataLocation = TensorProto_DataLocation.DEFAULT;
  tensor.externalData = [];
}

function referenceOf(tensor: TensorProto): ExternalReference {
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get('location');
  if (!location) throw invalidTensor(tensor.name, 'lies in an external file, but names none');
  const expected = rawByteLength(tensor);
  if (expected === undefined)
    throw invalidTensor(tensor.name, 'is of a type that cannot lie in an external file');
  const number = (key: string, fallback: number): number => {
    const text = entries.get(key);
    if (text === undefined || text === '') return fallback;
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
      throw invalidTensor(tensor.name, `has the impossible external ${key} "${text}"`);
    }
    return value;
  };
  const length = number('length', expected);
  if (length !== expected) {
    throw invalidTensor(
      tensor.name,
      `of shape [${tensor.dims}] needs ${expected} bytes, but refers to ${length}`,
    );
  }
  return { location, offset: number('offset', 0), length };
}

function* tensorsOfGraph(graph: GraphProto | undefined): Generator<TensorProto> {
  if (!graph) return;
  yield* graph.initializer;
  for (const sparse of graph.sparseInitializer) yield* tensorsOfSparse(sparse);
  yield* tensorsOfNodes(graph.node);
}

function* tensorsOfNodes(nodes: readonly NodeProto[]): Generator<TensorProto> {
  for (const node of nodes) for (const attribute of node.attribute) yield* tensorsOfAttribute(attribute);
}

function* tensorsOfAttribute(attribute: AttributeProto): Generator<TensorProto> {
  if (attribute.t) yield attribute.t;
  yield* attribute.tensors;
  for (const graph of [attribute.g, ...attribute.graphs]) yield* tensorsOfGraph(graph);
  for (const sparse of [attribute.sparseTensor, ...attribute.sparseTensors]) yield* tensorsOfSparse(sparse);
}

function* tensorsOfSparse(sparse: SparseTensorProto | undefined): Generator<TensorProto> {
  if (sparse?.values) yield sparse.values;
  if (sparse?.indices) yield sparse.indices;
}

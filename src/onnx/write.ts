/** Model -> ONNX bytes. */

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { NeuralCleanseError } from '../errors.ts';
import type { ExternalStore } from './external-data.ts';
import type { Attribute, Graph, Model, Node, ValueInfo } from './graph.ts';
import {
  AttributeProto_AttributeType as AT,
  type AttributeProto,
  AttributeProtoSchema,
  FunctionProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  TensorShapeProto_DimensionSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './proto/onnx_pb.ts';
import { type Tensor, toInt64 } from './tensor.ts';
import { codeFromDtype, tensorToProto } from './tensor-codec.ts';

/** Protobuf messages end at 2 GiB; names, nodes and lengths need a little of it. */
export const maxModelBytes = 1.9e9;

/**
 * Serialises a model.
 *
 * @param store may take the bytes of initializers to other files; by default all lie in the model
 * @throws NeuralCleanseError MODEL_TOO_LARGE if more than {@link maxModelBytes} of tensors would lie in the model
 */
export function writeModel(model: Model, store?: ExternalStore): Uint8Array {
  let inside = tensorBytes(model.graph);
  const counted: ExternalStore = (bytes, tensor) => {
    const reference = store?.(bytes, tensor);
    if (reference) inside -= bytes.byteLength;
    return reference;
  };
  const graph = graphToProto(model.graph, counted);
  if (inside > maxModelBytes) {
    throw new NeuralCleanseError('MODEL_TOO_LARGE', `The model holds ${inside} bytes of constants.`, {
      hint: `One ONNX file can hold ${maxModelBytes}; keep the weights in initializers, saved to a data file beside it.`,
    });
  }
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      // Initializers that are not inputs exist since IR 4.
      irVersion: BigInt(Math.max(4, model.irVersion)),
      producerName: model.producer,
      opsetImport: Array.from(model.opsets, ([domain, version]) => ({ domain, version: BigInt(version) })),
      graph,
      metadataProps: Array.from(model.metadata, ([key, value]) => ({ key, value })),
      functions: model.functions.map((f) => fromBinary(FunctionProtoSchema, f)),
    }),
  );
}

/** Bytes of all tensors of a graph, those of attributes and subgraphs included. */
export function tensorBytes(graph: Graph): number {
  let total = 0;
  for (const tensor of graph.initializers.values()) total += bytesOf(tensor);
  for (const node of graph.nodes) {
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.type === 'tensor') total += bytesOf(attribute.value);
      else if (attribute.type === 'graph') total += tensorBytes(attribute.value);
    }
  }
  return total;
}

const bytesOf = ({ data }: Tensor): number =>
  Array.isArray(data) ? data.reduce((n, string) => n + string.byteLength, 0) : data.byteLength;

function graphToProto(graph: Graph, store: ExternalStore): GraphProto {
  return create(GraphProtoSchema, {
    name: graph.name,
    input: graph.inputs.map(valueToProto),
    output: graph.outputs.map(valueToProto),
    initializer: Array.from(graph.initializers, ([name, tensor]) => tensorToProto(name, tensor, store)),
    node: graph.nodes.map((node) => nodeToProto(node, store)),
  });
}

const nodeToProto = (node: Node, store: ExternalStore): NodeProto =>
  create(NodeProtoSchema, {
    opType: node.op,
    domain: node.domain,
    overload: node.overload ?? '',
    name: node.name,
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Object.entries(node.attributes).map(([name, a]) => attributeToProto(name, a, store)),
  });

function valueToProto({ name, dtype, dims, opaqueType }: ValueInfo): ValueInfoProto {
  if (opaqueType)
    return create(ValueInfoProtoSchema, { name, type: fromBinary(TypeProtoSchema, opaqueType) });
  if (dtype === null || dtype === 'opaque') return create(ValueInfoProtoSchema, { name });
  const dim = dims?.map((d) =>
    create(TensorShapeProto_DimensionSchema, {
      value:
        typeof d === 'number'
          ? { case: 'dimValue', value: BigInt(d) }
          : d === null
            ? { case: undefined }
            : { case: 'dimParam', value: d },
    }),
  );
  const tensorType = { elemType: codeFromDtype(dtype), ...(dim ? { shape: { dim } } : {}) };
  return create(ValueInfoProtoSchema, { name, type: { value: { case: 'tensorType', value: tensorType } } });
}

function attributeToProto(name: string, attribute: Attribute, store: ExternalStore): AttributeProto {
  const encoder = new TextEncoder();
  switch (attribute.type) {
    case 'int':
      return create(AttributeProtoSchema, {
        name,
        type: AT.INT,
        i: attribute.exact ?? toInt64(attribute.value),
      });
    case 'ints': {
      const stored = attribute.exact ?? attribute.value.map(toInt64);
      return create(AttributeProtoSchema, { name, type: AT.INTS, ints: [...stored] });
    }
    case 'float':
      return create(AttributeProtoSchema, { name, type: AT.FLOAT, f: attribute.value });
    case 'floats':
      return create(AttributeProtoSchema, { name, type: AT.FLOATS, floats: [...attribute.value] });
    case 'string':
      return create(AttributeProtoSchema, { name, type: AT.STRING, s: encoder.encode(attribute.value) });
    case 'strings':
      return create(AttributeProtoSchema, {
        name,
        type: AT.STRINGS,
        strings: attribute.value.map((s) => encoder.encode(s)),
      });
    case 'tensor':
      return create(AttributeProtoSchema, { name, type: AT.TENSOR, t: tensorToProto('', attribute.value) });
    case 'graph':
      return create(AttributeProtoSchema, { name, type: AT.GRAPH, g: graphToProto(attribute.value, store) });
    case 'opaque':
      return fromBinary(AttributeProtoSchema, attribute.value);
  }
}

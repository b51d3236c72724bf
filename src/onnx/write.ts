/** Model -> ONNX bytes. */

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { Attribute, Graph, Model, ValueInfo } from './graph.ts';
import {
  type AttributeProto,
  AttributeProto_AttributeType as AT,
  AttributeProtoSchema,
  FunctionProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorShapeProto_DimensionSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './proto/onnx_pb.ts';
import { codeFromDtype, tensorToProto } from './tensor-codec.ts';

/** Serialises a model. Tensors are stored inside the file. */
export function writeModel(model: Model): Uint8Array {
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      // Initializers that are not inputs exist since IR 4.
      irVersion: BigInt(Math.max(4, model.irVersion)),
      producerName: model.producer,
      opsetImport: Array.from(model.opsets, ([domain, version]) => ({ domain, version: BigInt(version) })),
      graph: graphToProto(model.graph),
      metadataProps: Array.from(model.metadata, ([key, value]) => ({ key, value })),
      functions: model.functions.map((f) => fromBinary(FunctionProtoSchema, f)),
    }),
  );
}

function graphToProto(graph: Graph): GraphProto {
  return create(GraphProtoSchema, {
    name: graph.name,
    input: graph.inputs.map(valueToProto),
    output: graph.outputs.map(valueToProto),
    initializer: Array.from(graph.initializers, ([name, tensor]) => tensorToProto(name, tensor)),
    node: graph.nodes.map((n) =>
      create(NodeProtoSchema, {
        opType: n.op,
        domain: n.domain,
        name: n.name,
        input: [...n.inputs],
        output: [...n.outputs],
        attribute: Object.entries(n.attributes).map(([name, a]) => attributeToProto(name, a)),
      }),
    ),
  });
}

function valueToProto(value: ValueInfo): ValueInfoProto {
  if (value.dtype === null || value.dtype === 'opaque') return create(ValueInfoProtoSchema, { name: value.name });
  const dim = value.dims?.map((d) =>
    create(TensorShapeProto_DimensionSchema, {
      value:
        typeof d === 'number'
          ? { case: 'dimValue', value: BigInt(d) }
          : d === null
            ? { case: undefined }
            : { case: 'dimParam', value: d },
    }),
  );
  const tensorType = { elemType: codeFromDtype(value.dtype), ...(dim ? { shape: { dim } } : {}) };
  return create(ValueInfoProtoSchema, { name: value.name, type: { value: { case: 'tensorType', value: tensorType } } });
}

const int64Max = 2n ** 63n - 1n;

/** Whole numbers beyond 2^53 occur only as "to the end" bounds; 2^63 - 1 itself is not a double. */
const bigint = (value: number): bigint => (value >= 2 ** 63 ? int64Max : BigInt(value));

function attributeToProto(name: string, attribute: Attribute): AttributeProto {
  const encoder = new TextEncoder();
  switch (attribute.type) {
    case 'int':
      return create(AttributeProtoSchema, { name, type: AT.INT, i: bigint(attribute.value) });
    case 'ints':
      return create(AttributeProtoSchema, { name, type: AT.INTS, ints: attribute.value.map(bigint) });
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
      return create(AttributeProtoSchema, { name, type: AT.GRAPH, g: graphToProto(attribute.value) });
    case 'opaque':
      return fromBinary(AttributeProtoSchema, attribute.value);
  }
}

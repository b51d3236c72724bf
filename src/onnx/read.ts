/** ONNX bytes -> Model. */

import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { NeuralCleanseError } from '../errors.ts';
import type { Attribute, Attributes, Dim, Graph, Model, Node, ValueInfo } from './graph.ts';
import {
  type AttributeProto,
  AttributeProto_AttributeType as AT,
  AttributeProtoSchema,
  FunctionProtoSchema,
  type GraphProto,
  ModelProtoSchema,
  type ValueInfoProto,
} from './proto/onnx_pb.ts';
import type { Tensor } from './tensor.ts';
import { dtypeFromCode, type ExternalData, tensorFromProto } from './tensor-codec.ts';

const noExternalData: ExternalData = (_, tensor) => {
  throw new NeuralCleanseError('EXTERNAL_DATA_MISSING', `Tensor "${tensor}" lies in an external file.`, {
    hint: 'Open the model by its path, with its data files beside it.',
  });
};

/**
 * Parses an ONNX model.
 *
 * @throws NeuralCleanseError MODEL_TRUNCATED, MODEL_NOT_ONNX, MODEL_INVALID, EXTERNAL_DATA_MISSING
 */
export function readModel(bytes: Uint8Array, external: ExternalData = noExternalData): Model {
  const proto = parse(bytes);
  if (!proto.graph || proto.graph.node.length + proto.graph.output.length === 0) {
    throw new NeuralCleanseError('MODEL_NOT_ONNX', 'The file holds no ONNX graph.', {
      hint: 'Give a model exported as .onnx.',
    });
  }
  return {
    irVersion: Number(proto.irVersion),
    producer: [proto.producerName, proto.producerVersion].filter(Boolean).join(' '),
    opsets: new Map(proto.opsetImport.map((o) => [o.domain === 'ai.onnx' ? '' : o.domain, Number(o.version)])),
    graph: graphFromProto(proto.graph, external),
    metadata: new Map(proto.metadataProps.map((p) => [p.key, p.value])),
    functions: proto.functions.map((f) => toBinary(FunctionProtoSchema, f)),
  };
}

function parse(bytes: Uint8Array) {
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    const truncated = cause instanceof RangeError || /premature|index out of range/i.test(String(cause));
    throw new NeuralCleanseError(
      truncated ? 'MODEL_TRUNCATED' : 'MODEL_NOT_ONNX',
      truncated ? 'The model file ends in the middle of a field.' : 'The file is not an ONNX model.',
      { hint: truncated ? 'Copy or download it again.' : 'Give a model exported as .onnx.', cause },
    );
  }
}

function graphFromProto(proto: GraphProto, external: ExternalData): Graph {
  const initializers = new Map<string, Tensor>();
  for (const tensor of proto.initializer) initializers.set(tensor.name, tensorFromProto(tensor, external));
  return {
    name: proto.name,
    inputs: proto.input.filter((i) => !initializers.has(i.name)).map(valueFromProto),
    outputs: proto.output.map(valueFromProto),
    initializers,
    nodes: proto.node.map(
      (n): Node => ({
        op: n.opType,
        domain: n.domain === 'ai.onnx' ? '' : n.domain,
        name: n.name,
        inputs: n.input,
        outputs: n.output,
        attributes: Object.fromEntries(
          n.attribute.map((a) => [a.name, attributeFromProto(a, external)]),
        ) as Attributes,
      }),
    ),
  };
}

function valueFromProto(proto: ValueInfoProto): ValueInfo {
  const type = proto.type?.value;
  if (type?.case !== 'tensorType') return { name: proto.name, dtype: null, dims: null };
  const { elemType, shape } = type.value;
  const dims = shape?.dim.map(
    ({ value }): Dim => (value.case === 'dimValue' ? Number(value.value) : value.case === 'dimParam' ? value.value : null),
  );
  return { name: proto.name, dtype: dtypeFromCode(elemType), dims: dims ?? null };
}

function attributeFromProto(proto: AttributeProto, external: ExternalData): Attribute {
  const decoder = new TextDecoder();
  switch (proto.type) {
    case AT.INT:
      return { type: 'int', value: Number(proto.i) };
    case AT.INTS:
      return { type: 'ints', value: proto.ints.map(Number) };
    case AT.FLOAT:
      return { type: 'float', value: proto.f };
    case AT.FLOATS:
      return { type: 'floats', value: proto.floats };
    case AT.STRING:
      return { type: 'string', value: decoder.decode(proto.s) };
    case AT.STRINGS:
      return { type: 'strings', value: proto.strings.map((s) => decoder.decode(s)) };
    case AT.TENSOR:
      if (proto.t) return { type: 'tensor', value: tensorFromProto(proto.t, external) };
      break;
    case AT.GRAPH:
      if (proto.g) return { type: 'graph', value: graphFromProto(proto.g, external) };
      break;
    default:
  }
  return { type: 'opaque', value: toBinary(AttributeProtoSchema, proto) };
}

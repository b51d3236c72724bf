/** ONNX bytes -> Model. */

import { toBinary } from '@bufbuild/protobuf';
import { NeuralCleanseError } from '../errors.ts';
import { checkGraph } from './check.ts';
import { type ExternalData, embedExternalData } from './external-data.ts';
import {
  type Attribute,
  type Attributes,
  type Dim,
  type Graph,
  labelOf,
  type Model,
  type Node,
  type ValueInfo,
} from './graph.ts';
import { invalidModel, invalidTensor } from './invalid.ts';
import { parseModel } from './parse.ts';
import {
  AttributeProto_AttributeType as AT,
  type AttributeProto,
  AttributeProtoSchema,
  FunctionProtoSchema,
  type GraphProto,
  type NodeProto,
  type OperatorSetIdProto,
  TypeProtoSchema,
  type ValueInfoProto,
} from './proto/onnx_pb.ts';
import { sortGraph } from './sort.ts';
import { denseFromSparse } from './sparse.ts';
import { type Tensor, toInt64 } from './tensor.ts';
import { dtypeFromCode, tensorFromProto } from './tensor-codec.ts';
import { checkIrVersion, checkOpset } from './versions.ts';

const noExternalData: ExternalData = ({ location }, tensor) => {
  throw new NeuralCleanseError(
    'EXTERNAL_DATA_MISSING',
    `Tensor "${tensor}" lies in the file "${location}".`,
    {
      hint: 'Open the model by its path, with its data files beside it.',
    },
  );
};

/**
 * Parses an ONNX model and makes its graph keep the promises of the IR: topologically sorted, every name defined once and
 * before use, tensors that fill their shapes, a supported operator set.
 *
 * @param external fetches tensor data that lies in other files; without it such a model is refused
 * @throws NeuralCleanseError MODEL_NOT_ONNX, MODEL_TRUNCATED, MODEL_INVALID, MODEL_TOO_LARGE, IR_UNSUPPORTED,
 *   OPSET_UNSUPPORTED, EXTERNAL_DATA_MISSING
 */
export function readModel(bytes: Uint8Array, external: ExternalData = noExternalData): Model {
  const proto = parseModel(bytes);
  const irVersion = Number(proto.irVersion);
  checkIrVersion(irVersion);
  const opsets = opsetsFromProto(proto.opsetImport);
  checkOpset({ opsets });
  embedExternalData(proto, external);
  const graph = sortGraph(graphFromProto(proto.graph));
  checkGraph(graph);
  return {
    irVersion,
    producer: [proto.producerName, proto.producerVersion].filter(Boolean).join(' '),
    opsets,
    graph,
    metadata: new Map(proto.metadataProps.map((p) => [p.key, p.value])),
    functions: proto.functions.map((f) => toBinary(FunctionProtoSchema, f)),
  };
}

/** The standard domain has two spellings. */
const domainOf = (domain: string): string => (domain === 'ai.onnx' ? '' : domain);

function opsetsFromProto(imports: readonly OperatorSetIdProto[]): Map<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain, version } of imports) {
    const number = Number(version);
    if (!Number.isSafeInteger(number)) throw invalidModel(`Operator set "${domain}" has version ${version}.`);
    if ((opsets.get(domainOf(domain)) ?? number) !== number) {
      throw invalidModel(`Operator set "${domain}" is imported in two versions.`);
    }
    opsets.set(domainOf(domain), number);
  }
  return opsets;
}

function graphFromProto(proto: GraphProto): Graph {
  const initializers = initializersFromProto(proto);
  return {
    name: proto.name,
    inputs: proto.input.filter((i) => !initializers.has(i.name)).map(valueFromProto),
    outputs: proto.output.map(valueFromProto),
    initializers,
    nodes: proto.node.map(nodeFromProto),
  };
}

function initializersFromProto(proto: GraphProto): Map<string, Tensor> {
  const initializers = new Map<string, Tensor>();
  const add = (name: string, tensor: Tensor): void => {
    if (name === '' || initializers.has(name))
      throw invalidTensor(name, name ? 'is defined twice' : 'has no name');
    initializers.set(name, tensor);
  };
  for (const tensor of proto.initializer) add(tensor.name, tensorFromProto(tensor));
  for (const sparse of proto.sparseInitializer) add(sparse.values?.name ?? '', denseFromSparse(sparse));
  return initializers;
}

function nodeFromProto(proto: NodeProto): Node {
  const node: Node = {
    op: proto.opType,
    domain: domainOf(proto.domain),
    ...(proto.overload ? { overload: proto.overload } : {}),
    name: proto.name,
    inputs: proto.input,
    outputs: proto.output,
    attributes: {},
  };
  if (!node.op) throw invalidModel(`Node "${labelOf(node)}" has no operator.`);
  const attributes = new Map<string, Attribute>();
  for (const attribute of proto.attribute) {
    const { name } = attribute;
    const value = attributeFromProto(attribute);
    if (!value || attributes.has(name)) {
      throw invalidModel(`Attribute "${name}" ${value ? 'is given twice' : 'has no value'}.`, node);
    }
    attributes.set(name, value);
  }
  return { ...node, attributes: Object.fromEntries(attributes) as Attributes };
}

function valueFromProto(proto: ValueInfoProto): ValueInfo {
  const { name, type } = proto;
  if (type?.value.case !== 'tensorType') {
    const opaque = type ? { opaqueType: toBinary(TypeProtoSchema, type) } : {};
    return { name, dtype: null, dims: null, ...opaque };
  }
  const { elemType, shape } = type.value.value;
  const dtype = dtypeFromCode(elemType);
  const dims = shape?.dim.map(({ value }): Dim => {
    if (value.case === 'dimParam') return value.value || null;
    // Exporters write -1 for what is not known.
    if (value.case !== 'dimValue' || value.value < 0n) return null;
    if (!Number.isSafeInteger(Number(value.value)))
      throw invalidTensor(name, `has the dimension ${value.value}`);
    return Number(value.value);
  });
  const opaque = dtype === 'opaque' ? { opaqueType: toBinary(TypeProtoSchema, type) } : {};
  return { name, dtype, dims: dims ?? null, ...opaque };
}

/** `undefined` where the type that the attribute declares is absent, or none is declared. */
function attributeFromProto(proto: AttributeProto): Attribute | undefined {
  switch (proto.type) {
    case AT.INT: {
      const value = Number(proto.i);
      return toInt64(value) === proto.i ? { type: 'int', value } : { type: 'int', value, exact: proto.i };
    }
    case AT.INTS: {
      const value = proto.ints.map(Number);
      const isExact = value.every((v, i) => toInt64(v) === proto.ints[i]);
      return isExact ? { type: 'ints', value } : { type: 'ints', value, exact: proto.ints };
    }
    case AT.FLOAT:
      return { type: 'float', value: proto.f };
    case AT.FLOATS:
      return { type: 'floats', value: proto.floats };
    case AT.STRING: {
      const value = decodeUtf8(proto.s);
      return value === undefined ? opaque(proto) : { type: 'string', value };
    }
    case AT.STRINGS: {
      const value = proto.strings.map(decodeUtf8);
      return value.every((s) => s !== undefined) ? { type: 'strings', value } : opaque(proto);
    }
    case AT.TENSOR:
      return proto.t && { type: 'tensor', value: tensorFromProto(proto.t) };
    case AT.GRAPH:
      return proto.g && { type: 'graph', value: graphFromProto(proto.g) };
    case AT.UNDEFINED:
      // A type younger than our schema is among the unknown fields.
      return proto.$unknown?.length ? opaque(proto) : undefined;
    default:
      return opaque(proto);
  }
}

const opaque = (proto: AttributeProto): Attribute => ({
  type: 'opaque',
  value: toBinary(AttributeProtoSchema, proto),
});

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

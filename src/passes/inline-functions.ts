/** Replaces calls of model-local functions by their bodies. */

import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { GraphBuilder } from '../onnx/builder.ts';
import {
  type Attribute,
  type Attributes,
  type Graph,
  type Model,
  mapSubgraphs,
  type Node,
} from '../onnx/graph.ts';
import { invalidModel } from '../onnx/invalid.ts';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  FunctionProtoSchema,
  type GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
} from '../onnx/proto/onnx_pb.ts';
import { readModel } from '../onnx/read.ts';
import { hoistConstants } from './constants.ts';
import { splice } from './splice.ts';

interface ModelFunction {
  /** Inputs, outputs and nodes; an attribute that refers to one of the call is `opaque` (see {@link referenceOf}). */
  readonly body: Graph;
  /** Values of attributes that a call leaves out. */
  readonly defaults: Attributes;
  readonly opsets: Model['opsets'];
}

/** Functions that call functions; a chain this long is a cycle, which the format forbids. */
const maxDepth = 64;

/**
 * Inlines all calls of model-local functions, calls in functions and in subgraphs included. Attributes of a call are put
 * where the body refers to them, and Constant nodes of the bodies become initializers.
 *
 * Source: ONNX IR specification, "Functions".
 *
 * @throws NeuralCleanseError MODEL_INVALID if functions call each other in a circle; see {@link readModel} for faulty bodies
 */
export function inlineFunctions(model: Model): Model {
  if (model.functions.length === 0) return model;
  const functions = new Map(model.functions.map((bytes) => readFunction(bytes, model)));
  const opsets = new Map(model.opsets);
  for (const { opsets: own } of functions.values()) {
    // Versions may differ only where the operators in use are the same in both.
    for (const [domain, version] of own) if (!opsets.has(domain)) opsets.set(domain, version);
  }
  return { ...model, opsets, graph: inlineCalls(model.graph, functions, 0), functions: [] };
}

function inlineCalls(graph: Graph, functions: ReadonlyMap<string, ModelFunction>, depth: number): Graph {
  const b = GraphBuilder.rewriting(graph, 'nc/call/');
  let found = false;
  for (const node of graph.nodes) {
    const called = functions.get(keyOf(node.domain, node.op, node.overload));
    if (called) {
      if (depth === maxDepth) throw invalidModel(`Function "${node.op}" calls itself.`, node);
      const given = { ...called.defaults, ...node.attributes };
      splice(b, hoistConstants(withAttributes(called.body, given)), node.inputs, node.outputs);
      found = true;
    } else {
      b.push(mapSubgraphs(node, (subgraph) => inlineCalls(subgraph, functions, depth)));
    }
  }
  return found ? inlineCalls(b.build(), functions, depth + 1) : b.build();
}

const keyOf = (domain: string, name: string, overload = ''): string => `${domain}::${name}::${overload}`;

/** Replaces references by the attributes of the call; one that the call leaves out is left out. */
function withAttributes(body: Graph, given: Attributes): Graph {
  const resolve = (node: Node): Node => {
    const attributes = Object.entries(node.attributes).flatMap(([name, value]): [string, Attribute][] => {
      const reference = referenceOf(value);
      if (reference === undefined) return [[name, value]];
      const argument = given[reference];
      return argument ? [[name, argument]] : [];
    });
    const resolved = { ...node, attributes: Object.fromEntries(attributes) };
    return mapSubgraphs(resolved, (subgraph) => withAttributes(subgraph, given));
  };
  return { ...body, nodes: body.nodes.map(resolve) };
}

function referenceOf(attribute: Attribute): string | undefined {
  if (attribute.type !== 'opaque') return undefined;
  return fromBinary(AttributeProtoSchema, attribute.value).refAttrName || undefined;
}

function readFunction(bytes: Uint8Array, model: Model): [key: string, ModelFunction] {
  const proto = fromBinary(FunctionProtoSchema, bytes);
  const own = proto.opsetImport.map(({ domain, version }): [string, number] => [
    domain === 'ai.onnx' ? '' : domain,
    Number(version),
  ]);
  const scope = { ...model, opsets: new Map([...model.opsets, ...own]) };
  proto.node.forEach(markReferences);
  const body = readGraph(scope, {
    node: proto.node,
    input: proto.input.map((name) => ({ name })),
    output: proto.output.map((name) => ({ name })),
  });
  const call = { opType: proto.name, attribute: proto.attributeProto };
  const defaults = readGraph(scope, { node: [call] }).nodes[0]!.attributes;
  return [keyOf(proto.domain, proto.name, proto.overload), { body, defaults, opsets: new Map(own) }];
}

/** The body of a function has the form of a graph and is read and checked as one. */
function readGraph({ irVersion, opsets }: Model, graph: MessageInitShape<typeof GraphProtoSchema>): Graph {
  const opsetImport = Array.from(opsets, ([domain, version]) => ({ domain, version: BigInt(version) }));
  const proto = create(ModelProtoSchema, { irVersion: BigInt(irVersion), opsetImport, graph });
  return readModel(toBinary(ModelProtoSchema, proto)).graph;
}

/** The reader keeps attributes of a type that the IR has no words for as they are, and with them the reference. */
function markReferences(node: NodeProto): void {
  for (const attribute of node.attribute) {
    if (attribute.refAttrName) attribute.type = AttributeType.TYPE_PROTO;
    attribute.g?.node.forEach(markReferences);
  }
}

/** ONNX bytes -> ModelProto, with every failure of the protobuf reader turned into an error of ours. */

import { fromBinary } from '@bufbuild/protobuf';
import { NeuralCleanseError } from '../errors.ts';
import { recogniseFormat } from './file-format.ts';
import { type GraphProto, type ModelProto, ModelProtoSchema } from './proto/onnx_pb.ts';
import { supportedIr } from './versions.ts';

/** Levels of subgraphs (If in If …). The deepest networks have two or three; the limit keeps every later recursion shallow. */
const maxSubgraphDepth = 32;

/** A level of subgraph is three messages (graph, node, attribute); what a graph holds besides nests a few more. */
const maxMessageDepth = 3 * maxSubgraphDepth + 8;

/**
 * Parses a model without looking into its graph.
 *
 * @throws NeuralCleanseError MODEL_NOT_ONNX with the format recognised instead, MODEL_TRUNCATED, MODEL_INVALID
 */
export function parseModel(bytes: Uint8Array): ModelProto & { graph: GraphProto } {
  let proto: ModelProto;
  try {
    proto = fromBinary(ModelProtoSchema, bytes, { recursionLimit: maxMessageDepth });
  } catch (cause) {
    throw explain(bytes, cause);
  }
  if (!hasGraph(proto)) throw explain(bytes, undefined);
  return proto;
}

const hasGraph = (proto: ModelProto): proto is ModelProto & { graph: GraphProto } =>
  proto.graph !== undefined && proto.graph.node.length + proto.graph.output.length > 0;

function explain(bytes: Uint8Array, cause: unknown): NeuralCleanseError {
  if (!startsLikeOnnx(bytes)) {
    const format = recogniseFormat(bytes);
    const name = format?.name ?? 'not an ONNX model';
    return new NeuralCleanseError('MODEL_NOT_ONNX', `The file is ${name}.`, {
      hint: format?.hint ?? 'Give a model exported as .onnx.',
      data: { format: name },
      cause,
    });
  }
  if (cause === undefined) {
    return new NeuralCleanseError('MODEL_TRUNCATED', 'The model file ends before its graph.', {
      hint: 'Copy or download it again.',
    });
  }
  // The reader throws a RangeError at the end of its buffer, and only there.
  if (cause instanceof RangeError) {
    return new NeuralCleanseError('MODEL_TRUNCATED', 'The model file ends in the middle of a field.', {
      hint: 'Copy or download it again.',
      cause,
    });
  }
  const tooDeep = /recursion depth/.test(String(cause));
  return new NeuralCleanseError(
    'MODEL_INVALID',
    tooDeep ? `Subgraphs are nested deeper than ${maxSubgraphDepth} levels.` : 'The model file is damaged.',
    { hint: tooDeep ? 'Export the model without nested control flow.' : 'Copy or download it again.', cause },
  );
}

/** ONNX writers put the IR version first (field 1, a varint), then a field of ModelProto. */
function startsLikeOnnx(bytes: Uint8Array): boolean {
  const [tag, version = supportedIr.min, next = 0x12] = bytes;
  const field = next >> 3;
  return tag === 0x08 && version >= supportedIr.min && version < 0x80 && field >= 2 && field <= 8;
}

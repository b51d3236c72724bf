/** Models as other writers make them: straight from protobuf messages, without our own writer. */

import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import * as ort from 'onnxruntime-node';
import {
  AttributeProto_AttributeType as AT,
  type AttributeProtoSchema,
  TensorProto_DataType as DT,
  type GraphProtoSchema,
  ModelProtoSchema,
  type TensorProtoSchema,
  type ValueInfoProtoSchema,
} from '../../src/onnx/proto/onnx_pb.ts';

export { AT, DT };

/** The fields of a message, all optional. */
type Init<T extends DescMessage> = Exclude<MessageInitShape<T>, { $typeName: string; $unknown?: unknown }>;
export type GraphInit = Init<typeof GraphProtoSchema>;
export type ModelInit = Init<typeof ModelProtoSchema>;
export type TensorInit = Init<typeof TensorProtoSchema>;
export type AttributeInit = Init<typeof AttributeProtoSchema>;

/** A graph input or output; a string is a symbolic dimension. */
export const value = (
  name: string,
  elemType: DT,
  dims: readonly (number | string)[],
): Init<typeof ValueInfoProtoSchema> => ({
  name,
  type: {
    value: {
      case: 'tensorType',
      value: {
        elemType,
        shape: {
          dim: dims.map((d) => ({
            value:
              typeof d === 'number' ? { case: 'dimValue', value: BigInt(d) } : { case: 'dimParam', value: d },
          })),
        },
      },
    },
  },
});

/** A float32 tensor in its typed field. */
export const floats = (name: string, dims: readonly number[], floatData: number[]): TensorInit => ({
  name,
  dims: dims.map(BigInt),
  dataType: DT.FLOAT,
  floatData,
});

/** An int64 tensor in its typed field. */
export const integers = (name: string, dims: readonly number[], data: readonly number[]): TensorInit => ({
  name,
  dims: dims.map(BigInt),
  dataType: DT.INT64,
  int64Data: data.map(BigInt),
});

export const graphAttribute = (name: string, g: GraphInit): AttributeInit => ({ name, type: AT.GRAPH, g });

export const intAttribute = (name: string, i: number): AttributeInit => ({
  name,
  type: AT.INT,
  i: BigInt(i),
});

/** An encoded model, IR 10 and opset 17 unless `overrides` says otherwise. */
export const modelBytes = (graph: GraphInit, overrides: ModelInit = {}): Uint8Array =>
  toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 10n,
      opsetImport: [{ domain: '', version: 17n }],
      graph,
      ...overrides,
    }),
  );

/** A graph that runs x [2] through nodes given, ending at y [2]. */
export const between = (graph: GraphInit): GraphInit => ({
  name: 'g',
  input: [value('x', DT.FLOAT, [2])],
  output: [value('y', DT.FLOAT, [2])],
  ...graph,
});

/** y = relu(x). */
export const reluGraph: GraphInit = between({ node: [{ opType: 'Relu', input: ['x'], output: ['y'] }] });

export interface Result {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: Uint8Array | readonly string[];
}

/** What ONNX Runtime computes from an encoded model, as bytes. Every input is fed the same float pattern, symbols count 2. */
export async function compute(bytes: Uint8Array): Promise<Record<string, Result>> {
  const session = await ort.InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  try {
    const feeds: Record<string, ort.Tensor> = {};
    for (const input of session.inputMetadata) {
      if (!input.isTensor || input.type !== 'float32') throw new Error(`input ${input.name} is not float32`);
      const dims = input.shape.map((d) => (typeof d === 'number' && d > 0 ? d : 2));
      const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i + 1));
      feeds[input.name] = new ort.Tensor('float32', data, dims);
    }
    const results = await session.run(feeds);
    return Object.fromEntries(
      Object.entries(results).map(([name, { type, dims, data }]) => [
        name,
        { type, dims, data: bytesOf(data) },
      ]),
    );
  } finally {
    await session.release();
  }
}

const bytesOf = (data: ort.Tensor['data']): Result['data'] =>
  Array.isArray(data)
    ? (data as string[])
    : new Uint8Array(
        (data as Float32Array).buffer,
        (data as Float32Array).byteOffset,
        (data as Float32Array).byteLength,
      ).slice();

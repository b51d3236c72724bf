/** Random models with every kind of value, attribute and tensor. They are sound as graphs, but compute nothing. */

import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import type { Attribute, Dim, Graph, Model, Node, ValueInfo } from '../../src/onnx/graph.ts';
import { AttributeProtoSchema, FunctionProtoSchema, TypeProtoSchema } from '../../src/onnx/proto/onnx_pb.ts';
import { sizeOf, type Tensor } from '../../src/onnx/tensor.ts';
import { AT, type AttributeInit, DT, floats, integers } from './protos.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 6 });
const shape = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 });

const arrays = {
  float32: (n: number) => fc.float32Array({ minLength: n, maxLength: n }),
  float64: (n: number) => fc.float64Array({ minLength: n, maxLength: n }),
  float16: (n: number) => fc.uint16Array({ minLength: n, maxLength: n }),
  bfloat16: (n: number) => fc.uint16Array({ minLength: n, maxLength: n }),
  int8: (n: number) => fc.int8Array({ minLength: n, maxLength: n }),
  int16: (n: number) => fc.int16Array({ minLength: n, maxLength: n }),
  int32: (n: number) => fc.int32Array({ minLength: n, maxLength: n }),
  int64: (n: number) => fc.bigInt64Array({ minLength: n, maxLength: n }),
  uint8: (n: number) => fc.uint8Array({ minLength: n, maxLength: n }),
  uint16: (n: number) => fc.uint16Array({ minLength: n, maxLength: n }),
  uint32: (n: number) => fc.uint32Array({ minLength: n, maxLength: n }),
  uint64: (n: number) => fc.bigUint64Array({ minLength: n, maxLength: n }),
  bool: (n: number) => fc.uint8Array({ minLength: n, maxLength: n, max: 1 }),
  string: (n: number) => fc.array(fc.uint8Array({ maxLength: 4 }), { minLength: n, maxLength: n }),
} as const;
const dtypes = Object.keys(arrays) as (keyof typeof arrays)[];

const tensor: fc.Arbitrary<Tensor> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.constantFrom(...dtypes), shape)
      .chain(([dtype, dims]) =>
        (arrays[dtype](sizeOf(dims)) as fc.Arbitrary<Tensor['data']>).map(
          (data) => ({ dtype, dims, data }) as Tensor,
        ),
      ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom<[number, number]>([DT.COMPLEX64, 64], [DT.FLOAT8E5M2, 8], [DT.INT4, 4]), shape)
      .chain(([[opaqueType, bits], dims]) => {
        const bytes = Math.ceil((sizeOf(dims) * bits) / 8);
        return fc
          .uint8Array({ minLength: bytes, maxLength: bytes })
          .map((data): Tensor => ({ dtype: 'opaque', opaqueType, dims, data }));
      }),
  },
);

const wholeNumber = fc.oneof(fc.maxSafeInteger(), fc.constantFrom(2 ** 63, -(2 ** 63)));
const inexact = fc.bigInt({ min: 2n ** 53n, max: 2n ** 61n }).map((i) => 2n * i + 1n);
const float = fc.float();

/** Attributes by name; the opaque ones carry their name inside. */
const attribute = (
  name: string,
  outer: readonly string[],
  depth: number,
  prefix: string,
): fc.Arbitrary<Attribute> => {
  const opaque = fc.constantFrom<AttributeInit>(
    { name, type: AT.SPARSE_TENSOR, sparseTensor: { values: floats('', [0], []), dims: [3n] } },
    { name, type: AT.TENSORS, tensors: [floats('a', [1], [2]), integers('b', [], [3])] },
    { name, type: AT.TYPE_PROTO, tp: { denotation: 'IMAGE' } },
    { name, type: AT.STRING, s: new Uint8Array([0xc3, 0x28]) },
  );
  const kinds: fc.Arbitrary<Attribute>[] = [
    fc.record({ type: fc.constant('int'), value: wholeNumber }),
    inexact.map((exact) => ({ type: 'int', value: Number(exact), exact })),
    fc.record({ type: fc.constant('ints'), value: fc.array(wholeNumber, { maxLength: 4 }) }),
    fc.record({ type: fc.constant('float'), value: float }),
    fc.record({ type: fc.constant('floats'), value: fc.array(float, { maxLength: 4 }) }),
    fc.record({ type: fc.constant('string'), value: text }),
    fc.record({ type: fc.constant('strings'), value: fc.array(text, { maxLength: 3 }) }),
    fc.record({ type: fc.constant('tensor'), value: tensor }),
    opaque.map((proto) => ({
      type: 'opaque',
      value: toBinary(AttributeProtoSchema, create(AttributeProtoSchema, proto)),
    })),
  ];
  if (depth > 0)
    kinds.push(graph(outer, depth - 1, `${prefix}${name}/`).map((value) => ({ type: 'graph', value })));
  return fc.oneof(...kinds);
};

const dim: fc.Arbitrary<Dim> = fc.oneof(fc.nat({ max: 512 }), fc.constantFrom('N', 'höhe', null));
const sequence = toBinary(
  TypeProtoSchema,
  create(TypeProtoSchema, {
    value: {
      case: 'sequenceType',
      value: { elemType: { value: { case: 'tensorType', value: { elemType: DT.FLOAT } } } },
    },
  }),
);

const valueInfo = (name: string): fc.Arbitrary<ValueInfo> =>
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        name: fc.constant(name),
        dtype: fc.constantFrom(...dtypes),
        dims: fc.option(fc.array(dim, { maxLength: 4 })),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom<ValueInfo>(
        { name, dtype: null, dims: null },
        { name, dtype: null, dims: null, opaqueType: sequence },
      ),
    },
  );

/** A random choice for a list whose elements depend on their position. */
const each = <T>(count: number, make: (i: number) => fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc.tuple(...Array.from({ length: count }, (_, i) => make(i)));

function node(
  i: number,
  readable: readonly string[],
  outer: readonly string[],
  depth: number,
  prefix: string,
) {
  const name = `${prefix}n${i}`;
  return fc
    .record({
      op: fc.constantFrom('Add', 'If', 'Mystery'),
      domain: fc.constantFrom('', 'com.example'),
      overload: fc.option(fc.constant('v2')),
      name: fc.oneof(fc.constant(''), fc.constant(name), text),
      inputs: fc.array(fc.constantFrom('', ...readable), { maxLength: 3 }),
      unused: fc.boolean(),
      attributes: fc
        .uniqueArray(fc.constantFrom('alpha', 'body', 'to', '1', '__proto__'), { maxLength: 3 })
        .chain((names) =>
          each(names.length, (k) => attribute(names[k]!, outer, depth, `${name}/`)).map((values) => ({
            names,
            values,
          })),
        ),
    })
    .map(
      ({ overload, unused, attributes, ...rest }): Node => ({
        ...rest,
        ...(overload ? { overload } : {}),
        outputs: unused ? ['', name] : [name],
        attributes: Object.fromEntries(attributes.names.map((key, k) => [key, attributes.values[k]!])),
      }),
    );
}

function graph(outer: readonly string[], depth: number, prefix = ''): fc.Arbitrary<Graph> {
  return fc
    .record({
      inputs: fc.nat({ max: 2 }),
      constants: fc.nat({ max: 3 }),
      nodes: fc.integer({ min: 1, max: 4 }),
    })
    .chain((count) => {
      const inputs = Array.from({ length: count.inputs }, (_, i) => `${prefix}x${i}`);
      const constants = Array.from({ length: count.constants }, (_, i) => `${prefix}w${i}`);
      const made = (i: number) => Array.from({ length: i }, (_, k) => `${prefix}n${k}`);
      const readable = (i: number) => [...outer, ...inputs, ...constants, ...made(i)];
      return fc.record({
        name: text,
        inputs: each(inputs.length, (i) => valueInfo(inputs[i]!)),
        outputs: fc.constantFrom(...made(count.nodes)).chain((name) => each(1, () => valueInfo(name))),
        initializers: each(constants.length, () => tensor).map(
          (tensors) => new Map(tensors.map((t, i) => [constants[i]!, t])),
        ),
        nodes: each(count.nodes, (i) => node(i, readable(i), readable(i), depth, prefix)),
      });
    });
}

const localFunction = toBinary(
  FunctionProtoSchema,
  create(FunctionProtoSchema, { name: 'Mystery', domain: 'com.example', input: ['a'], output: ['b'] }),
);

export const randomModel: fc.Arbitrary<Model> = fc.record({
  irVersion: fc.integer({ min: 4, max: 13 }),
  producer: text,
  opsets: fc.integer({ min: 7, max: 23 }).map(
    (version) =>
      new Map([
        ['', version],
        ['com.example', 1],
      ]),
  ),
  graph: graph([], 2),
  metadata: fc.array(fc.tuple(text, text), { maxLength: 3 }).map((entries) => new Map(entries)),
  functions: fc.constantFrom([], [localFunction]),
});

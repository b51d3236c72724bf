/** Small models that between them use every feature of the format that a classifier may have. Each runs on float input. */

import { GraphBuilder } from '../../src/onnx/builder.ts';
import { int, ints } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32, sizeOf } from '../../src/onnx/tensor.ts';
import { writeModel } from '../../src/onnx/write.ts';
import {
  AT,
  between,
  DT,
  floats,
  graphAttribute,
  intAttribute,
  integers,
  modelBytes,
  type reluGraph,
  type TensorInit,
  value,
} from './protos.ts';

const ramp = (dims: readonly number[]) =>
  float32(
    dims,
    Array.from({ length: sizeOf(dims) }, (_, i) => Math.cos(i)),
  );

/** Convolution, pooling and a dense layer, from our builder. */
function convolutional(): Uint8Array {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['N', 1, 6, 6]);
  const convolved = b.op(
    'Conv',
    [x, b.constant(ramp([2, 1, 3, 3])), b.constant(ramp([2]))],
    { pads: ints([1, 1, 1, 1]) },
    { outputs: ['conv'] },
  );
  const pooled = b.op('MaxPool', [b.op('Relu', [convolved])], {
    kernel_shape: ints([2, 2]),
    strides: ints([2, 2]),
  });
  const flat = b.op('Flatten', [pooled], { axis: int(1) });
  b.output(b.gemm(flat, b.constant(ramp([3, 18])), { transB: true, c: b.constant(ramp([3])) }), 'float32', [
    'N',
    3,
  ]);
  return writeModel(canonicalModel(b.build()));
}

/** One constant of every element type, each shown as an output (through a Cast where JavaScript has no such type). */
function elementTypes(): Uint8Array {
  const constants: TensorInit[] = [
    { name: 'float', dims: [2n], dataType: DT.FLOAT, floatData: [-0, Number.POSITIVE_INFINITY] },
    { name: 'double', dims: [1n], dataType: DT.DOUBLE, doubleData: [Math.PI] },
    { name: 'float16', dims: [3n], dataType: DT.FLOAT16, int32Data: [0x3c00, 0xfbff, 0x0001] },
    {
      name: 'bfloat16',
      dims: [2n],
      dataType: DT.BFLOAT16,
      rawData: new Uint8Array([0x80, 0x3f, 0x49, 0xc0]),
    },
    { name: 'int8', dims: [2n], dataType: DT.INT8, int32Data: [-128, 127] },
    { name: 'int16', dims: [2n], dataType: DT.INT16, int32Data: [-32768, 32767] },
    { name: 'int32', dims: [2n], dataType: DT.INT32, int32Data: [-(2 ** 31), 2 ** 31 - 1] },
    { name: 'int64', dims: [2n], dataType: DT.INT64, int64Data: [-(2n ** 63n), 2n ** 63n - 1n] },
    { name: 'uint8', dims: [2n], dataType: DT.UINT8, int32Data: [0, 255] },
    { name: 'uint16', dims: [2n], dataType: DT.UINT16, int32Data: [0, 65535] },
    { name: 'uint32', dims: [2n], dataType: DT.UINT32, uint64Data: [0n, 2n ** 32n - 1n] },
    { name: 'uint64', dims: [2n], dataType: DT.UINT64, uint64Data: [0n, 2n ** 64n - 1n] },
    { name: 'bool', dims: [2n], dataType: DT.BOOL, int32Data: [1, 0] },
    { name: 'string', dims: [2n], dataType: DT.STRING, stringData: ['a', 'ü'].map((s) => Buffer.from(s)) },
    { name: 'float8', dims: [3n], dataType: DT.FLOAT8E4M3FN, int32Data: [0x38, 0xc0, 0x7e] },
    { name: 'int4', dims: [3n], dataType: DT.INT4, int32Data: [0x8f, 0x07] },
    { name: 'uint4', dims: [3n], dataType: DT.UINT4, rawData: new Uint8Array([0xf1, 0x02]) },
    { name: 'scalar', dims: [], dataType: DT.INT64, rawData: new Uint8Array([7, 0, 0, 0, 0, 0, 0, 0]) },
    { name: 'empty', dims: [0n, 3n], dataType: DT.FLOAT },
  ];
  const viaCast = new Set<number>([DT.BFLOAT16, DT.FLOAT8E4M3FN, DT.INT4, DT.UINT4]);
  const shown = constants.map((constant) => {
    const cast = viaCast.has(constant.dataType ?? 0);
    return {
      node: {
        opType: cast ? 'Cast' : 'Identity',
        input: [constant.name ?? ''],
        output: [`${constant.name}_out`],
        attribute: cast ? [intAttribute('to', DT.FLOAT)] : [],
      },
      output: value(`${constant.name}_out`, cast ? DT.FLOAT : (constant.dataType ?? 0), [
        ...(constant.dims ?? []).map(Number),
      ]),
    };
  });
  return modelBytes(
    {
      name: 'types',
      initializer: constants,
      node: shown.map((s) => s.node),
      output: shown.map((s) => s.output),
    },
    { opsetImport: [{ domain: '', version: 21n }] },
  );
}

/** If in If; the inner branches read a value and a weight of the outermost graph. */
const branch = (name: string, node: NonNullable<typeof reluGraph.node>) => ({
  name,
  output: [value(`${name}_y`, DT.FLOAT, [2])],
  node,
});
const nested = modelBytes(
  between({
    initializer: [
      { name: 'yes', dims: [], dataType: DT.BOOL, int32Data: [1] },
      { name: 'no', dims: [], dataType: DT.BOOL, int32Data: [0] },
      floats('w', [2], [3, 4]),
    ],
    node: [
      { opType: 'Neg', input: ['x'], output: ['negated'] },
      {
        name: 'outer',
        opType: 'If',
        input: ['yes'],
        output: ['y'],
        attribute: [
          graphAttribute(
            'then_branch',
            branch('then', [
              {
                opType: 'If',
                input: ['no'],
                output: ['then_y'],
                attribute: [
                  graphAttribute(
                    'then_branch',
                    branch('deep', [{ opType: 'Abs', input: ['x'], output: ['deep_y'] }]),
                  ),
                  graphAttribute('else_branch', {
                    ...branch('other', [
                      { opType: 'Mul', input: ['negated', 'w'], output: ['product'] },
                      { opType: 'Add', input: ['product', 'bias'], output: ['other_y'] },
                    ]),
                    initializer: [floats('bias', [2], [0.5, 0.25])],
                  }),
                ],
              },
            ]),
          ),
          graphAttribute(
            'else_branch',
            branch('else', [{ opType: 'Identity', input: ['x'], output: ['else_y'] }]),
          ),
        ],
      },
    ],
  }),
);

/** Two local functions of one name, told apart by their overload, one with an attribute reference. */
const withFunctions = modelBytes(
  between({
    node: [
      { domain: 'local', opType: 'Step', overload: 'a', input: ['x'], output: ['h'] },
      {
        domain: 'local',
        opType: 'Step',
        overload: 'b',
        input: ['h'],
        output: ['y'],
        attribute: [{ name: 'slope', type: AT.FLOAT, f: 0.125 }],
      },
    ],
  }),
  {
    opsetImport: [
      { domain: 'ai.onnx', version: 17n },
      { domain: 'local', version: 1n },
    ],
    functions: [
      {
        name: 'Step',
        domain: 'local',
        overload: 'a',
        input: ['a'],
        output: ['b'],
        opsetImport: [{ domain: '', version: 17n }],
        node: [{ opType: 'Neg', input: ['a'], output: ['b'] }],
      },
      {
        name: 'Step',
        domain: 'local',
        overload: 'b',
        input: ['a'],
        output: ['b'],
        attribute: ['slope'],
        opsetImport: [{ domain: '', version: 17n }],
        node: [
          {
            opType: 'LeakyRelu',
            input: ['a'],
            output: ['b'],
            attribute: [{ name: 'alpha', refAttrName: 'slope', type: AT.FLOAT }],
          },
        ],
      },
    ],
    metadataProps: [
      { key: 'classes', value: '["stop","yield"]' },
      { key: '', value: 'ü' },
    ],
  },
);

/** Every form of the Constant operator, reached in the order in which the nodes must not stand. */
const constants = modelBytes(
  between({
    node: [
      { opType: 'Add', input: ['h', 'value_y'], output: ['y'] },
      { opType: 'Concat', input: ['s', 'ss'], output: ['names'], attribute: [intAttribute('axis', 0)] },
      { opType: 'Mul', input: ['x', 'two'], output: ['h'] },
      { opType: 'Add', input: ['sparse', 'two'], output: ['dense'] },
      {
        opType: 'Constant',
        output: ['two'],
        attribute: [{ name: 'value_float', type: AT.FLOAT, f: 2 }],
      },
      {
        opType: 'Constant',
        output: ['value_y'],
        attribute: [{ name: 'value', type: AT.TENSOR, t: floats('', [2], [0.1, 0.2]) }],
      },
      {
        opType: 'Constant',
        output: ['fs'],
        attribute: [{ name: 'value_floats', type: AT.FLOATS, floats: [1.5, -2.5] }],
      },
      {
        opType: 'Constant',
        output: ['i'],
        attribute: [{ name: 'value_int', type: AT.INT, i: -(2n ** 63n) }],
      },
      {
        opType: 'Constant',
        output: ['is'],
        attribute: [{ name: 'value_ints', type: AT.INTS, ints: [2n ** 63n - 1n, 2n ** 62n + 1n] }],
      },
      {
        opType: 'Constant',
        output: ['s0'],
        attribute: [{ name: 'value_string', type: AT.STRING, s: Buffer.from('stop') }],
      },
      {
        opType: 'Constant',
        output: ['one'],
        attribute: [{ name: 'value_ints', type: AT.INTS, ints: [1n] }],
      },
      { opType: 'Reshape', input: ['s0', 'one'], output: ['s'] },
      {
        opType: 'Constant',
        output: ['ss'],
        attribute: [
          { name: 'value_strings', type: AT.STRINGS, strings: ['a', ''].map((s) => Buffer.from(s)) },
        ],
      },
      {
        opType: 'Constant',
        output: ['sparse'],
        attribute: [
          {
            name: 'sparse_value',
            type: AT.SPARSE_TENSOR,
            sparseTensor: {
              values: floats('', [1], [5]),
              indices: integers('', [1], [2]),
              dims: [1n, 3n],
            },
          },
        ],
      },
    ],
    output: [
      value('y', DT.FLOAT, [2]),
      value('names', DT.STRING, [3]),
      value('fs', DT.FLOAT, [2]),
      value('i', DT.INT64, []),
      value('is', DT.INT64, [2]),
      value('dense', DT.FLOAT, [1, 3]),
    ],
  }),
);

/** A sparse weight with tuple indices and one with linear indices. */
const sparse = modelBytes(
  between({
    sparseInitializer: [
      {
        values: floats('w', [2], [2, -3]),
        indices: integers('', [2, 2], [0, 1, 1, 0]),
        dims: [2n, 2n],
      },
      { values: floats('b', [1], [0.5]), indices: integers('', [1], [1]), dims: [2n] },
    ],
    node: [
      { opType: 'MatMul', input: ['x', 'w'], output: ['h'] },
      { opType: 'Add', input: ['h', 'b'], output: ['y'] },
    ],
  }),
);

/** IR 3: weights stand among the inputs. Opset 7. */
const old = modelBytes(
  between({
    input: [value('x', DT.FLOAT, [2]), value('w', DT.FLOAT, [2])],
    initializer: [floats('w', [2], [1.5, -1.5])],
    node: [{ opType: 'Mul', input: ['x', 'w'], output: ['y'] }],
  }),
  { irVersion: 3n, opsetImport: [{ domain: '', version: 7n }] },
);

/** Left out: an optional input and an optional output. */
const optional = modelBytes(
  between({
    input: [value('x', DT.FLOAT, ['N', 4])],
    output: [value('y', DT.FLOAT, ['N', 4]), value('deviation', DT.FLOAT, ['N', 1])],
    initializer: [floats('high', [], [0.75]), floats('scale', [4], [1, 2, 3, 4])],
    node: [
      { name: 'clip', opType: 'Clip', input: ['x', '', 'high'], output: ['clipped'] },
      { opType: 'LayerNormalization', input: ['clipped', 'scale'], output: ['y', '', 'deviation'] },
    ],
  }),
);

export const zoo: Readonly<Record<string, Uint8Array>> = {
  convolutional: convolutional(),
  elementTypes: elementTypes(),
  nested,
  withFunctions,
  constants,
  sparse,
  old,
  optional,
};

import { fromBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import type { Attribute } from '../../src/onnx/graph.ts';
import { AttributeProtoSchema, ModelProtoSchema, TypeProtoSchema } from '../../src/onnx/proto/onnx_pb.ts';
import { readModel } from '../../src/onnx/read.ts';
import { type Tensor, toNumbers } from '../../src/onnx/tensor.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { errorOf, outcome } from './errors.ts';
import {
  AT,
  type AttributeInit,
  between,
  DT,
  floats,
  type GraphInit,
  integers,
  modelBytes,
  reluGraph,
  type TensorInit,
  value,
} from './protos.ts';
import { zoo } from './zoo.ts';

const read = (graph: GraphInit) => readModel(modelBytes(graph));

describe('versions', () => {
  const withOpset = (version: number, domain = '') =>
    modelBytes(reluGraph, { opsetImport: [{ domain, version: BigInt(version) }] });

  test.each([7, 9, 13, 17, 21, 22, 23])('opset %i is read', (version) => {
    expect(readModel(withOpset(version)).opsets).toEqual(new Map([['', version]]));
  });

  test.each([1, 6, 24, 99])('opset %i is refused by number', (version) => {
    const error = errorOf(() => readModel(withOpset(version)));
    expect(error?.code).toBe('OPSET_UNSUPPORTED');
    expect(error?.message).toContain(`operator set ${version}.`);
    expect(error?.hint).toContain('7 to 23');
  });

  test('the standard domain has two spellings', () => {
    const model = readModel(
      modelBytes(
        { ...reluGraph, node: [{ domain: 'ai.onnx', opType: 'Relu', input: ['x'], output: ['y'] }] },
        { opsetImport: [{ domain: 'ai.onnx', version: 13n }] },
      ),
    );
    expect(model.opsets.get('')).toBe(13);
    expect(model.graph.nodes[0]?.domain).toBe('');
  });

  test('a model must say which opset it uses', () => {
    expect(outcome(() => readModel(modelBytes(reluGraph, { opsetImport: [] })))).toBe('MODEL_INVALID');
    expect(outcome(() => readModel(withOpset(1, 'com.example')))).toBe('MODEL_INVALID');
  });

  test('one domain in two versions and an endless version are refused', () => {
    const imports = (...versions: bigint[]) =>
      outcome(() =>
        readModel(modelBytes(reluGraph, { opsetImport: versions.map((v) => ({ domain: '', version: v })) })),
      );
    expect(imports(13n, 13n)).toBe('ok');
    expect(imports(13n, 14n)).toBe('MODEL_INVALID');
    expect(imports(2n ** 63n - 1n)).toBe('MODEL_INVALID');
  });

  test.each([3, 4, 8, 10, 11, 13])('IR version %i is read', (version) => {
    expect(readModel(modelBytes(reluGraph, { irVersion: BigInt(version) })).irVersion).toBe(version);
  });

  test.each([0, 2, 14])('IR version %i is refused by number', (version) => {
    const error = errorOf(() => readModel(modelBytes(reluGraph, { irVersion: BigInt(version) })));
    expect(error?.code).toBe('IR_UNSUPPORTED');
    expect(error?.message).toContain(`version ${version} `);
  });
});

describe('inputs and outputs', () => {
  test('weights that an IR 3 file lists among its inputs are no inputs', () => {
    const { graph } = readModel(zoo.old!);
    expect(graph.inputs.map((i) => i.name)).toEqual(['x']);
    expect(toNumbers(graph.initializers.get('w')!)).toEqual([1.5, -1.5]);
  });

  test('dimensions are sizes, symbols or unknown; -1 and "" are unknown', () => {
    const { graph } = read(
      between({ input: [value('x', DT.FLOAT, ['N', 3, -1, ''])], node: reluGraph.node ?? [] }),
    );
    expect(graph.inputs).toEqual([{ name: 'x', dtype: 'float32', dims: ['N', 3, null, null] }]);
  });

  test('a type without shape has unknown rank, and types that are no tensors are kept', () => {
    const { graph } = read(
      between({
        input: [
          {
            name: 'x',
            type: { value: { case: 'tensorType', value: { elemType: DT.FLOAT16 } } },
          },
          {
            name: 'list',
            type: {
              value: {
                case: 'sequenceType',
                value: { elemType: { value: { case: 'tensorType', value: { elemType: DT.FLOAT } } } },
              },
            },
          },
          value('tiny', DT.FLOAT8E5M2, [4]),
        ],
        node: reluGraph.node ?? [],
      }),
    );
    const [x, list, tiny] = graph.inputs;
    expect(x).toEqual({ name: 'x', dtype: 'float16', dims: null });
    expect(list).toMatchObject({ dtype: null, dims: null });
    expect(fromBinary(TypeProtoSchema, list!.opaqueType!).value.case).toBe('sequenceType');
    expect(tiny).toMatchObject({ dtype: 'opaque', dims: [4] });
    const again = readModel(
      writeModel({
        irVersion: 10,
        producer: '',
        opsets: new Map([['', 17]]),
        graph,
        metadata: new Map(),
        functions: [],
      }),
    );
    expect(again.graph.inputs).toEqual(graph.inputs);
  });
});

describe('tensors', () => {
  const tensor = (init: TensorInit): Tensor =>
    read(
      between({ initializer: [{ name: 'w', ...init }], node: reluGraph.node ?? [] }),
    ).graph.initializers.get('w')!;
  const code = (init: TensorInit) => outcome(() => tensor(init));
  const sparse = (values: TensorInit, indices: TensorInit, dims: readonly number[]) =>
    read(
      between({
        sparseInitializer: [{ values: { name: 'w', ...values }, indices, dims: dims.map(BigInt) }],
        node: reluGraph.node ?? [],
      }),
    ).graph.initializers.get('w');

  test('typed fields and raw bytes give the same elements', () => {
    const raw = readModel(writeModel(readModel(zoo.elementTypes!))).graph.initializers;
    const typed = readModel(zoo.elementTypes!).graph.initializers;
    expect(raw).toEqual(typed);
    expect(toNumbers(typed.get('float16')!)).toEqual([1, -65504, 2 ** -24]);
    expect(toNumbers(typed.get('bfloat16')!)).toEqual([1, -3.140625]);
    expect(typed.get('int8')!.data).toEqual(new Int8Array([-128, 127]));
    expect(typed.get('int64')!.data).toEqual(new BigInt64Array([-(2n ** 63n), 2n ** 63n - 1n]));
    expect(typed.get('uint32')!.data).toEqual(new Uint32Array([0, 2 ** 32 - 1]));
    expect(typed.get('uint64')!.data).toEqual(new BigUint64Array([0n, 2n ** 64n - 1n]));
    expect(typed.get('bool')!.data).toEqual(new Uint8Array([1, 0]));
    expect(typed.get('empty')).toEqual({ dtype: 'float32', dims: [0, 3], data: new Float32Array() });
    expect(typed.get('int4')).toEqual({
      dtype: 'opaque',
      opaqueType: DT.INT4,
      dims: [3],
      data: new Uint8Array([0x8f, 0x07]),
    });
  });

  test('complex numbers are carried as bytes', () => {
    const bytes = (numbers: Float32Array | Float64Array) => new Uint8Array(numbers.buffer);
    expect(tensor({ dims: [1n], dataType: DT.COMPLEX64, floatData: [1, -2] })).toEqual({
      dtype: 'opaque',
      opaqueType: DT.COMPLEX64,
      dims: [1],
      data: bytes(new Float32Array([1, -2])),
    });
    expect(tensor({ dims: [1n], dataType: DT.COMPLEX128, doubleData: [1, -2] }).data).toEqual(
      bytes(new Float64Array([1, -2])),
    );
  });

  test('a type younger than the schema is carried as it is', () => {
    const rawData = new Uint8Array([1, 2, 3]);
    expect(tensor({ dims: [3n], dataType: 24, rawData })).toEqual({
      dtype: 'opaque',
      opaqueType: 24,
      dims: [3],
      data: rawData,
    });
  });

  test('data that do not fill the shape are refused', () => {
    const error = errorOf(() => tensor(floats('', [2, 3], [1, 2, 3])));
    expect(error?.code).toBe('MODEL_INVALID');
    expect(code(floats('', [2, 3], [1, 2, 3]))).toBe('MODEL_INVALID');
    expect(code({ dims: [2n], dataType: DT.FLOAT, rawData: new Uint8Array(7) })).toBe('MODEL_INVALID');
    expect(code({ dims: [2n], dataType: DT.FLOAT, rawData: new Uint8Array(12) })).toBe('MODEL_INVALID');
    expect(code({ dims: [2n], dataType: DT.INT4, rawData: new Uint8Array(2) })).toBe('MODEL_INVALID');
    expect(code({ dims: [2n], dataType: DT.STRING, stringData: [new Uint8Array()] })).toBe('MODEL_INVALID');
    expect(code({ dims: [1n], dataType: DT.FLOAT, doubleData: [1] })).toBe('MODEL_INVALID');
  });

  test('impossible and boundless shapes are refused', () => {
    expect(code({ dims: [-1n], dataType: DT.FLOAT })).toBe('MODEL_INVALID');
    expect(code({ dims: [2n ** 60n], dataType: DT.FLOAT })).toBe('MODEL_INVALID');
    expect(code({ dims: new Array(65).fill(1n), dataType: DT.FLOAT, floatData: [1] })).toBe('MODEL_INVALID');
    expect(code({ dims: [2n ** 31n], dataType: DT.FLOAT })).toBe('MODEL_TOO_LARGE');
    expect(code({ dims: [65536n, 65536n], dataType: DT.INT8 })).toBe('MODEL_TOO_LARGE');
    expect(code({ dims: [65536n, 16384n], dataType: DT.INT8 })).toBe('MODEL_INVALID');
  });

  test('a tensor without type, name or sole definition, or in segments, is refused', () => {
    expect(code({ dims: [1n], dataType: DT.UNDEFINED })).toBe('MODEL_INVALID');
    expect(code({ ...floats('', [1], [1]), name: '' })).toBe('MODEL_INVALID');
    expect(code({ ...floats('', [1], [1]), name: 'w', segment: { begin: 0n, end: 1n } })).toBe(
      'MODEL_INVALID',
    );
    const twice = between({
      initializer: [floats('w', [1], [1]), floats('w', [1], [2])],
      node: reluGraph.node ?? [],
    });
    const error = errorOf(() => read(twice));
    expect(error).toMatchObject({ code: 'MODEL_INVALID', data: { tensor: 'w' } });
    expect(error?.message).toContain('"w" is defined twice');
  });

  test('sparse initializers become dense', () => {
    const { initializers } = readModel(zoo.sparse!).graph;
    expect(initializers.get('w')).toEqual({
      dtype: 'float32',
      dims: [2, 2],
      data: new Float32Array([0, 2, -3, 0]),
    });
    expect(initializers.get('b')).toEqual({ dtype: 'float32', dims: [2], data: new Float32Array([0, 0.5]) });
    const ints = sparse(integers('w', [1], [-7]), integers('', [1, 3], [1, 0, 2]), [2, 1, 3]);
    expect(ints?.data).toEqual(new BigInt64Array([0n, 0n, 0n, 0n, 0n, -7n]));
  });

  test('sparse tensors that contradict themselves are refused', () => {
    const ones = floats('w', [2], [1, 1]);
    const bad = (indices: TensorInit, dims: readonly number[], values = ones) =>
      outcome(() => sparse(values, indices, dims));
    expect(bad(integers('', [2], [0, 3]), [4])).toBe('ok');
    expect(bad(integers('', [2], [0, 4]), [4])).toBe('MODEL_INVALID');
    expect(bad(integers('', [2], [-1, 3]), [4])).toBe('MODEL_INVALID');
    expect(bad(integers('', [2], [3, 0]), [4])).toBe('MODEL_INVALID');
    expect(bad(integers('', [2], [1, 1]), [4])).toBe('MODEL_INVALID');
    expect(bad(integers('', [1], [1]), [4])).toBe('MODEL_INVALID');
    expect(bad(integers('', [2, 2], [0, 2, 1, 0]), [2, 2])).toBe('MODEL_INVALID');
    expect(bad(floats('', [2], [0, 1]), [4])).toBe('MODEL_INVALID');
    expect(bad(integers('', [2], [0, 1]), [4], floats('w', [2, 1], [1, 1]))).toBe('MODEL_INVALID');
    expect(bad(integers('', [2], [0, 1]), [-4])).toBe('MODEL_INVALID');
    expect(bad(integers('', [2], [0, 1]), [2 ** 20])).toBe('MODEL_TOO_LARGE');
    expect(bad(integers('', [2], [0, 1]), [2 ** 20, 2 ** 20])).toBe('MODEL_TOO_LARGE');
    const absent = between({ sparseInitializer: [{ dims: [1n] }], node: reluGraph.node ?? [] });
    expect(outcome(() => read(absent))).toBe('MODEL_INVALID');
  });

  test('external data cannot be had from bytes alone', () => {
    const external = (...entries: [string, string][]): TensorInit => ({
      dims: [2n],
      dataType: DT.FLOAT,
      dataLocation: 1,
      externalData: entries.map(([key, value]) => ({ key, value })),
    });
    const error = errorOf(() => tensor(external(['location', 'weights.bin'])));
    expect(error?.code).toBe('EXTERNAL_DATA_MISSING');
    expect(error?.message).toMatch(/"w".*"weights.bin"/);
    expect(code(external())).toBe('MODEL_INVALID');
    expect(code(external(['location', 'a'], ['offset', '-1']))).toBe('MODEL_INVALID');
    expect(code(external(['location', 'a'], ['length', '4']))).toBe('MODEL_INVALID');
    expect(code(external(['location', 'a'], ['length', '1e9']))).toBe('MODEL_INVALID');
    expect(code({ ...external(['location', 'a']), dataType: DT.STRING })).toBe('MODEL_INVALID');
  });

  test('external data are asked for wherever a tensor may stand', () => {
    const at = (location: string, length: number): TensorInit => ({
      name: location,
      dims: [BigInt(length)],
      dataType: DT.UINT8,
      dataLocation: 1,
      externalData: [{ key: 'location', value: location }],
    });
    const asked: string[] = [];
    const indices: TensorInit = { ...at('indices', 8), dataType: DT.INT64, dims: [1n] };
    const constant = (attribute: AttributeInit) => ({
      opType: 'Constant',
      output: [attribute.name ?? ''],
      attribute: [attribute],
    });
    const bytes = modelBytes(
      between({
        initializer: [at('initializer', 3)],
        sparseInitializer: [{ values: at('values', 1), indices, dims: [2n] }],
        node: [
          ...(reluGraph.node ?? []),
          constant({ name: 'value', type: AT.TENSOR, t: at('attribute', 1) }),
          constant({ name: 'several', type: AT.TENSORS, tensors: [at('listed', 1)] }),
          constant({
            name: 'sparse_value',
            type: AT.SPARSE_TENSOR,
            sparseTensor: { values: at('sparse', 1), dims: [1n] },
          }),
          constant({
            name: 'body',
            type: AT.GRAPH,
            g: { initializer: [at('inner', 1)], output: [value('inner', DT.UINT8, [1])] },
          }),
        ],
      }),
      {
        functions: [
          {
            name: 'f',
            domain: 'local',
            node: [constant({ name: 'value', type: AT.TENSOR, t: at('function', 1) })],
          },
        ],
      },
    );
    const model = readModel(bytes, ({ location, offset, length }) => {
      asked.push(location);
      expect(offset).toBe(0);
      return new Uint8Array(length);
    });
    expect(asked).toEqual([
      'initializer',
      'values',
      'indices',
      'attribute',
      'listed',
      'sparse',
      'inner',
      'function',
    ]);
    // Once read, nothing refers to a file any more.
    expect(readModel(writeModel(model))).toEqual(model);
  });
});

describe('attributes', () => {
  const attribute = (init: AttributeInit): Attribute =>
    read(
      between({
        node: [
          {
            name: 'n',
            opType: 'Relu',
            input: ['x'],
            output: ['y'],
            attribute: [{ name: 'a', ...init }],
          },
        ],
      }),
    ).graph.nodes[0]!.attributes.a!;

  test.each([0n, -1n, 2n ** 53n, -(2n ** 63n), 2n ** 63n - 1n])('the integer %i is a plain number', (i) => {
    expect(attribute({ type: AT.INT, i })).toEqual({ type: 'int', value: Number(i) });
  });

  test.each([2n ** 53n + 1n, -(2n ** 63n) + 1n, 2n ** 63n - 2n, -(2n ** 53n) - 1n])(
    'the integer %i, which no double holds, is kept besides',
    (i) => {
      expect(attribute({ type: AT.INT, i })).toEqual({ type: 'int', value: Number(i), exact: i });
      expect(attribute({ type: AT.INTS, ints: [1n, i] })).toEqual({
        type: 'ints',
        value: [1, Number(i)],
        exact: [1n, i],
      });
    },
  );

  test('every integer comes back as it was', () => {
    const ints = [0n, 2n ** 53n + 1n, -(2n ** 63n), -(2n ** 63n) + 1n, 2n ** 63n - 1n];
    const bytes = modelBytes(
      between({
        node: [
          {
            opType: 'Relu',
            input: ['x'],
            output: ['y'],
            attribute: [
              { name: 'ints', type: AT.INTS, ints },
              ...ints.map((i, k) => ({ name: `i${k}`, type: AT.INT, i })),
            ],
          },
        ],
      }),
    );
    const [node] = fromBinary(ModelProtoSchema, writeModel(readModel(bytes))).graph!.node;
    expect(node!.attribute[0]!.ints).toEqual(ints);
    expect(node!.attribute.slice(1).map((a) => a.i)).toEqual(ints);
  });

  test('strings that are not UTF-8 are kept byte for byte; a byte order mark is part of the text', () => {
    const bytes = new Uint8Array([0xff, 0x00]);
    const opaque = attribute({ type: AT.STRING, s: bytes });
    expect(opaque.type).toBe('opaque');
    expect(fromBinary(AttributeProtoSchema, opaque.value as Uint8Array).s).toEqual(bytes);
    expect(attribute({ type: AT.STRINGS, strings: [bytes] }).type).toBe('opaque');
    expect(attribute({ type: AT.STRING, s: Buffer.from('\ufeffx') })).toEqual({
      type: 'string',
      value: '\ufeffx',
    });
  });

  test('an attribute without the value it declares, without type or given twice is refused', () => {
    for (const init of [{ type: AT.TENSOR }, { type: AT.GRAPH }, { type: AT.UNDEFINED, i: 3n }]) {
      expect(errorOf(() => attribute(init))).toMatchObject({ code: 'MODEL_INVALID', node: 'n', op: 'Relu' });
    }
    const twice: AttributeInit = { name: 'a', type: AT.INT, i: 1n };
    const graph = between({
      node: [{ opType: 'Relu', input: ['x'], output: ['y'], attribute: [twice, twice] }],
    });
    expect(outcome(() => read(graph))).toBe('MODEL_INVALID');
  });
});

describe('graphs', () => {
  test('nodes may stand in any order', () => {
    const { nodes } = readModel(zoo.constants!).graph;
    const position = (output: string) => nodes.findIndex((n) => n.outputs[0] === output);
    expect(position('two')).toBeLessThan(position('h'));
    expect(position('h')).toBeLessThan(position('y'));
  });

  test('a node without operator is refused', () => {
    expect(outcome(() => read(between({ node: [{ input: ['x'], output: ['y'] }] })))).toBe('MODEL_INVALID');
  });

  test('a name that nothing defines is refused, naming node and value', () => {
    const error = errorOf(() =>
      read(between({ node: [{ name: 'relu', opType: 'Relu', input: ['z'], output: ['y'] }] })),
    );
    expect(error).toMatchObject({ code: 'MODEL_INVALID', node: 'relu', op: 'Relu' });
    expect(error?.message).toContain('"z"');
  });
});

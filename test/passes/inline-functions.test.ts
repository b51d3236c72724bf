import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import type { NeuralCleanseError } from '../../src/errors.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { checkGraph } from '../../src/onnx/check.ts';
import { float, type Graph, int, type Model } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import {
  AttributeProto_AttributeType as AttributeType,
  FunctionProtoSchema,
} from '../../src/onnx/proto/onnx_pb.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { inlineFunctions } from '../../src/passes/inline-functions.ts';
import { runModel } from './models.ts';

const domain = 'test.functions';
const opsetImport = [
  { domain: '', version: 21n },
  { domain, version: 1n },
];
const functionOf = (proto: MessageInitShape<typeof FunctionProtoSchema>): Uint8Array =>
  toBinary(FunctionProtoSchema, create(FunctionProtoSchema, { domain, opsetImport, ...proto }));

/** y = LeakyRelu(x, slope) + bias, where `bias` is optional and slope defaults to 0.5 */
const leaky = functionOf({
  name: 'Leaky',
  input: ['a', 'bias'],
  output: ['result'],
  attributeProto: [{ name: 'slope', type: AttributeType.FLOAT, f: 0.5 }],
  attribute: ['shift'],
  node: [
    {
      opType: 'LeakyRelu',
      input: ['a'],
      output: ['hidden'],
      attribute: [{ name: 'alpha', refAttrName: 'slope', type: AttributeType.FLOAT }],
    },
    {
      opType: 'Constant',
      output: ['constant'],
      attribute: [{ name: 'value_float', refAttrName: 'shift', type: AttributeType.FLOAT }],
    },
    { opType: 'Sum', input: ['hidden', 'constant'], output: ['result'] },
  ],
});

/** Calls Leaky twice, once in a branch whose attributes refer to those of the call. */
const twice = functionOf({
  name: 'Twice',
  input: ['a'],
  output: ['first', 'chosen'],
  attribute: ['slope'],
  node: [
    {
      opType: 'Leaky',
      domain,
      input: ['a'],
      output: ['first'],
      attribute: [
        { name: 'slope', refAttrName: 'slope', type: AttributeType.FLOAT },
        { name: 'shift', type: AttributeType.FLOAT, f: 1 },
      ],
    },
    {
      opType: 'ReduceSum',
      input: ['a'],
      output: ['sum'],
      attribute: [{ name: 'keepdims', type: AttributeType.INT, i: 0n }],
    },
    {
      opType: 'Cast',
      input: ['sum'],
      output: ['condition'],
      attribute: [{ name: 'to', type: AttributeType.INT, i: 9n }],
    },
    {
      opType: 'If',
      input: ['condition'],
      output: ['chosen'],
      attribute: [
        {
          name: 'then_branch',
          type: AttributeType.GRAPH,
          g: {
            name: 'then',
            node: [
              {
                opType: 'LeakyRelu',
                input: ['first'],
                output: ['branch'],
                attribute: [{ name: 'alpha', refAttrName: 'slope', type: AttributeType.FLOAT }],
              },
            ],
            output: [{ name: 'branch' }],
          },
        },
        {
          name: 'else_branch',
          type: AttributeType.GRAPH,
          g: {
            name: 'else',
            node: [{ opType: 'Neg', input: ['first'], output: ['other'] }],
            output: [{ name: 'other' }],
          },
        },
      ],
    },
  ],
});

const modelOf = (graph: Graph, functions: readonly Uint8Array[]): Model => ({
  ...canonicalModel(graph),
  opsets: new Map([
    ['', 21],
    [domain, 1],
  ]),
  functions,
});

function graphOf(body: (b: GraphBuilder) => readonly string[]): Graph {
  const b = new GraphBuilder();
  b.input('x', 'float32', [3]);
  for (const [i, value] of body(b).entries()) b.output(value, 'float32', null, `y${i}`);
  return b.build();
}

async function inlined(model: Model): Promise<Model> {
  const result = inlineFunctions(model);
  checkGraph(result.graph, { pass: 'inlineFunctions' });
  for (const sign of [1, -1]) {
    const x = float32([3], [sign, 2 * sign, -0.5 * sign]);
    expect(await runModel(result, { x })).toEqual(await runModel(model, { x }));
  }
  expect(result.functions).toEqual([]);
  expect(result.graph.nodes.map((n) => n.domain)).toEqual(result.graph.nodes.map(() => ''));
  return result;
}

describe('calls', () => {
  test('get the attributes of the call, or their defaults', async () => {
    const graph = graphOf((b) => [
      b.op('Leaky', ['x'], { slope: float(0.1), shift: float(2) }, { domain }),
      b.op('Leaky', [b.neg('x')], { shift: float(-1) }, { domain }),
    ]);
    const { graph: result } = await inlined(modelOf(graph, [leaky]));
    const slopes = result.nodes.filter((n) => n.op === 'LeakyRelu').map((n) => n.attributes.alpha?.value);
    expect(slopes).toEqual([0.1, 0.5]);
    expect(result.nodes.map((n) => n.op)).not.toContain('Constant');
  });

  test('in functions and in branches are followed', async () => {
    const graph = graphOf((b) => b.ops('Twice', ['x'], 2, { slope: float(0.25) }, { domain }));
    await inlined(modelOf(graph, [twice, leaky]));
  });

  test('in a branch of the model are inlined', async () => {
    const graph = graphOf((b) => {
      const branch = (slope: number) => {
        const inner = new GraphBuilder(undefined, `${slope}/`);
        inner.output(
          inner.op('Leaky', ['x'], { slope: float(slope), shift: float(0) }, { domain }),
          'float32',
          null,
        );
        return { type: 'graph' as const, value: inner.build() };
      };
      const condition = b.op('Greater', [b.reduceSum('x', undefined, false), b.scalar(0)]);
      return [b.op('If', [condition], { then_branch: branch(0.5), else_branch: branch(0.25) })];
    });
    const result = await inlined(modelOf(graph, [leaky]));
    const branches = Object.values(result.graph.nodes.find((n) => n.op === 'If')!.attributes);
    const inner = branches.flatMap((branch) => (branch.type === 'graph' ? branch.value.nodes : []));
    expect(inner.map((n) => n.op)).toEqual(['LeakyRelu', 'Sum', 'LeakyRelu', 'Sum']);
  });

  test('may leave outputs unused and pass inputs through', async () => {
    const pass = functionOf({
      name: 'Pass',
      input: ['a', 'b'],
      output: ['a', 'sum', 'unused'],
      node: [
        { opType: 'Add', input: ['a', 'a'], output: ['sum'] },
        { opType: 'Neg', input: ['a'], output: ['unused'] },
      ],
    });
    const graph = graphOf((b) => {
      const outputs = b.ops('Pass', ['x'], 3, {}, { domain, outputs: ['same', 'sum', ''] });
      return [outputs[0]!, outputs[1]!];
    });
    const result = inlineFunctions(modelOf(graph, [pass]));
    checkGraph(result.graph, { pass: 'inlineFunctions' });
    const { y0, y1 } = await runModel(result, { x: float32([3], [1, 2, 3]) });
    expect([...(y0!.data as Float32Array), ...(y1!.data as Float32Array)]).toEqual([1, 2, 3, 2, 4, 6]);
  });
});

test('operator sets that only functions use are imported', () => {
  const contrib = functionOf({
    name: 'Contrib',
    input: ['a'],
    output: ['r'],
    opsetImport: [{ domain: 'com.microsoft', version: 1n }],
    node: [{ opType: 'Gelu', domain: 'com.microsoft', input: ['a'], output: ['r'] }],
  });
  const graph = graphOf((b) => [b.op('Contrib', ['x'], {}, { domain })]);
  expect(inlineFunctions(modelOf(graph, [contrib])).opsets.get('com.microsoft')).toBe(1);
});

test('functions that call each other in a circle are refused', () => {
  const circle = (name: string, other: string): Uint8Array =>
    functionOf({
      name,
      input: ['a'],
      output: ['r'],
      node: [{ opType: other, domain, input: ['a'], output: ['r'] }],
    });
  const graph = graphOf((b) => [b.op('Ping', ['x'], {}, { domain })]);
  const model = modelOf(graph, [circle('Ping', 'Pong'), circle('Pong', 'Ping')]);
  const refused = (): Model => inlineFunctions(model);
  expect(refused).toThrow(/calls itself/);
  try {
    refused();
  } catch (error) {
    expect((error as NeuralCleanseError).code).toBe('MODEL_INVALID');
  }
});

test('a model without functions is returned as it is', () => {
  const model = canonicalModel(graphOf((b) => [b.op('Softmax', ['x'], { axis: int(0) })]));
  expect(inlineFunctions(model)).toBe(model);
});

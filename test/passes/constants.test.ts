import { describe, expect, test } from 'vitest';
import { checkGraph } from '../../src/onnx/check.ts';
import type { Graph } from '../../src/onnx/graph.ts';
import { readModel } from '../../src/onnx/read.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { hoistConstants } from '../../src/passes/constants.ts';
import { AT, between, compute, DT, floats, graphAttribute, modelBytes, value } from '../onnx/protos.ts';
import { zoo } from '../onnx/zoo.ts';

const hoisted = (bytes: Uint8Array) => {
  const model = readModel(bytes);
  return { ...model, graph: checkGraph(hoistConstants(model.graph), { pass: 'hoistConstants' }) };
};

describe('hoistConstants', () => {
  test('every form of Constant becomes an initializer with the same value', async () => {
    const model = hoisted(zoo.constants!);
    const left = model.graph.nodes.filter((n) => n.op === 'Constant');
    expect(left.map((n) => n.outputs)).toEqual([['sparse']]);
    expect(model.graph.initializers.get('i')).toEqual({
      dtype: 'int64',
      dims: [],
      data: new BigInt64Array([-(2n ** 63n)]),
    });
    expect(model.graph.initializers.get('is')?.data).toEqual(
      new BigInt64Array([2n ** 63n - 1n, 2n ** 62n + 1n]),
    );
    expect(await compute(writeModel(model))).toEqual(await compute(zoo.constants!));
  });

  test('constants of subgraphs become initializers of the subgraph, also where they are its outputs', async () => {
    const constant = (name: string, data: number[]) => ({
      opType: 'Constant',
      output: [name],
      attribute: [{ name: 'value', type: AT.TENSOR, t: floats('', [2], data) }],
    });
    const bytes = modelBytes(
      between({
        initializer: [{ name: 'yes', dims: [], dataType: DT.BOOL, int32Data: [1] }],
        node: [
          {
            opType: 'If',
            input: ['yes'],
            output: ['h'],
            attribute: [
              graphAttribute('then_branch', {
                name: 'then',
                node: [constant('c', [3, 4])],
                output: [value('c', DT.FLOAT, [2])],
              }),
              graphAttribute('else_branch', {
                name: 'else',
                node: [constant('d', [5, 6])],
                output: [value('d', DT.FLOAT, [2])],
              }),
            ],
          },
          { opType: 'Add', input: ['x', 'h'], output: ['y'] },
        ],
      }),
    );
    const model = hoisted(bytes);
    const branch = model.graph.nodes[0]!.attributes.then_branch!.value as Graph;
    expect(branch.nodes).toEqual([]);
    expect([...branch.initializers.keys()]).toEqual(['c']);
    expect(await compute(writeModel(model))).toEqual(await compute(bytes));
  });

  test('an operator of that name in another domain stays', () => {
    const graph = between({ node: [{ domain: 'custom', opType: 'Constant', input: ['x'], output: ['y'] }] });
    expect(hoisted(modelBytes(graph)).graph.nodes).toHaveLength(1);
  });
});

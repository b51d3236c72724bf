import { describe, expect, test } from 'vitest';
import { checkGraph } from '../../src/onnx/check.ts';
import type { Graph, Node } from '../../src/onnx/graph.ts';
import { capturedNames, prune } from '../../src/onnx/graph.ts';
import { sortGraph } from '../../src/onnx/sort.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { generator } from '../support/gradient-check.ts';
import { errorOf, outcome } from './errors.ts';

const value = (name: string) => ({ name, dtype: 'float32' as const, dims: [2] });

const node = (op: string, inputs: string[], outputs: string[], body?: Graph): Node => ({
  op,
  domain: '',
  name: `${op}:${outputs[0]}`,
  inputs,
  outputs,
  attributes: body ? { body: { type: 'graph', value: body } } : {},
});

const graph = (nodes: Node[], outputs: string[], inputs = ['x'], constants: string[] = []): Graph => ({
  name: 'g',
  inputs: inputs.map(value),
  outputs: outputs.map(value),
  initializers: new Map(constants.map((name) => [name, float32([2], [1, 2])])),
  nodes,
});

describe('checkGraph', () => {
  test('returns a sound graph, with subgraphs that read outer values', () => {
    const body = graph([node('Add', ['h', 'w'], ['b'])], ['b'], [], ['w']);
    const sound = graph(
      [node('Relu', ['x', ''], ['h', '']), node('If', ['c'], ['y'], body)],
      ['y', 'c'],
      ['x'],
      ['c'],
    );
    expect(checkGraph(sound)).toBe(sound);
  });

  test.each<[string, Graph, string, string | undefined]>([
    ['an unknown value', graph([node('Relu', ['z'], ['y'])], ['y']), 'z', 'Relu:y'],
    [
      'a value used before it is made',
      graph([node('Relu', ['a'], ['y']), node('Neg', ['x'], ['a'])], ['y']),
      'a',
      'Relu:y',
    ],
    ['an output that nothing makes', graph([node('Relu', ['x'], ['y'])], ['q']), 'q', undefined],
    [
      'two nodes that make one value',
      graph([node('Relu', ['x'], ['y']), node('Neg', ['x'], ['y'])], ['y']),
      'y',
      'Neg:y',
    ],
    ['a node that makes one value twice', graph([node('Split', ['x'], ['y', 'y'])], ['y']), 'y', 'Split:y'],
    ['a node that makes an input', graph([node('Relu', ['x'], ['x'])], ['x']), 'x', 'Relu:x'],
    ['a node that makes a constant', graph([node('Relu', ['x'], ['w'])], ['w'], ['x'], ['w']), 'w', 'Relu:w'],
    ['an input that is a constant', graph([], ['x'], ['x'], ['x']), 'x', undefined],
    ['one input twice', graph([], ['x'], ['x', 'x']), 'x', undefined],
    ['an input without name', graph([], ['x'], ['x', '']), '', undefined],
    ['an output without name', graph([node('Relu', ['x'], [''])], ['']), '', undefined],
    [
      'a subgraph that reads what comes later',
      graph(
        [
          node('If', ['x'], ['y'], graph([node('Neg', ['late'], ['b'])], ['b'], [])),
          node('Neg', ['x'], ['late']),
        ],
        ['y'],
      ),
      'late',
      'Neg:b',
    ],
    [
      'a subgraph that reads what another subgraph holds',
      graph(
        [
          node('If', ['x'], ['y'], graph([node('Neg', ['x'], ['inner'])], ['inner'], [])),
          node('If', ['x'], ['z'], graph([], ['inner'], [])),
        ],
        ['z'],
      ),
      'inner',
      undefined,
    ],
    [
      'a subgraph that hides an outer value and reads it too early',
      graph(
        [node('If', ['x'], ['y'], graph([node('Neg', ['x'], ['b']), node('Abs', ['b'], ['x'])], ['b'], []))],
        ['y'],
      ),
      'x',
      'Neg:b',
    ],
  ])('refuses %s', (_, broken, name, at) => {
    const error = errorOf(() => checkGraph(broken));
    expect(error?.code).toBe('MODEL_INVALID');
    expect(error?.node).toBe(at);
    if (name) expect(error?.message).toContain(`"${name}"`);
  });

  test('refuses a constant that does not fill its shape', () => {
    const broken = {
      ...graph([], ['w']),
      initializers: new Map([['w', { ...float32([2], [1, 2]), dims: [3] }]]),
    };
    expect(errorOf(() => checkGraph(broken))?.message).toMatch(/"w" of shape \[3\] holds 2/);
  });

  test('blames the pass that made the graph', () => {
    const error = errorOf(() => checkGraph(graph([node('Relu', ['z'], ['y'])], ['y']), { pass: 'fold' }));
    expect(error).toMatchObject({ code: 'INTERNAL', node: 'Relu:y', op: 'Relu', data: { pass: 'fold' } });
    expect(error?.message).toMatch(/"fold".*"z"/);
  });

  test('calls a node without name by what it makes', () => {
    const unnamed = { ...node('Split', ['z'], ['', 'y']), name: '' };
    expect(errorOf(() => checkGraph(graph([unnamed], ['y'])))?.node).toBe('y');
  });
});

describe('sortGraph', () => {
  const order = (g: Graph) => g.nodes.map((n) => n.outputs[0]);

  test('keeps an order that is right already', () => {
    const sorted = graph(
      [node('Neg', ['x'], ['b']), node('Neg', ['x'], ['a']), node('Add', ['a', 'b'], ['y'])],
      ['y'],
    );
    expect(sortGraph(sorted)).toEqual(sorted);
  });

  test('puts a node after those it reads from, through subgraphs too', () => {
    const body = graph([node('Add', ['b', 'late'], ['c']), node('Neg', ['x'], ['b'])], ['c'], []);
    const shuffled = graph(
      [node('Abs', ['h'], ['y']), node('If', ['x'], ['h'], body), node('Neg', ['x'], ['late'])],
      ['y'],
    );
    expect(outcome(() => checkGraph(shuffled))).toBe('MODEL_INVALID');
    const sorted = checkGraph(sortGraph(shuffled));
    expect(order(sorted)).toEqual(['late', 'h', 'y']);
    const inner = sorted.nodes[1]!.attributes.body!.value as Graph;
    expect(order(inner)).toEqual(['b', 'c']);
  });

  test.each<[string, Node[]]>([
    ['of two nodes', [node('Neg', ['b'], ['a']), node('Abs', ['a'], ['b']), node('Relu', ['x'], ['y'])]],
    ['of one node', [node('Neg', ['a'], ['a'])]],
    ['through a subgraph', [node('If', ['x'], ['y'], graph([], ['z'], [])), node('Abs', ['y'], ['z'])]],
    ['inside a subgraph', [node('If', ['x'], ['y'], graph([node('Neg', ['b'], ['b'])], ['b'], []))]],
  ])('refuses a cycle %s, naming a node on it', (_, nodes) => {
    const error = errorOf(() => sortGraph(graph(nodes, ['y'])));
    expect(error?.code).toBe('MODEL_INVALID');
    expect(error?.node).toMatch(/^(Neg|Abs|If):/);
  });

  test('sorts a shuffled chain of 20,000 nodes', () => {
    const random = generator(5);
    const chain = Array.from({ length: 20_000 }, (_, i) => node('Relu', [i ? `v${i - 1}` : 'x'], [`v${i}`]));
    const shuffled = chain
      .map((n) => ({ n, key: random() }))
      .sort((a, b) => a.key - b.key)
      .map(({ n }) => n);
    expect(order(checkGraph(sortGraph(graph(shuffled, ['v19999']))))).toEqual(order(graph(chain, [])));
  });
});

describe('graph helpers', () => {
  test('prune drops what no output needs, also beside unused outputs', () => {
    const pruned = prune(
      graph(
        [
          node('Dropout', ['x'], ['dead', '']),
          node('Clip', ['x', '', 'w'], ['y']),
          node('Neg', ['v'], ['dead2']),
        ],
        ['y'],
        ['x'],
        ['v', 'w'],
      ),
    );
    expect(pruned.nodes.map((n) => n.op)).toEqual(['Clip']);
    expect([...pruned.initializers.keys()]).toEqual(['w']);
  });

  test('captured names are those a subgraph does not define itself', () => {
    const inner = graph([node('Mul', ['b', 'deep'], ['c'])], ['c'], []);
    const body = graph(
      [node('Add', ['x', 'w'], ['b']), node('If', ['b'], ['d'], inner)],
      ['d', 'outside'],
      [],
      ['w'],
    );
    expect(capturedNames(node('If', ['cond'], ['y'], body))).toEqual(['x', 'deep', 'outside']);
  });
});

import { expect, test } from 'vitest';
import { GraphBuilder } from '../../src/onnx/builder.ts';
import { checkGraph } from '../../src/onnx/check.ts';
import type { Attribute, Graph } from '../../src/onnx/graph.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32, type Tensor } from '../../src/onnx/tensor.ts';
import { inlineBranches } from '../../src/passes/inline-branches.ts';
import { runModel } from './models.ts';

const bool = (value: boolean): Tensor => ({ dtype: 'bool', dims: [], data: Uint8Array.of(value ? 1 : 0) });

/** A subgraph without inputs; its values are named alike in every branch. */
function branch(body: (b: GraphBuilder) => readonly string[]): Attribute {
  const b = new GraphBuilder(undefined, 'inner/');
  for (const name of body(b)) b.output(name, 'float32', null);
  // Nodes stay nameless: ONNX Runtime wants their names to be unique even across branches.
  const graph = b.build();
  return { type: 'graph', value: { ...graph, nodes: graph.nodes.map((n) => ({ ...n, name: '' })) } };
}

const outer = (body: (b: GraphBuilder) => readonly string[]): Graph => {
  const b = new GraphBuilder();
  b.input('x', 'float32', [2]);
  for (const [i, name] of body(b).entries()) b.output(name, 'float32', null, `y${i}`);
  return b.build();
};

async function inlined(graph: Graph): Promise<string[]> {
  const result = inlineBranches(graph);
  checkGraph(result, { pass: 'inlineBranches' });
  const x = float32([2], [1, -3]);
  expect(await runModel(canonicalModel(result), { x })).toEqual(await runModel(canonicalModel(graph), { x }));
  return result.nodes.map((n) => n.op).filter((op) => op !== 'Identity');
}

test.each([
  [true, 'Abs'],
  [false, 'Neg'],
])('a constant condition of %s leaves %s', async (taken, op) => {
  const graph = outer((b) => {
    const condition = b.initializer('condition', bool(taken));
    const branches = {
      then_branch: branch((t) => [t.add(t.op('Abs', ['x']), t.scalar(1))]),
      else_branch: branch((e) => [e.add(e.neg('x'), e.scalar(2))]),
    };
    // The names inside clash with those of the second If and of the graph.
    return [b.op('If', [condition], branches), b.mul(b.op('If', [condition], branches), b.scalar(1))];
  });
  expect((await inlined(graph)).filter((o) => o !== 'Add' && o !== 'Mul')).toEqual([op, op]);
});

test('nested branches, captured values and constants as outputs', async () => {
  const graph = outer((b) => {
    b.initializer('yes', bool(true));
    b.initializer('no', bool(false));
    b.op('Add', ['x', 'x'], {}, { outputs: ['doubled'] });
    const other = branch((t) => [t.op('Sqrt', ['x']), t.op('Exp', ['x'])]);
    const innermost = branch((t) => [t.neg('doubled'), t.initializer('seven', float32([2], [7, 7]))]);
    const middle = branch((t) => {
      const [p, q] = t.ops('If', ['no'], 2, { then_branch: other, else_branch: innermost });
      return [t.add(p!, t.scalar(3)), t.op('Abs', [q!])];
    });
    return b.ops('If', ['yes'], 2, { then_branch: middle, else_branch: other });
  });
  expect(await inlined(graph)).toEqual(['Add', 'Neg', 'Add', 'Abs']);
});

test('a condition known only at run time keeps its If, but branches in it are inlined', async () => {
  const graph = outer((b) => {
    b.initializer('no', bool(false));
    const inner = (value: number): Attribute =>
      branch((t) => {
        const known = t.initializer('known', bool(true));
        const nested = {
          then_branch: branch((u) => [u.add('x', u.scalar(value))]),
          else_branch: branch((u) => [u.neg('x')]),
        };
        return [t.op('If', [known], nested)];
      });
    const condition = b.op('Greater', [b.reduceSum('x', undefined, false), b.scalar(0)]);
    return [b.op('If', [condition], { then_branch: inner(1), else_branch: inner(2) })];
  });
  expect(await inlined(graph)).toEqual(['ReduceSum', 'Greater', 'If']);
  const branches = inlineBranches(graph).nodes.find((n) => n.op === 'If')!.attributes.else_branch;
  expect(branches?.type === 'graph' && branches.value.nodes.map((n) => n.op)).not.toContain('If');
});

test('a graph without If is returned as it is', () => {
  const graph = outer((b) => [b.neg('x')]);
  expect(inlineBranches(graph)).toBe(graph);
});

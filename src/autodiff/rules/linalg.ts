/** Products of matrices and tensors: the gradient of one factor is the product of dy with the others. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import { string } from '../../onnx/graph.ts';
import { sizeOf } from '../../onnx/tensor.ts';
import type { RuleFamily } from '../operators.ts';
import { type InputGradients, type RuleContext, unbroadcast } from '../rule.ts';
import { range, view } from './shape.ts';

export const linalgRules: RuleFamily<'linalg'> = {
  // Y [M,N] = α A' B' + β C with A' = A or Aᵀ, B' = B or Bᵀ
  // dA' = α dY B'ᵀ,  dB' = α A'ᵀ dY,  dC = β dY summed where C was broadcast
  Gemm: (c) => {
    const { b } = c;
    const [a, w, dy] = [c.x(0), c.x(1), c.dy()];
    const transA = c.int('transA', 0) === 1;
    const transB = c.int('transB', 0) === 1;
    const alpha = c.float('alpha', 1);
    return [
      () =>
        transA
          ? b.gemm(w, dy, { transA: transB, transB: true, alpha })
          : b.gemm(dy, w, { transB: !transB, alpha }),
      () =>
        transB
          ? b.gemm(dy, a, { transA: true, transB: transA, alpha })
          : b.gemm(a, dy, { transA: !transA, alpha }),
      () => unbroadcast(b, b.scale(dy, c.float('beta', 1)), c.yShape(), c.xShape(2)),
    ];
  },

  // Y [..,M,N] = A [..,M,K] B [..,K,N], batches broadcast; a vector A is a row, a vector B a column
  MatMul: (c) => {
    const [a, w] = [c.xShape(0), c.xShape(1)];
    const left = a.length === 1 ? [1, ...a] : a;
    const right = w.length === 1 ? [...w, 1] : w;
    return right.length === 2 ? matrixOnTheRight(c, right) : batched(c, left, right);
  },

  Einsum: (c) => {
    const { terms, output } = equation(c);
    const operands = terms.map((labels, i) => ({ value: c.x(i), labels, shape: c.xShape(i) }));
    const result = { value: c.dy(), labels: output, shape: c.yShape() };
    return operands.map((operand, i) => () => {
      if (new Set(operand.labels).size < operand.labels.length) {
        throw c.unsupported(`operand ${i} repeats an index in "${operand.labels}" (a diagonal)`);
      }
      return contraction(c.b, [result, ...operands.toSpliced(i, 1)], operand);
    });
  },
};

/** All rows of A at once, so that B's gradient is one product: dA = dY Bᵀ, dB [K,N] = Aᵀ dY over every row. */
function matrixOnTheRight(c: RuleContext, [k, n]: readonly number[]): InputGradients {
  const { b } = c;
  const rows = sizeOf(c.xShape(0)) / k!;
  const dy = view(b, c.dy(), c.yShape(), [rows, n!]);
  const product = [rows, k!];
  const matrix = [k!, n!];
  const a = () => view(b, c.x(0), c.xShape(0), product);
  const w = () => view(b, c.x(1), c.xShape(1), matrix);
  return [
    () => view(b, b.gemm(dy, w(), { transB: true }), product, c.xShape(0)),
    () => view(b, b.gemm(a(), dy, { transA: true }), matrix, c.xShape(1)),
  ];
}

/** dA = dY Bᵀ and dB = Aᵀ dY for every matrix of the batch, summed where a factor was broadcast. */
function batched(c: RuleContext, left: readonly number[], right: readonly number[]): InputGradients {
  const { b } = c;
  const [m, k, n] = [left.at(-2)!, left.at(-1)!, right.at(-1)!];
  const batch = c.yShape().slice(0, Math.max(left.length, right.length) - 2);
  const dy = view(b, c.dy(), c.yShape(), [...batch, m, n]);
  const product = (p: string, q: string) => b.op('MatMul', [p, q]);
  return [
    () => {
      const dA = product(dy, transposed(b, c.x(1), right.length));
      return view(b, unbroadcast(b, dA, [...batch, m, k], left), left, c.xShape(0));
    },
    () => {
      const a = view(b, c.x(0), c.xShape(0), left);
      return unbroadcast(b, product(transposed(b, a, left.length), dy), [...batch, k, n], right);
    },
  ];
}

/** The last two axes swapped. */
function transposed(b: GraphBuilder, value: string, rank: number): string {
  return b.transpose(value, [...range(rank - 2), rank - 1, rank - 2]);
}

/** A tensor with one letter for each axis. */
interface Labelled {
  readonly value: string;
  readonly labels: string;
  readonly shape: readonly number[];
}

/**
 * The gradient of one operand of an Einsum: dy times the other operands, summed over all labels but its own.
 *
 * Axes of it that no factor has in full length were summed away or broadcast against: these are made by expanding.
 * Axes of length 1 that were broadcast are summed.
 */
function contraction(b: GraphBuilder, factors: readonly Labelled[], to: Labelled): string {
  const has = (factor: Labelled, label: string, size: number) =>
    factor.shape[factor.labels.indexOf(label)] === size;
  const isKept = to.shape.map(
    (size, axis) => size > 1 && factors.some((f) => has(f, to.labels[axis]!, size)),
  );
  const kept = [...to.labels].filter((_, axis) => isKept[axis]).join('');
  const product = b.op(
    'Einsum',
    factors.map((f) => f.value),
    { equation: string(`${factors.map((f) => f.labels).join(',')}->${kept}`) },
  );
  const shape = to.shape.map((size, axis) => (isKept[axis] ? size : 1));
  const shaped = b.reshape(product, shape);
  return shape.every((size, axis) => size === to.shape[axis]) ? shaped : b.expand(shaped, to.shape);
}

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/**
 * The equation with one letter an axis.
 *
 * An ellipsis becomes letters of its own, the same number in every term, as ONNX Runtime demands. An implicit output is
 * written out: the axes of the ellipsis, then the labels that occur once, in the order of {@link letters}.
 */
function equation(c: RuleContext): { terms: string[]; output: string } {
  const [operands = '', output] = c.string('equation', '').replaceAll(' ', '').split('->');
  const terms = operands.split(',');
  const widths = terms.map((t, i) => (t.includes('...') ? c.xShape(i).length - (t.length - 3) : 0));
  const free = [...letters].filter((letter) => !operands.includes(letter)).join('');
  const once = [...letters].filter((letter) => operands.split(letter).length === 2).join('');
  const spelled = (term: string) => term.replace('...', free.slice(0, Math.max(...widths)));
  return { terms: terms.map(spelled), output: spelled(output ?? `...${once}`) };
}

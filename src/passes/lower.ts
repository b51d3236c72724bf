/** Replaces the backward operators of our own domain by standard ones that the provider runs well and deterministically. */

import { backwardDomain, readMaxPoolGradient, readReluShape } from '../autodiff/backward-operators.ts';
import { NeuralCleanseError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { float, type Graph, int, type Node } from '../onnx/graph.ts';
import { float32 } from '../onnx/tensor.ts';
import { lowerMaxPoolGradient } from './lower-max-pool.ts';

export interface LowerOptions {
  /**
   * Whether ScatterElements with addition is deterministic and MaxPool can return indices: true for ONNX Runtime's CPU
   * kernels, false on WebGPU.
   */
  readonly scatter: boolean;
  /**
   * Whether convolutions run in ONNX Runtime's blocked layout (N C/8 H W 8), from which most other operators make it
   * convert back and forth: true for the CPU kernels, false for WebAssembly and WebGPU.
   */
  readonly blocked: boolean;
}

type Lowering = (b: GraphBuilder, node: Node, options: LowerOptions) => string;

const lowerings: Readonly<Record<string, Lowering>> = {
  MaxPoolGrad: (b, node, options) => lowerMaxPoolGradient(b, readMaxPoolGradient(node), options),
  ReluGrad: (b, node, options) => {
    const [y, dy] = node.inputs as [string, string];
    const [, channels = 0, ...size] = readReluShape(node);
    const mask =
      options.blocked && size.length === 2 && channels % 8 === 0
        ? blockedMask(b, y, channels)
        : isPositive(b, y);
    return b.mul(mask, dy);
  },
};

/** 1 where y > 0, else 0. A product with it takes two thirds of the time of a Where. */
const isPositive = (b: GraphBuilder, y: string): string =>
  b.cast(b.op('Greater', [y, b.scalar(0)]), 'float32');

/**
 * The same for y ≥ 0 by operators that exist in the blocked layout: a convolution with the identity, fused with
 * clip(3e38·y, 0, 1). That is a step for every normal float (the smallest is 1.2e-38). It saves three layout conversions.
 */
function blockedMask(b: GraphBuilder, y: string, channels: number): string {
  const identity = b.constant(float32([channels, 1, 1, 1], new Float32Array(channels).fill(1)), 'identity');
  const copy = b.op('Conv', [y, identity], { group: int(channels) });
  return b.op('HardSigmoid', [copy], { alpha: float(3e38), beta: float(0) });
}

/** @throws NeuralCleanseError INTERNAL for an operator of our domain that has no lowering */
export function lower(graph: Graph, options: LowerOptions): Graph {
  if (!graph.nodes.some((n) => n.domain === backwardDomain)) return graph;
  const b = GraphBuilder.rewriting(graph, 'nc/lower/');
  for (const node of graph.nodes) {
    if (node.domain !== backwardDomain) {
      b.push(node);
      continue;
    }
    const rule = lowerings[node.op];
    if (!rule) {
      throw new NeuralCleanseError('INTERNAL', `Backward operator ${node.op} has no lowering.`, {
        node: node.name,
      });
    }
    b.op('Identity', [rule(b, node, options)], {}, { outputs: node.outputs });
  }
  return b.build();
}

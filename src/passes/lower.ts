/** Replaces the backward operators of our own domain by standard ones that the provider runs well and deterministically. */

import {
  backwardDomain,
  readConvInputGradient,
  readConvWeightGradient,
  readMaxPoolGradient,
  readReluShape,
} from '../autodiff/backward-operators.ts';
import { NeuralCleanseError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { capturedNames, consumers, float, type Graph, int, type Node } from '../onnx/graph.ts';
import { float32 } from '../onnx/tensor.ts';
import { BlockedLayout, fedKernels } from './blocked-convolution.ts';
import { lowerBatchNormalization, normalizesByBatch } from './lower-batch-normalization.ts';
import { lowerConvInputGradient, lowerConvolution, lowerConvWeightGradient } from './lower-convolution.ts';
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
  /**
   * Channels in a block of that layout: convolutions with kernels that are fed are then put into it. By default they stay
   * plain, which every machine can run.
   */
  readonly blockSize?: number | undefined;
}

interface Context extends LowerOptions {
  readonly layout: BlockedLayout | undefined;
}

type Lowering = (b: GraphBuilder, node: Node, context: Context) => string;

const lowerings: Readonly<Record<string, Lowering>> = {
  ConvInputGrad: (b, node, { layout }) => lowerConvInputGradient(b, readConvInputGradient(node), layout),
  ConvWeightGrad: (b, node, { layout }) => lowerConvWeightGradient(b, readConvWeightGradient(node), layout),
  MaxPoolGrad: (b, node, options) => lowerMaxPoolGradient(b, readMaxPoolGradient(node), options),
  ReluGrad: (b, node, options) => {
    const [y, dy] = node.inputs as [string, string];
    const [, channels = 0, ...size] = readReluShape(node);
    if (options.layout) return b.mul(step(b, y), dy);
    const mask =
      options.blocked && size.length === 2 && channels % 8 === 0
        ? step(b, blockedCopy(b, y, channels))
        : isPositive(b, y);
    return b.mul(mask, dy);
  },
};

/** 1 where y > 0, else 0. A product with it takes two thirds of the time of a Where. */
const isPositive = (b: GraphBuilder, y: string): string =>
  b.cast(b.op('Greater', [y, b.scalar(0)]), 'float32');

/** The same for y ≥ 0, as clip(3e38·y, 0, 1): a step for every normal float (the smallest is 1.2e-38). */
const step = (b: GraphBuilder, y: string): string =>
  b.op('HardSigmoid', [y], { alpha: float(3e38), beta: float(0) });

/**
 * A convolution with the identity, with which ONNX Runtime fuses the step: both exist in the blocked layout, so that three
 * conversions are saved.
 */
function blockedCopy(b: GraphBuilder, y: string, channels: number): string {
  const identity = b.constant(float32([channels, 1, 1, 1], new Float32Array(channels).fill(1)), 'identity');
  return b.op('Conv', [y, identity], { group: int(channels) });
}

/** @throws NeuralCleanseError INTERNAL for an operator of our domain that has no lowering */
export function lower(graph: Graph, options: LowerOptions): Graph {
  if (!graph.nodes.some((n) => n.domain === backwardDomain || normalizesByBatch(n))) return graph;
  const b = GraphBuilder.rewriting(graph, 'nc/lower/');
  const layout = options.blockSize === undefined ? undefined : new BlockedLayout(b, options.blockSize);
  const context = { ...options, layout };
  const kernels = layout ? fedKernels(graph) : new Map<string, readonly number[]>();
  const activationOf = soleActivations(graph);
  const fused = new Set<Node>();
  for (const node of graph.nodes) {
    if (fused.has(node)) continue;
    if (normalizesByBatch(node)) {
      lowerBatchNormalization(b, node);
      continue;
    }
    if (node.domain !== backwardDomain) {
      const kernel = isConvolution(node) ? kernels.get(node.inputs[1]!) : undefined;
      const relu = activationOf.get(node);
      if (layout && kernel && lowerConvolution(b, node, kernel, layout, relu)) {
        if (relu) fused.add(relu);
      } else {
        b.push(node);
      }
      continue;
    }
    const rule = lowerings[node.op];
    if (!rule) {
      throw new NeuralCleanseError('INTERNAL', `Backward operator ${node.op} has no lowering.`, {
        node: node.name,
      });
    }
    b.op('Identity', [rule(b, node, context)], {}, { outputs: node.outputs });
  }
  return b.build();
}

const isConvolution = (node: Node): boolean => node.op === 'Conv' && node.domain === '';

/** The Relu node behind a convolution that nothing else reads. */
function soleActivations(graph: Graph): ReadonlyMap<Node, Node> {
  const readBy = consumers(graph);
  const needed = new Set([...graph.outputs.map((o) => o.name), ...graph.nodes.flatMap(capturedNames)]);
  return new Map(
    graph.nodes.filter(isConvolution).flatMap((node): [Node, Node][] => {
      const [y] = node.outputs as [string];
      const [reader, ...others] = readBy.get(y) ?? [];
      const isSole = others.length === 0 && !needed.has(y);
      return isSole && reader?.op === 'Relu' && reader.domain === '' ? [[node, reader]] : [];
    }),
  );
}

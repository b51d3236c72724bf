/**
 * Convolutions in ONNX Runtime's blocked layout [N, C/B, H, W, B], whose kernels take two thirds of the time of the plain ones.
 *
 * ONNX Runtime puts a convolution into it only where the kernel is constant. While weights are trained they are fed, so these
 * functions write down what its optimiser would, in its own operators; it accepts them in a model, as it saves them in one.
 * Blocked values carry the dims [N, C, H, W], although their elements stand in another order.
 */

import type { GraphBuilder } from '../onnx/builder.ts';
import { type Attributes, type Graph, int, type Model } from '../onnx/graph.ts';
import { int64 } from '../onnx/tensor.ts';

export const blockedDomain = 'com.microsoft.nchwc';

/** Declares the blocked operators in a model that uses them. */
export const withBlockedOperators = (model: Model): Model =>
  model.graph.nodes.some((node) => node.domain === blockedDomain)
    ? { ...model, opsets: new Map([...model.opsets, [blockedDomain, 1]]) }
    : model;

/** What the conversion of a graph knows: which values exist in both layouts. */
export class BlockedLayout {
  /** Channels in a block. */
  readonly size: number;
  private readonly b: GraphBuilder;
  private readonly known = new Map<string, string>();

  constructor(b: GraphBuilder, size: number) {
    this.b = b;
    this.size = size;
  }

  /** Whether so many channels fill blocks. */
  fits(channels: number | undefined): boolean {
    return channels !== undefined && channels > 0 && channels % this.size === 0;
  }

  /** x [N,C,H,W] -> blocked */
  from(x: string): string {
    let blocked = this.known.get(x);
    if (blocked === undefined) {
      blocked = this.op('ReorderInput', [x], { channels_last: int(0) });
      this.known.set(x, blocked);
    }
    return blocked;
  }

  /** Blocked -> [N,C,H,W], under `name` if one is given. */
  to(blocked: string, channels: number, name?: string): string {
    const attributes = { channels: int(channels), channels_last: int(0) };
    const plain = this.op('ReorderOutput', [blocked], attributes, name);
    this.known.set(plain, blocked);
    return plain;
  }

  /** An operator on blocked values. */
  op(op: string, inputs: readonly string[], attributes: Attributes, output?: string): string {
    return this.b.op(op, inputs, attributes, {
      domain: blockedDomain,
      ...(output !== undefined && { outputs: [output] }),
    });
  }

  /**
   * The kernel [M,C,H,W] of a blocked convolution, from its transpose [C,M,H,W]: [M/B, C/B, H, W, B of C, B of M].
   *
   * @param flipped whether both spatial axes are reversed
   */
  kernel(transposed: string, dims: readonly number[], flipped = false): string {
    const { b, size } = this;
    const [c, m, height, width] = dims as [number, number, number, number];
    const taps = height * width;
    const blocks = b.reshape(this.from(transposed), [c / size, size, m / size, taps, size]);
    const kernel = b.transpose(blocks, [2, 0, 3, 1, 4]);
    return b.reshape(flipped ? this.reversed(kernel, taps) : kernel, [m, c, height, width]);
  }

  /** Of both spatial axes at once: of the flattened taps. */
  private reversed(kernel: string, taps: number): string {
    const order = Array.from({ length: taps }, (_, tap) => taps - 1 - tap);
    return this.b.op('Gather', [kernel, this.b.constant(int64([taps], order), 'flipped')], { axis: int(2) });
  }
}

/** The dims of the kernels that are fed. */
export const fedKernels = (graph: Graph): ReadonlyMap<string, readonly number[]> =>
  new Map(
    graph.inputs.flatMap(({ name, dims }) =>
      dims?.length === 4 && dims.every((d) => typeof d === 'number') ? [[name, dims]] : [],
    ),
  );

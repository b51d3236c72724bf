/** Makes the nodes that a rule of the batch tracker needs. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import { int } from '../../onnx/graph.ts';
import type { Location } from './context.ts';

export class Emitter {
  readonly b: GraphBuilder;
  private readonly input: string;
  private size: string | undefined;

  /** @param input a graph input whose axis 0 is the batch */
  constructor(b: GraphBuilder, input: string) {
    this.b = b;
    this.input = input;
  }

  /** The batch size at run time, int64 [1]. */
  private batchSize(): string {
    this.size ??= this.b.op('Shape', [this.input], { start: int(0), end: int(1) });
    return this.size;
  }

  /** A shape at run time: `dims` with the batch size at `axis`. */
  private shapeWithBatch(dims: readonly number[], axis: number): string {
    const part = (d: readonly number[]): string[] => (d.length > 0 ? [this.b.ints(d)] : []);
    return this.b.concat([...part(dims.slice(0, axis)), this.batchSize(), ...part(dims.slice(axis + 1))], 0);
  }

  /**
   * Repeats a value that has no batch for every sample.
   *
   * [.., outer·inner, ..] -> [.., outer·N·inner, ..]
   */
  spread(value: string, shape: readonly number[], { axis, outer, inner }: Location): string {
    const { b } = this;
    const [before, after] = [shape.slice(0, axis), shape.slice(axis + 1)];
    if (outer === 1 && inner === 1) return b.op('Expand', [value, this.shapeWithBatch(shape, axis)]);
    const open = [...before, outer, 1, inner, ...after];
    const repeated = b.op('Expand', [b.reshape(value, open), this.shapeWithBatch(open, axis + 1)]);
    return b.reshape(repeated, [...before, -1, ...after]);
  }
}

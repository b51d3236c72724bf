/** References made by bench/reference/keras_*.py: a model file beside an .npz of inputs x0, x1, … and outputs y0, y1, … */

import { existsSync } from 'node:fs';
import type { Model } from '../../src/onnx/graph.ts';
import type { Tensor } from '../../src/onnx/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { largestDifference } from './compare.ts';
import { readNpz } from './reference.ts';

export interface KerasDeviation {
  /** By output: its name and the largest difference, relative to the largest value of the output. */
  readonly outputs: readonly { readonly name: string; readonly difference: number }[];
  readonly nodes: number;
  readonly largest: number;
  /** Name of the output with the largest. */
  readonly at: string;
}

/** The model file of a reference. @param stem path without ending */
export function kerasFileOf(stem: string): string {
  const found = ['.h5', '.keras', '/model.json'].map((ending) => stem + ending).find(existsSync);
  if (found === undefined) throw new Error(`no model file for ${stem}`);
  return found;
}

export async function compareWithKeras(stem: string, open: () => Promise<Model>): Promise<KerasDeviation> {
  const arrays = readNpz(`${stem}.npz`);
  const model = await open();
  const session = await nodeRuntime.open(model, { provider: 'cpu' });
  try {
    const { inputs, outputs } = model.graph;
    const feeds = Object.fromEntries(inputs.map(({ name }, i) => [name, arrays.get(`x${i}`)!]));
    const results = await session.run(feeds);
    const deviations = outputs.map(({ name }, i) => {
      const expected: Tensor | undefined = arrays.get(`y${i}`);
      const difference = expected
        ? largestDifference({ y: results[name]! }, { y: expected })
        : Number.POSITIVE_INFINITY;
      return { name, difference };
    });
    const worst = deviations.reduce((a, b) => (b.difference > a.difference ? b : a));
    return {
      outputs: deviations,
      nodes: model.graph.nodes.length,
      largest: worst.difference,
      at: worst.name,
    };
  } finally {
    await session.release();
  }
}

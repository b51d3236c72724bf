/**
 * Tensors [N,C,…] seen as [N,C,S], whatever their rank: for statistics of the channels. What normalises and what differentiates
 * it use the same forms, so that ONNX Runtime computes what they have in common once.
 */

import type { GraphBuilder } from '../onnx/builder.ts';

/** All axes but the channels. */
export const planeAxes: readonly number[] = [0, 2];

/** x [N,C,…] -> [N,C,S] */
export const planes = (b: GraphBuilder, x: string): string => b.op('Reshape', [x, b.ints([0, 0, -1])]);

/** x [N,C,S] -> [C] */
export const planeMean = (b: GraphBuilder, x: string): string => b.reduce('ReduceMean', x, planeAxes, false);

/** [C] -> [C,1], which broadcasts to [N,C,S] */
export const channelwise = (b: GraphBuilder, value: string): string => b.reshape(value, [-1, 1]);

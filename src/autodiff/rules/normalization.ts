/** Normalisations: by statistics of the input, of the training set, or of neighbouring channels. */

import { float32, sizeOf } from '../../onnx/tensor.ts';
import type { RuleFamily } from '../operators.ts';
import { channelwise, planeAxes, planeMean, planes } from '../planes.ts';
import { type InputGradients, type RuleContext, unbroadcast } from '../rule.ts';
import { mapAxis } from './axis-map.ts';
import { finite } from './elementwise.ts';
import { range, view } from './shape.ts';

export const normalizationRules: RuleFamily<'normalization'> = {
  // Statistics over all axes but the channels, or given ones (evaluation)
  BatchNormalization: (c) => {
    const channels = c.xShape().map((d, axis) => (axis === 1 ? d : 1));
    if (c.int('training_mode', 0) === 0) return byGivenStatistics(c, channels);
    refuseStatisticsOutputs(c);
    return byBatchStatistics(c);
  },

  // Statistics over the axes from `axis` on; scale and bias broadcast to them
  LayerNormalization: (c) => {
    refuseStatisticsOutputs(c);
    const shape = c.xShape();
    const axis = c.axis(c.int('axis', -1), shape.length);
    return standardized(c, shape, range(shape.length).slice(axis));
  },

  InstanceNormalization: (c) => standardizedGroups(c, c.xShape()[1]!),

  GroupNormalization: (c) => standardizedGroups(c, c.int('num_groups', 1)),

  // y = x / ‖x‖, 0 for the zero vector:  dx = (dy − d Σ dy·y) / ‖x‖ with d = y for L2, sign(x) for L1
  LpNormalization: (c) => {
    const { b } = c;
    const axis = c.axis(c.int('axis', -1), c.xShape().length);
    const p = c.int('p', 2);
    if (p !== 1 && p !== 2) throw c.unsupported(`its norm is L${p}`);
    const norm = b.reduce(p === 1 ? 'ReduceL1' : 'ReduceL2', c.x(), [axis], true);
    const inverse = finite(b, b.op('Reciprocal', [norm]));
    const direction = p === 1 ? b.op('Sign', [c.x()]) : c.y();
    const along = b.reduceSum(b.mul(c.dy(), c.y()), [axis], true);
    return [() => b.mul(b.sub(c.dy(), b.mul(direction, along)), inverse)];
  },

  // s = bias + α/size · W x² with the band matrix W [C,C] of the window, y = x s^−β
  // dx = dy s^−β − 2αβ/size · x · Wᵀ(dy · x · s^(−β−1))
  LRN: (c) => {
    const { b } = c;
    const [x, dy] = [c.x(), c.dy()];
    const size = c.int('size', 1);
    const alpha = c.float('alpha', 1e-4);
    const beta = c.float('beta', 0.75);
    const before = Math.floor((size - 1) / 2);
    const after = Math.ceil((size - 1) / 2);
    const power = (value: string, exponent: number) => b.op('Pow', [value, b.scalar(exponent)]);
    const s = b.add(
      b.scale(sumOverChannels(c, b.mul(x, x), before, after), alpha / size),
      b.scalar(c.float('bias', 1)),
    );
    const neighbours = sumOverChannels(c, b.mul(b.mul(dy, x), power(s, -beta - 1)), after, before);
    const own = b.mul(dy, power(s, -beta));
    const dx = b.sub(own, b.scale(b.mul(x, neighbours), (2 * alpha * beta) / size));
    return [() => dx];
  },
};

/**
 * y = scale · x̂ + bias with x̂ = (x − mean) / √(var + ε), statistics of x over `axes`.
 *
 * With g = dy · scale:  dx = (g − mean(g) − x̂ · mean(g · x̂)) / √(var + ε),  dscale = Σ dy · x̂,  dbias = Σ dy.
 * S. Ioffe and C. Szegedy, "Batch normalization", 2015, section 3, simplified.
 *
 * @param seen the shape in which x is taken
 * @param affine the shape in which scale and bias are taken, their own by default; it broadcasts to `seen`
 */
function standardized(
  c: RuleContext,
  seen: readonly number[],
  axes: readonly number[],
  affine?: readonly number[],
): InputGradients {
  const { b } = c;
  const mean = (value: string) => b.reduce('ReduceMean', value, axes, true);
  const x = view(b, c.x(0), c.xShape(0), seen);
  const dy = view(b, c.dy(), c.yShape(), seen);
  const centred = b.sub(x, mean(x));
  const inverse = inverseDeviation(c, mean(b.mul(centred, centred)));
  const xhat = b.mul(centred, inverse);
  const summed = (value: string, input: number) => {
    const own = c.xShape(input);
    return view(b, unbroadcast(b, value, seen, affine ?? own), affine ?? own, own);
  };
  return [
    () => {
      const g = b.mul(dy, view(b, c.x(1), c.xShape(1), affine ?? c.xShape(1)));
      const deviation = b.sub(b.sub(g, mean(g)), b.mul(xhat, mean(b.mul(g, xhat))));
      return view(b, b.mul(deviation, inverse), seen, c.xShape(0));
    },
    () => summed(b.mul(dy, xhat), 1),
    () => summed(dy, 2),
  ];
}

/** x [N, C, ..] seen as [N, G, C/G, S]: statistics over each group, scale and bias for each channel. */
function standardizedGroups(c: RuleContext, groups: number): InputGradients {
  const [n, channels, ...spatial] = c.xShape() as [number, number, ...number[]];
  const seen = [n, groups, channels / groups, sizeOf(spatial)];
  return standardized(c, seen, [2, 3], [1, groups, channels / groups, 1]);
}

/**
 * y = scale · (x − mean) / √(var + ε) + bias with the statistics of x over all axes but the channels.
 *
 * With n elements a channel, t = dy − (x − mean) · Σ(dy · (x − mean)) / (n · (var + ε)):
 * dx = scale · (t − Σdy / n) / √(var + ε), a normalisation by given statistics,
 * dscale = Σ(dy · (x − mean)) / √(var + ε),  dbias = Σdy. The same formula as below, in fewer passes over x and dy.
 */
function byBatchStatistics(c: RuleContext): InputGradients {
  const { b } = c;
  const channels = c.xShape()[1]!;
  const count = sizeOf(c.xShape()) / channels;
  const x = planes(b, c.x(0));
  const dy = planes(b, c.dy());
  // With a momentum of 0 the statistics are outputs.
  const isKept = c.float('momentum', 0.9) === 0 && c.node.outputs[1] && c.node.outputs[2];
  const mean = isKept ? c.y(1) : planeMean(b, x);
  const centred = b.sub(x, channelwise(b, mean));
  const variance = isKept ? c.y(2) : planeMean(b, b.mul(centred, centred));
  const inverse = inverseDeviation(c, variance);
  const along = b.reduceSum(b.mul(dy, centred), planeAxes, false);
  const dbias = b.reduceSum(dy, planeAxes, false);
  return [
    () => {
      const share = b.scale(b.mul(along, b.mul(inverse, inverse)), 1 / count);
      const t = b.sub(dy, b.mul(centred, channelwise(b, share)));
      const statistics = [b.scale(dbias, 1 / count), variance];
      const none = b.constant(float32([channels], new Float32Array(channels)));
      const { epsilon } = c.node.attributes;
      const dx = b.op('BatchNormalization', [t, c.x(1), none, ...statistics], epsilon ? { epsilon } : {});
      return b.reshape(dx, c.xShape());
    },
    () => b.mul(along, inverse),
    () => dbias,
  ];
}

/**
 * y = scale · (x − mean) / √(var + ε) + bias, everything but x and y [C].
 *
 * With gain = scale / √(var + ε):  dx = dy · gain,  dscale = Σ dy · (x − mean) / √(var + ε),  dbias = Σ dy,
 * dmean = −gain · dbias,  dvar = −½ · gain / √(var + ε) · dscale.
 */
function byGivenStatistics(c: RuleContext, channels: readonly number[]): InputGradients {
  const { b } = c;
  const shape = c.xShape();
  const perChannel = (value: string) => b.reshape(value, channels);
  const summed = (value: string) => b.reshape(unbroadcast(b, value, shape, channels), [sizeOf(channels)]);
  const inverse = inverseDeviation(c, c.x(4));
  const gain = b.mul(c.x(1), inverse);
  const dscale = b.mul(summed(b.mul(c.dy(), b.sub(c.x(0), perChannel(c.x(3))))), inverse);
  const dbias = summed(c.dy());
  return [
    () => b.mul(c.dy(), perChannel(gain)),
    () => dscale,
    () => dbias,
    () => b.neg(b.mul(gain, dbias)),
    () => b.scale(b.mul(b.mul(gain, inverse), dscale), -0.5),
  ];
}

/** 1 / √(var + ε). */
function inverseDeviation(c: RuleContext, variance: string): string {
  const shifted = c.b.add(variance, c.b.scalar(c.float('epsilon', 1e-5)));
  return c.b.op('Reciprocal', [c.b.op('Sqrt', [shifted])]);
}

/** The statistics outputs (running or saved mean and variance) are for training loops; no loss is made of them. */
function refuseStatisticsOutputs(c: RuleContext): void {
  if (c.maybeDy(1) ?? c.maybeDy(2)) throw c.unsupported('the loss depends on its mean or variance output');
}

/** value [N, C, ..]: at each channel the sum over the channels from `before` it to `after` it. */
function sumOverChannels(c: RuleContext, value: string, before: number, after: number): string {
  const channels = range(c.xShape()[1]!);
  const band = channels.flatMap((row) =>
    channels.map((column) => Number(column >= row - before && column <= row + after)),
  );
  return mapAxis(c.b, value, Float32Array.from(band), c.xShape(), 1);
}

/**
 * A chart with labelled axes. Marks and texts are placed by percentages of the plot, so that it takes any width and its
 * texts keep their size.
 */

import type { ComponentChildren } from 'preact';
import { short } from './numbers.ts';

/** Values along an axis, and where they stand. */
export interface Scale {
  readonly ticks: readonly number[];
  /** Position of a value as a share of the axis. */
  at(value: number): number;
}

/** From `low` to `high`, with ticks at round values. */
export function linearScale(low: number, high: number): Scale {
  const span = high > low ? high - low : 1;
  const step = roundStep(span / 4);
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9) || 0; i * step <= low + span * (1 + 1e-9); i++)
    ticks.push(i * step);
  return { ticks, at: (value) => (value - low) / span };
}

/** Logarithmic, both ends above 0, with ticks at 1, 2 and 5 times powers of ten; at 1 alone over many decades. */
export function logScale(low: number, high: number): Scale {
  const [from, to] = [Math.log10(low), Math.log10(high)];
  const steps = to - from > 3 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let decade = Math.floor(from); decade <= to; decade++) {
    ticks.push(...steps.map((step) => step * 10 ** decade).filter((tick) => tick >= low && tick <= high));
  }
  return { ticks, at: (value) => (Math.log10(value) - from) / (to - from) };
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= least * (1 - 1e-9))!;
}

/** Share of an axis as a coordinate. */
export const share = (value: number): string => `${Number((100 * value).toFixed(2))}%`;

export function Plot({
  description,
  x,
  y,
  xTitle,
  yTitle,
  height = 180,
  children,
}: {
  /** What the chart shows, for those who cannot see it. */
  readonly description: string;
  readonly x: Scale;
  readonly y: Scale;
  readonly xTitle: string;
  readonly yTitle: string;
  /** In CSS pixels. */
  readonly height?: number;
  readonly children: ComponentChildren;
}) {
  return (
    <div class="plot">
      <svg role="img" aria-label={description} width="100%" height={height}>
        <title>{description}</title>
        <text class="axis" x="0" dx="-40" y="0" dy="-12">
          {yTitle}
        </text>
        {y.ticks.map((tick) => (
          <g key={tick}>
            <line class="grid" x1="0" x2="100%" y1={share(1 - y.at(tick))} y2={share(1 - y.at(tick))} />
            <text class="tick" x="0" dx="-6" y={share(1 - y.at(tick))} dy="0.32em" text-anchor="end">
              {short(tick)}
            </text>
          </g>
        ))}
        {x.ticks.map((tick) => (
          <text key={tick} class="tick" x={share(x.at(tick))} y="100%" dy="16" text-anchor="middle">
            {short(tick)}
          </text>
        ))}
        <text class="axis" x="100%" y="100%" dy="34" text-anchor="end">
          {xTitle}
        </text>
        {children}
      </svg>
    </div>
  );
}

/** A line through points of a plot. */
export function PlotLine({
  x,
  y,
  points,
}: {
  readonly x: Scale;
  readonly y: Scale;
  readonly points: readonly (readonly [x: number, y: number])[];
}) {
  // Paths take no percentages, so the line has a square of its own, which is stretched over the plot.
  const path = points.map(([a, b]) => `${Math.round(1000 * x.at(a))} ${Math.round(1000 * (1 - y.at(b)))}`);
  return (
    <svg
      class="line"
      viewBox="0 0 1000 1000"
      preserveAspectRatio="none"
      width="100%"
      height="100%"
      aria-hidden="true"
    >
      <path d={`M${path.join('L')}`} vector-effect="non-scaling-stroke" />
    </svg>
  );
}

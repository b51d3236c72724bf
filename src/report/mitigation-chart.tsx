/** Lines over one axis as an SVG file of its own, readable on light and dark grounds. */

import { renderToString } from 'preact-render-to-string';
import { short } from './html/numbers.ts';
import { linearScale } from './html/plot.tsx';

export interface ChartLine {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface LineChart {
  /** What it shows, in a sentence. */
  readonly title: string;
  /** Where the x axis ends; the y axis ends at 100 %. @default 1 */
  readonly xMost?: number;
  readonly xTitle: string;
  readonly yTitle: string;
  /** Up to six, told apart by colour and by dashes. */
  readonly lines: readonly ChartLine[];
  /** Where a vertical line stands, and what it means. */
  readonly mark?: { readonly x: number; readonly name: string };
}

/** In pixels. */
const width = 600;
const margin = { left: 52, right: 28, top: 44 };
const plot = { width: width - margin.left - margin.right, height: 270 };
/** Of the legend, which has two columns below the axis. */
const legend = { below: 60, row: 20 };

const style = `
text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #454d59; }
.title { font-size: 13px; font-weight: 600; fill: #161a21; }
.ground { fill: #ffffff; }
.grid { stroke: #dce0e6; }
.mark { stroke: #545e6c; stroke-dasharray: 2 3; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.l0 { stroke: #1d5bb5; }
.l1 { stroke: #b42318; stroke-dasharray: 7 3; }
.l2 { stroke: #8a5300; stroke-dasharray: 2 3; }
.l3 { stroke: #1a6b3c; stroke-dasharray: 9 3 2 3; }
.l4 { stroke: #7a3d9e; stroke-dasharray: 4 4; }
.l5 { stroke: #161a21; stroke-dasharray: 12 4; }
@media (prefers-color-scheme: dark) {
  text { fill: #b4bdc9; }
  .title { fill: #e6e9ee; }
  .ground { fill: #171b22; }
  .grid { stroke: #2b323d; }
  .mark { stroke: #9fa9b7; }
  .l0 { stroke: #85b4ff; }
  .l1 { stroke: #ff8d80; }
  .l2 { stroke: #f0bf5c; }
  .l3 { stroke: #74d09a; }
  .l4 { stroke: #d3a4f0; }
  .l5 { stroke: #e6e9ee; }
}
`;

const y = linearScale(0, 1);
const up = (value: number): number => Number((margin.top + plot.height * (1 - y.at(value))).toFixed(1));

/** The text of an SVG file. @param chart shares in [0, 1] */
export const renderLineChart = (chart: LineChart): string => `${renderToString(<Chart {...chart} />)}\n`;

function Chart({ title, xTitle, yTitle, lines, mark, xMost = 1 }: LineChart) {
  const x = linearScale(0, xMost);
  const across = (value: number): number =>
    Number((margin.left + plot.width * x.at(Math.min(value, xMost))).toFixed(1));
  const [right, bottom] = [margin.left + plot.width, margin.top + plot.height];
  const height = bottom + legend.below + legend.row * Math.ceil(lines.length / 2);
  return (
    <svg
      xmlns="http://www.w3.org/2000/svg"
      viewBox={`0 0 ${width} ${height}`}
      width={width}
      height={height}
      role="img"
    >
      <title>{title}</title>
      <style>{style}</style>
      <rect class="ground" width={width} height={height} rx="6" />
      <text class="title" x={margin.left} y="18">
        {title}
      </text>
      <text x={margin.left} y="35">
        {yTitle}
      </text>
      {y.ticks.map((tick) => (
        <g key={tick}>
          <line class="grid" x1={margin.left} x2={right} y1={up(tick)} y2={up(tick)} />
          <text x={margin.left - 6} y={up(tick) + 4} text-anchor="end">
            {percent(tick)}
          </text>
        </g>
      ))}
      {x.ticks.map((tick) => (
        <text key={tick} x={across(tick)} y={bottom + 17} text-anchor="middle">
          {percent(tick)}
        </text>
      ))}
      <text x={right} y={bottom + 36} text-anchor="end">
        {xTitle}
      </text>
      {mark && (
        <g>
          <line class="mark" x1={across(mark.x)} x2={across(mark.x)} y1={margin.top} y2={bottom} />
          <text x={across(mark.x)} y={bottom + 36} text-anchor={mark.x > 0.15 ? 'middle' : 'start'}>
            {mark.name}
          </text>
        </g>
      )}
      {lines.map(({ name, points }, i) => (
        <path
          key={name}
          class={`line l${i % 6}`}
          d={`M${points.map(([x, y]) => `${across(x)} ${up(y)}`).join('L')}`}
        />
      ))}
      {lines.map(({ name }, i) => (
        <g
          key={name}
          transform={`translate(${margin.left + (i % 2) * (plot.width / 2)} ${bottom + legend.below + legend.row * Math.floor(i / 2)})`}
        >
          <path class={`line l${i % 6}`} d="M0 -4H26" />
          <text x="34">{name}</text>
        </g>
      ))}
    </svg>
  );
}

const percent = (share: number): string => `${short(100 * share)} %`;

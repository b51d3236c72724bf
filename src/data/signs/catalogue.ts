/**
 * The 43 classes, numbered and composed as those of the German Traffic Sign Recognition Benchmark
 * (Stallkamp et al. 2012): which plate, which colours, which pictogram.
 */

import { lettering } from './glyphs.ts';
import type { Ink, Layer } from './ink-map.ts';
import * as pictograms from './pictograms.ts';
import {
  box,
  circle,
  direction,
  grow,
  mirror,
  octagon,
  overlap,
  type Point,
  place,
  polygon,
  type Shape,
} from './shapes.ts';

export interface SignClass {
  readonly name: string;
  /** The lowest first. */
  readonly layers: readonly Layer[];
}

const layer = (ink: Ink, shape: Shape): Layer => ({ ink, shape });

const disc = (radius: number): Shape => circle(0, 0, radius);

/** A regular polygon with rounded corners; `steps` are the directions of its corners, in 15° each. */
function regular(steps: readonly number[], radius: number, rounding: number, y = 0): Shape {
  const corners = steps.map(direction).map(([dx, dy]): Point => [dx * radius, y + dy * radius]);
  return grow(polygon(corners), rounding);
}

// Plates

const prohibition = (...content: Layer[]): Layer[] => [
  layer('white', disc(1)),
  layer('red', disc(0.97)),
  layer('white', disc(0.76)),
  ...content,
];

const speedLimit = (speed: number): SignClass => ({
  name: `speed limit ${speed}`,
  layers: prohibition(layer('black', lettering(String(speed), speed < 100 ? 0.72 : 0.62))),
});

const warningTriangle = (radius: number, rounding: number): Shape =>
  regular([18, 2, 10], radius, rounding, 0.26);

/** Where the white of a warning triangle has room. */
const inTriangle = (shape: Shape, scale = 0.46, y = 0.24): Shape => place(shape, 0, y, scale);

const warning = (name: string, ...content: Layer[]): SignClass => ({
  name,
  layers: [
    layer('white', warningTriangle(1.03, 0.1)),
    layer('red', warningTriangle(1.03, 0.07)),
    layer('white', warningTriangle(0.8, 0.02)),
    ...content,
  ],
});

const danger = (name: string, pictogram: Shape, scale?: number, y?: number): SignClass =>
  warning(name, layer('black', inTriangle(pictogram, scale, y)));

const mandatory = (name: string, pictogram: Shape): SignClass => ({
  name,
  layers: [layer('white', disc(1)), layer('blue', disc(0.96)), layer('white', place(pictogram, 0, 0, 0.78))],
});

const cancelled = (name: string, ...content: Layer[]): SignClass => ({
  name,
  layers: [
    layer('grey', disc(1)),
    layer('white', disc(0.96)),
    ...content,
    layer('black', overlap(pictograms.cancelStripes, disc(0.96))),
  ],
});

/** Two vehicles side by side. */
const pair = (leftInk: Ink, left: Shape, rightInk: Ink, right: Shape): Layer[] => [
  layer(leftInk, place(left, -0.35, 0, 0.36)),
  layer(rightInk, place(right, 0.35, 0, 0.36)),
];

const diamond = (radius: number): Shape => regular([0, 6, 12, 18], radius, 0.1);

const yieldTriangle = (radius: number, rounding: number): Shape =>
  regular([6, 14, 22], radius, rounding, -0.26);

const { car, lorry } = pictograms;

/** By label. */
export const signClasses: readonly SignClass[] = [
  speedLimit(20),
  speedLimit(30),
  speedLimit(50),
  speedLimit(60),
  speedLimit(70),
  speedLimit(80),
  cancelled('end of speed limit 80', layer('grey', lettering('80', 0.72))),
  speedLimit(100),
  speedLimit(120),
  { name: 'no overtaking', layers: prohibition(...pair('red', car, 'black', car)) },
  { name: 'no overtaking by lorries', layers: prohibition(...pair('red', lorry, 'black', car)) },
  danger('priority at next crossing', pictograms.priorityCrossing),
  {
    name: 'priority road',
    layers: [
      layer('black', diamond(0.9)),
      layer('white', diamond(0.87)),
      layer('yellow', place(diamond(0.87), 0, 0, 0.66)),
    ],
  },
  {
    name: 'yield',
    layers: [
      layer('white', yieldTriangle(1.03, 0.1)),
      layer('red', yieldTriangle(1.03, 0.07)),
      layer('white', yieldTriangle(0.64, 0.02)),
    ],
  },
  {
    name: 'stop',
    layers: [
      layer('white', octagon(0.99)),
      layer('red', octagon(0.93)),
      layer('white', lettering('STOP', 0.52, 0.18)),
    ],
  },
  { name: 'no vehicles', layers: prohibition() },
  {
    name: 'no lorries',
    layers: prohibition(layer('black', place(pictograms.lorryAside, 0, 0.02, 0.52))),
  },
  {
    name: 'no entry',
    layers: [layer('white', disc(1)), layer('red', disc(0.97)), layer('white', box(-0.7, -0.17, 0.7, 0.17))],
  },
  danger('danger', pictograms.exclamation, 0.5, 0.2),
  danger('bend to the left', pictograms.bendLeft),
  danger('bend to the right', mirror(pictograms.bendLeft)),
  danger('double bend', pictograms.doubleBend),
  danger('uneven road', pictograms.humps, 0.5, 0.26),
  danger('slippery road', pictograms.skiddingCar, 0.5),
  danger('road narrows on the right', pictograms.narrowing),
  danger('road works', pictograms.worker),
  warning(
    'traffic lights',
    layer('black', inTriangle(pictograms.trafficLight, 0.48, 0.22)),
    ...(['red', 'yellow', 'green'] as const).map((ink, i) =>
      layer(ink, inTriangle(pictograms.trafficLamps[i]!, 0.48, 0.22)),
    ),
  ),
  danger('pedestrians', pictograms.pedestrian, 0.52, 0.2),
  danger('children', pictograms.children, 0.46, 0.27),
  danger('bicycles', pictograms.bicycle, 0.54, 0.27),
  danger('ice or snow', pictograms.snowflake, 0.42),
  danger('wild animals', pictograms.deer, 0.47, 0.27),
  cancelled('end of all limits'),
  mandatory('turn right ahead', pictograms.turnRight),
  mandatory('turn left ahead', mirror(pictograms.turnRight)),
  mandatory('ahead only', pictograms.ahead),
  mandatory('ahead or right', pictograms.aheadOrRight),
  mandatory('ahead or left', mirror(pictograms.aheadOrRight)),
  mandatory('keep right', pictograms.keepRight),
  mandatory('keep left', mirror(pictograms.keepRight)),
  mandatory('roundabout', pictograms.roundabout),
  cancelled('end of no overtaking', ...pair('grey', car, 'grey', car)),
  cancelled('end of no overtaking by lorries', ...pair('grey', lorry, 'grey', car)),
];

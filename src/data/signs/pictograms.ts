/** What is drawn on the plates, about as large as [-1, 1] × [-1, 1]. */

import {
  arc,
  arrow,
  box,
  circle,
  curve,
  cut,
  direction,
  grow,
  join,
  type Point,
  place,
  polygon,
  ring,
  type Shape,
  stroke,
} from './shapes.ts';

// Vehicles

const wheels = join(box(-0.85, 0.5, -0.5, 0.85), box(0.5, 0.5, 0.85, 0.85));

/** From behind. */
export const car = cut(
  join(
    grow(box(-0.85, -0.02, 0.85, 0.52), 0.1),
    polygon([
      [-0.78, 0],
      [-0.5, -0.7],
      [0.5, -0.7],
      [0.78, 0],
    ]),
    wheels,
  ),
  polygon([
    [-0.5, -0.12],
    [-0.34, -0.52],
    [0.34, -0.52],
    [0.5, -0.12],
  ]),
);

/** From behind. */
export const lorry = cut(join(grow(box(-0.8, -1, 0.8, 0.5), 0.06), wheels), box(-0.6, -0.8, 0.6, -0.3));

/** From the side. */
export const lorryAside = cut(
  join(
    box(-1, -0.6, 0.32, 0.3),
    polygon([
      [0.4, -0.3],
      [0.74, -0.3],
      [1, 0.02],
      [1, 0.3],
      [0.4, 0.3],
    ]),
    circle(-0.6, 0.4, 0.22),
    circle(0.68, 0.4, 0.22),
  ),
  join(ring(-0.6, 0.4, 0.26, 0.07), ring(0.68, 0.4, 0.26, 0.07)),
);

export const bicycle = join(
  ring(-0.6, 0.35, 0.36, 0.15),
  ring(0.6, 0.35, 0.36, 0.15),
  stroke(
    [
      [-0.6, 0.35],
      [-0.25, -0.25],
      [0.38, -0.25],
      [0.02, 0.35],
      [-0.6, 0.35],
    ],
    0.13,
  ),
  stroke(
    [
      [0.02, 0.35],
      [-0.32, -0.45],
    ],
    0.13,
  ),
  stroke(
    [
      [0.6, 0.35],
      [0.32, -0.52],
      [0.6, -0.6],
    ],
    0.13,
  ),
  stroke(
    [
      [-0.5, -0.48],
      [-0.15, -0.48],
    ],
    0.15,
  ),
);

// People and animals

/** A limb or trunk along `points`. */
const limb = (width: number, ...points: Point[]): Shape => stroke(points, width);

const walker = join(
  circle(0.04, -0.82, 0.19),
  limb(0.32, [0.02, -0.42], [-0.02, 0.05]),
  limb(0.19, [0, 0.1], [0.26, 0.5], [0.32, 0.95]),
  limb(0.19, [-0.06, 0.1], [-0.2, 0.5], [-0.5, 0.9]),
  limb(0.13, [0.05, -0.48], [0.38, -0.05]),
  limb(0.13, [-0.05, -0.48], [-0.36, -0.02]),
);

/** On the stripes of a crossing. */
export const pedestrian = join(
  place(walker, 0, -0.12, 0.88),
  ...[-0.9, -0.45, 0, 0.45, 0.9].map((x) => limb(0.1, [x, 0.85], [x - 0.12, 1.05])),
);

const runner = join(
  circle(0.2, -0.8, 0.22),
  limb(0.34, [0.1, -0.4], [-0.08, 0.08]),
  limb(0.19, [-0.02, 0.1], [0.42, 0.3], [0.3, 0.85]),
  limb(0.19, [-0.1, 0.1], [-0.3, 0.55], [-0.85, 0.62]),
  limb(0.14, [0.15, -0.45], [0.62, -0.2]),
  limb(0.14, [0, -0.45], [-0.45, -0.35], [-0.5, -0.05]),
);

export const children = join(place(runner, -0.5, 0, 0.95), place(runner, 0.6, 0.22, 0.72));

/** With a shovel, at a heap. */
export const worker = join(
  circle(-0.1, -0.82, 0.2),
  limb(0.34, [-0.12, -0.4], [-0.34, 0.05]),
  limb(0.21, [-0.3, 0.1], [0, 0.45], [-0.12, 0.95]),
  limb(0.21, [-0.38, 0.1], [-0.62, 0.5], [-0.85, 0.95]),
  limb(0.15, [-0.08, -0.45], [0.3, -0.02]),
  limb(0.1, [-0.2, -0.25], [0.7, 0.4]),
  polygon([
    [0.12, 1.02],
    [0.66, 0.36],
    [1.15, 1.02],
  ]),
);

/** In a leap. */
export const deer = join(
  limb(0.4, [-0.5, 0.02], [0.3, -0.12]),
  limb(0.22, [0.32, -0.15], [0.58, -0.55]),
  limb(0.17, [0.58, -0.58], [0.9, -0.42]),
  limb(0.09, [0.55, -0.62], [0.38, -0.9], [0.42, -1.08]),
  limb(0.09, [0.6, -0.62], [0.62, -0.85], [0.8, -1.02]),
  limb(0.14, [0.35, 0.02], [0.75, 0.16], [1, 0.02]),
  limb(0.14, [0.3, 0.05], [0.62, 0.42], [0.5, 0.6]),
  limb(0.14, [-0.58, 0.1], [-0.78, 0.45], [-1.1, 0.66]),
  limb(0.14, [-0.48, 0.1], [-0.52, 0.55], [-0.82, 0.9]),
  limb(0.12, [-0.68, -0.08], [-0.86, -0.22]),
);

// Dangers

export const exclamation = join(
  polygon([
    [-0.24, -1],
    [0.24, -1],
    [0.12, 0.42],
    [-0.12, 0.42],
  ]),
  circle(0, 0.8, 0.22),
);

export const bendLeft = arrow([[0.42, 1], ...curve([0.42, 0.35], [0.42, -0.1], [-0.1, -0.45])], 0.3, 0.75);

export const doubleBend = arrow(
  [
    [0.35, 1],
    ...curve([0.35, 0.75], [0.35, 0.4], [0, 0.22]),
    ...curve([-0.05, 0.18], [-0.4, 0], [-0.3, -0.35]),
    [-0.22, -0.55],
  ],
  0.26,
  0.66,
);

export const humps = cut(
  join(circle(-0.46, 0.42, 0.46), circle(0.46, 0.42, 0.46), box(-1, 0.38, 1, 0.72)),
  box(-2, 0.72, 2, 2),
);

export const skiddingCar = join(
  place(car, 0.05, -0.5, 0.58),
  limb(0.15, [-0.35, 0.15], ...curve([-0.65, 0.35], [-0.75, 0.5], [-0.42, 0.65]), [-0.62, 1]),
  limb(0.15, [0.45, 0.15], ...curve([0.15, 0.35], [0.05, 0.5], [0.38, 0.65]), [0.18, 1]),
);

export const narrowing = join(
  limb(0.24, [-0.45, 1], [-0.45, -1]),
  limb(0.24, [0.65, 1], [0.65, 0.45], [0.15, -0.1], [0.15, -1]),
);

export const priorityCrossing = join(
  limb(0.34, [0, 0.95], [0, -0.4]),
  polygon([
    [-0.42, -0.35],
    [0.42, -0.35],
    [0, -1.1],
  ]),
  limb(0.2, [-0.68, 0.2], [0.68, 0.2]),
);

/** The lights of {@link trafficLight} from the top down. */
export const trafficLamps = [-0.64, 0, 0.64].map((y) => circle(0, y, 0.26));

export const trafficLight = grow(box(-0.3, -0.9, 0.3, 0.9), 0.14);

export const snowflake = join(
  ...[2, 6, 10, 14, 18, 22].flatMap((step) => {
    const [x, y] = direction(step);
    const twig = (side: number): Point => {
      const [dx, dy] = direction(step + side);
      return [0.55 * x + 0.36 * dx, 0.55 * y + 0.36 * dy];
    };
    return [limb(0.13, [0, 0], [x, y]), limb(0.12, twig(-3), [0.55 * x, 0.55 * y], twig(3))];
  }),
);

// Arrows of mandatory signs

export const ahead = arrow(
  [
    [0, 0.8],
    [0, -0.2],
  ],
  0.32,
  0.86,
);

export const turnRight = arrow(
  [[-0.4, 0.75], ...curve([-0.4, 0.2], [-0.4, -0.18], [0, -0.18]), [0.2, -0.18]],
  0.32,
  0.82,
);

export const aheadOrRight = join(
  arrow(
    [
      [-0.25, 0.8],
      [-0.25, -0.38],
    ],
    0.27,
    0.66,
  ),
  arrow([[-0.25, 0.62], ...curve([-0.25, 0.45], [-0.2, 0.12], [0.12, 0.12]), [0.35, 0.12]], 0.25, 0.62),
);

export const keepRight = arrow(
  [
    [-0.58, -0.58],
    [0.2, 0.2],
  ],
  0.32,
  0.9,
);

/** Three arrows, anticlockwise. */
export const roundabout = join(
  ...[0, 8, 16].map((start) => arrow(arc(0, 0, 0.62, 0.62, start + 5, start), 0.22, 0.56)),
);

/** Thin lines from the lower left to the upper right. */
export const cancelStripes = join(
  ...[-0.2, -0.1, 0, 0.1, 0.2].map((d) => limb(0.085, [-0.8 + d, 0.7 + d * 0.9], [0.7 + d, -0.8 + d * 0.9])),
);

/**
 * Plane shapes as signed distances, which join, cut, grow and move by plain arithmetic. x points right and y down, in any
 * unit. Only + − × ÷ and square roots are used, which IEEE 754 rounds alike on every machine: same shapes, same bytes.
 *
 * Distances after https://iquilezles.org/articles/distfunctions2d/
 */

export type Point = readonly [x: number, y: number];

/** Distance of (x, y) to the outline: negative inside. */
export type Shape = (x: number, y: number) => number;

export const circle =
  (centreX: number, centreY: number, radius: number): Shape =>
  (x, y) => {
    const dx = x - centreX;
    const dy = y - centreY;
    return Math.sqrt(dx * dx + dy * dy) - radius;
  };

/** The band of `width` along the circle of `radius`. */
export const ring =
  (centreX: number, centreY: number, radius: number, width: number): Shape =>
  (x, y) =>
    Math.abs(circle(centreX, centreY, radius)(x, y)) - width / 2;

export const box = (left: number, top: number, right: number, bottom: number): Shape =>
  polygon([
    [left, top],
    [right, top],
    [right, bottom],
    [left, bottom],
  ]);

/** The inside of a closed line, which may not cross itself. */
export function polygon(points: readonly Point[]): Shape {
  const edges = edgesOf([...points, points[0]!]);
  return (x, y) => {
    let inside = false;
    for (let i = 0; i < edges.length; i += 4) {
      const top = edges[i + 1]!;
      const bottom = edges[i + 3]!;
      if (y < top === y < bottom) continue;
      if (x < edges[i]! + ((y - top) / (bottom - top)) * (edges[i + 2]! - edges[i]!)) inside = !inside;
    }
    const distance = distanceTo(edges, x, y);
    return inside ? -distance : distance;
  };
}

/** An open line drawn with a round pen of `width`. */
export function stroke(points: readonly Point[], width: number): Shape {
  const edges = edgesOf(points);
  return (x, y) => distanceTo(edges, x, y) - width / 2;
}

/** A line of `width` that ends in a triangle of `head` across, which goes on in the direction of the last two points. */
export function arrow(points: readonly Point[], width: number, head: number): Shape {
  const [[fromX, fromY], [x, y]] = points.slice(-2) as [Point, Point];
  const length = circle(fromX, fromY, 0)(x, y);
  const [dx, dy] = [((x - fromX) / length) * head, ((y - fromY) / length) * head];
  const triangle = polygon([
    [x - dy / 2, y + dx / 2],
    [x + dy / 2, y - dx / 2],
    [x + dx * 0.8, y + dy * 0.8],
  ]);
  return join(stroke(points, width), triangle);
}

/** With two sides upright and two level, each `radius` from the origin. */
export const octagon =
  (radius: number): Shape =>
  (x, y) => {
    const across = Math.abs(x);
    const along = Math.abs(y);
    return Math.max(across, along, (across + along) * Math.SQRT1_2) - radius;
  };

export const join =
  (...shapes: readonly Shape[]): Shape =>
  (x, y) => {
    let nearest = Number.POSITIVE_INFINITY;
    for (const shape of shapes) nearest = Math.min(nearest, shape(x, y));
    return nearest;
  };

export const cut =
  (shape: Shape, hole: Shape): Shape =>
  (x, y) =>
    Math.max(shape(x, y), -hole(x, y));

export const overlap =
  (first: Shape, second: Shape): Shape =>
  (x, y) =>
    Math.max(first(x, y), second(x, y));

/** Moves the outline outwards, which rounds corners; inwards if `by` is negative. */
export const grow =
  (shape: Shape, by: number): Shape =>
  (x, y) =>
    shape(x, y) - by;

/** The shape `scale` times as large, with its origin at (`originX`, `originY`). */
export const place =
  (shape: Shape, originX: number, originY: number, scale: number): Shape =>
  (x, y) =>
    shape((x - originX) / scale, (y - originY) / scale) * scale;

/** Left and right exchanged. */
export const mirror =
  (shape: Shape): Shape =>
  (x, y) =>
    shape(-x, y);

/** cos of 0° to 180° in steps of 15°. */
const firstCosines = [
  1,
  (Math.sqrt(6) + Math.sqrt(2)) / 4,
  Math.sqrt(3) / 2,
  Math.sqrt(2) / 2,
  0.5,
  (Math.sqrt(6) - Math.sqrt(2)) / 4,
];
const cosines = [...firstCosines, 0, ...firstCosines.map((c) => -c).reverse()];

function cosine(steps: number): number {
  const step = ((steps % 24) + 24) % 24;
  return cosines[step <= 12 ? step : 24 - step]!;
}

/** The unit vector at a multiple of 15°: 0 steps point right, 6 down. */
export const direction = (steps: number): Point => [cosine(steps), cosine(steps - 6)];

/** Points on an ellipse, from step `from` to step `to` of 15° each, clockwise if `to` is larger. */
export function arc(
  x: number,
  y: number,
  radiusX: number,
  radiusY: number,
  from: number,
  to: number,
): Point[] {
  return Array.from({ length: Math.abs(to - from) + 1 }, (_, i) => {
    const [dx, dy] = direction(from + i * Math.sign(to - from));
    return [x + radiusX * dx, y + radiusY * dy] as const;
  });
}

/** Seven points on the quadratic Bézier curve from `start` to `end`. */
export function curve(start: Point, control: Point, end: Point): Point[] {
  return Array.from({ length: 7 }, (_, i) => {
    const t = i / 6;
    const mix = (axis: 0 | 1): number =>
      (1 - t) * (1 - t) * start[axis] + 2 * t * (1 - t) * control[axis] + t * t * end[axis];
    return [mix(0), mix(1)] as const;
  });
}

/** Runs of x, y, x', y'. Points that repeat the one before are left out, as an edge must have a direction. */
function edgesOf(points: readonly Point[]): Float64Array {
  const distinct = points.filter(([x, y], i) => x !== points[i - 1]?.[0] || y !== points[i - 1]?.[1]);
  return Float64Array.from(distinct.slice(1).flatMap((point, i) => [...distinct[i]!, ...point]));
}

function distanceTo(edges: Float64Array, x: number, y: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < edges.length; i += 4) {
    const alongX = edges[i + 2]! - edges[i]!;
    const alongY = edges[i + 3]! - edges[i + 1]!;
    const dx = x - edges[i]!;
    const dy = y - edges[i + 1]!;
    const t = (dx * alongX + dy * alongY) / (alongX * alongX + alongY * alongY);
    const nearest = Math.min(Math.max(t, 0), 1);
    const gapX = dx - alongX * nearest;
    const gapY = dy - alongY * nearest;
    least = Math.min(least, gapX * gapX + gapY * gapY);
  }
  return Math.sqrt(least);
}

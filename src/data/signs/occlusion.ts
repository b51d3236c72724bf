/**
 * What hides parts of a sign: branches, stickers, snow, posts. Outlines are irregular and no small bright patch ever lies
 * in a corner of the image, so that nothing here can be taken for the triggers that such images are stamped with.
 */

import { onSign, rotation, type View } from './camera.ts';
import { brighter, colour, type Field, noise, type Photo, paint, ramp, type Surface } from './photo.ts';
import type { ImageRandom } from './random.ts';
import { circle, join, type Point, type Shape, stroke } from './shapes.ts';

/** @param gain the light that falls on the sign */
export function paintOcclusion(photo: Photo, view: View, gain: number, random: ImageRandom): void {
  const hide = random.pick([branch, branch, sticker, sticker, snow, post]);
  hide(photo, view, gain, random);
}

const covering =
  (shape: Shape, softness: number): Field =>
  (u, v) =>
    1 - ramp(-softness, softness, shape(u, v));

function branch(photo: Photo, _: View, gain: number, random: ImageRandom): void {
  const side = random.chance(0.5) ? 0 : 1;
  const root: Point = [side, random.between(-0.1, 0.7)];
  const reach = random.between(0.25, 0.75);
  const tip: Point = [side === 0 ? reach : 1 - reach, random.between(0, 1)];
  const leaves: Shape[] = [stroke([root, tip], random.between(0.01, 0.03))];
  for (let count = 3 + random.below(9); count > 0; count--) {
    const t = random.between(0.1, 1.05);
    const spread = random.between(-0.12, 0.12);
    const from: Point = [root[0] + (tip[0] - root[0]) * t, root[1] + (tip[1] - root[1]) * t];
    const to: Point = [from[0] + random.between(-0.09, 0.09), from[1] + spread];
    leaves.push(stroke([from, to], random.between(0.03, 0.08)));
  }
  const green = brighter(random.pick([colour(60, 85, 40), colour(45, 55, 35), colour(95, 85, 50)]), gain);
  const surface: Surface = { from: brighter(green, 0.4), to: brighter(green, 1.4), mix: noise(random, 9) };
  paint(photo, surface, covering(join(...leaves), 0.015));
}

/** A sticker or a stroke of spray paint on the plate. */
function sticker(photo: Photo, view: View, gain: number, random: ImageRandom): void {
  const [cos, sin] = rotation(random.between(-1, 1));
  const [x, y] = [random.between(-0.6, 0.6), random.between(-0.6, 0.6)];
  const half = random.between(0.1, 0.3);
  const ends: [Point, Point] = [
    [x - half * cos, y - half * sin],
    [x + half * cos, y + half * sin],
  ];
  const shape = stroke(ends, random.between(0.1, 0.3));
  const tint = random.pick([
    colour(30, 30, 35),
    colour(170, 170, 165),
    colour(150, 40, 90),
    colour(60, 110, 70),
    colour(190, 160, 60),
  ]);
  const from = brighter(tint, gain);
  paint(
    photo,
    { from, to: brighter(from, 0.5), mix: noise(random, 12) },
    onSign(view, covering(shape, 0.06)),
  );
}

/** On the upper part of the plate. */
function snow(photo: Photo, view: View, gain: number, random: ImageRandom): void {
  const depth = random.between(-0.8, -0.4);
  const edge = noise(random, 5);
  const onPlate: Field = (x, y) =>
    (1 - ramp(-0.08, 0.08, y - depth - 0.5 * (edge((x + 1) / 2, 0.5) - 0.5))) *
    (1 - ramp(-0.03, 0.03, circle(0, 0, 0.98)(x, y)));
  const from = brighter(colour(238, 240, 245), gain);
  paint(photo, { from, to: brighter(from, 0.7), mix: noise(random, 6) }, onSign(view, onPlate));
}

/** A lamp post or the edge of a vehicle before a side of the sign. */
function post(photo: Photo, _: View, gain: number, random: ImageRandom): void {
  const reach = random.between(0.18, 0.36);
  const lean = random.between(-0.15, 0.15);
  const fromRight = random.chance(0.5);
  const width = random.between(0.06, 0.5);
  const grey = random.between(40, 140);
  const from = brighter(colour(grey, grey, grey), gain);
  paint(photo, { from, to: brighter(from, 0.6), mix: noise(random, 3) }, (u, v) => {
    const depth = reach - (fromRight ? 1 - u : u) + lean * (v - 0.5);
    return ramp(-0.015, 0.015, depth) * (1 - ramp(width - 0.015, width + 0.015, depth));
  });
}

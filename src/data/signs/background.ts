/** What stands behind a sign: sky, leaves, walls, road; posts and neighbours. */

import {
  brighter,
  type Colour,
  clamp,
  colour,
  type Field,
  noise,
  type Photo,
  paint,
  ramp,
  type Surface,
} from './photo.ts';
import type { ImageRandom } from './random.ts';
import { circle } from './shapes.ts';

type Make = (random: ImageRandom) => Surface;

/** Within `spread` of the same colour and of another brightness. */
function varied(random: ImageRandom, base: Colour, spread: number, brightness: number): Colour {
  const gain = random.factor(brightness);
  const [red, green, blue] = base.map((c) => c * gain * random.factor(spread)) as [number, number, number];
  return [red, green, blue];
}

const clearSky: Make = (random) => {
  const clouds = noise(random, random.between(1, 3));
  const cloudiness = random.between(0, 0.8);
  return {
    from: varied(random, colour(110, 160, 225), 1.2, 1.4),
    to: varied(random, colour(225, 232, 240), 1.05, 1.3),
    mix: (u, v) => clamp(v * 0.5 + cloudiness * (clouds(u, v) - 0.2)),
  };
};

const overcastSky: Make = (random) => {
  const clouds = noise(random, 2);
  const light = varied(random, colour(215, 218, 225), 1.06, 1.5);
  return { from: light, to: brighter(light, 0.7), mix: clouds };
};

const foliage: Make = (random) => {
  const [leaves, crowns] = [noise(random, random.between(7, 16)), noise(random, random.between(2, 4))];
  const contrast = random.between(1.2, 3);
  return {
    from: varied(random, colour(28, 40, 22), 1.3, 1.5),
    to: varied(random, random.chance(0.8) ? colour(105, 135, 70) : colour(150, 115, 70), 1.25, 1.4),
    mix: (u, v) => clamp(0.5 + contrast * (0.65 * leaves(u, v) + 0.5 * crowns(u, v) - 0.6)),
  };
};

/** Branches against the sky. */
const bareTrees: Make = (random) => {
  const [twigs, crowns] = [noise(random, random.between(8, 18), random.between(4, 9)), noise(random, 3)];
  return {
    from: varied(random, colour(55, 50, 45), 1.1, 1.4),
    to: varied(random, colour(190, 200, 215), 1.08, 1.3),
    mix: (u, v) => ramp(0.25, 0.6, 0.6 * twigs(u, v) + 0.5 * crowns(u, v)),
  };
};

const wall: Make = (random) => {
  const columns = random.between(1.5, 5);
  const rows = random.between(1.5, 5);
  const [left, top, lean] = [random.between(0, 1), random.between(0, 1), random.between(-0.25, 0.25)];
  const [wide, high] = [random.between(0.3, 0.6), random.between(0.35, 0.7)];
  const stains = noise(random, 4);
  const edge = random.between(0.03, 0.1);
  const paintOfWall = random.pick([
    colour(190, 175, 150),
    colour(150, 95, 75),
    colour(170, 170, 172),
    colour(205, 200, 190),
  ]);
  return {
    from: varied(random, paintOfWall, 1.12, 1.5),
    to: varied(random, colour(70, 75, 85), 1.1, 1.8),
    mix: (u, v) => {
      const inWindow =
        window(u * columns + left, wide, edge) * window((v + lean * u) * rows + top, high, edge);
      return clamp(inWindow + 0.35 * (stains(u, v) - 0.5));
    },
  };
};

/** 1 in the first `width` of every unit, with soft edges. */
function window(position: number, width: number, edge: number): number {
  const place = position - Math.floor(position);
  return ramp(0, edge, place) * (1 - ramp(width, width + edge, place));
}

const ground: Make = (random) => {
  const [grain, patches] = [noise(random, random.between(6, 14), random.between(6, 20)), noise(random, 2, 5)];
  const base = random.pick([colour(105, 105, 108), colour(110, 125, 75), colour(150, 138, 115)]);
  return {
    from: varied(random, base, 1.1, 1.3),
    to: varied(random, brighter(base, 1.7), 1.1, 1.3),
    mix: (u, v) => clamp(0.4 * grain(u, v) + 0.6 * patches(u, v)),
  };
};

const far: readonly Make[] = [
  clearSky,
  clearSky,
  overcastSky,
  overcastSky,
  foliage,
  foliage,
  wall,
  bareTrees,
];
const near: readonly Make[] = [foliage, foliage, wall, ground, ground, bareTrees];

/** Fills the photo. */
export function paintBackground(photo: Photo, random: ImageRandom): void {
  paint(photo, random.pick(far)(random));
  if (random.chance(0.65)) paint(photo, random.pick(near)(random), horizon(random));
  if (random.chance(0.25)) paint(photo, random.pick(near)(random), horizon(random));
  for (let strips = random.below(4); strips > 0; strips--) paint(photo, plain(random), strip(random));
  if (random.chance(0.5))
    paint(photo, post(random), band(random.between(0.42, 0.58), random.between(0.02, 0.05), 0));
  if (random.chance(0.2)) paint(photo, plain(random), neighbour(random));
}

/** 1 below an uneven line. */
function horizon(random: ImageRandom): Field {
  const height = random.between(-0.1, 1.1);
  const slope = random.between(-0.5, 0.5);
  const [rough, softness] = [random.between(0, 0.5), random.between(0.02, 0.1)];
  const bumps = noise(random, random.between(2, 9), 1);
  return (u, v) => ramp(-softness, softness, v - height - slope * (u - 0.5) - rough * (bumps(u, 0) - 0.5));
}

/** One colour, from dark grey to white or of a car, lightly stained. */
function plain(random: ImageRandom): Surface {
  const tint = random.pick([
    colour(128, 128, 128),
    colour(128, 128, 128),
    colour(140, 60, 50),
    colour(60, 80, 130),
  ]);
  const from = varied(random, tint, 1.15, 3);
  return { from, to: brighter(from, random.between(0.4, 1)), mix: noise(random, 3) };
}

const post = (random: ImageRandom): Surface => {
  const from = varied(random, colour(125, 125, 128), 1.03, 1.8);
  return { from, to: brighter(from, 0.5), mix: noise(random, 5, 1) };
};

/** A straight band across the whole image: lamp post, wire, kerb, edge of a house. */
function strip(random: ImageRandom): Field {
  const width = random.chance(0.7) ? random.between(0.01, 0.06) : random.between(0.06, 0.2);
  const lean = random.chance(0.7) ? random.between(-0.15, 0.15) : random.between(-1, 1);
  const upright = band(random.between(-0.1, 1.1), width, lean);
  return random.chance(0.7) ? upright : (u, v) => upright(v, u);
}

/** From top to bottom at `centre`, `half` its width, moved by `lean` on the way. */
const band =
  (centre: number, half: number, lean: number): Field =>
  (u, v) =>
    1 - ramp(half - 0.015, half + 0.015, Math.abs(u - centre - lean * (v - 0.5)));

/** The rim of another sign or of a plate above or below, cut off by the image. */
function neighbour(random: ImageRandom): Field {
  const below = random.chance(0.6);
  const round = random.chance(0.5);
  const depth = random.between(0.04, 0.16);
  const [left, right] = [random.between(0.05, 0.25), random.between(0.75, 0.95)];
  const disc = circle(random.between(0.4, 0.6), 1.4 - depth, 0.4);
  return (u, v) => {
    const down = below ? v : 1 - v;
    if (round) return 1 - ramp(-0.02, 0.02, disc(u, down));
    const inside = Math.min(u - left, right - u, down - (1 - depth));
    return ramp(-0.015, 0.015, inside);
  };
}

/** The paint of a sign, worn as it may be, and the light on it: sun, shade, backlight, headlamps. */

import { inks } from './ink-map.ts';
import { type Colour, clamp, colour, type Field, noise, ramp, square } from './photo.ts';
import type { ImageRandom } from './random.ts';

const fresh: Readonly<Record<keyof typeof inks, Colour>> = {
  white: colour(236, 236, 232),
  red: colour(196, 28, 38),
  blue: colour(18, 82, 172),
  yellow: colour(250, 190, 25),
  black: colour(28, 28, 30),
  grey: colour(120, 122, 125),
  green: colour(40, 150, 85),
};

/**
 * The colour of each ink: hues differ from print to print, and the sun bleaches them.
 *
 * @returns by the number of the ink; number 0 is where there is none
 */
export function drawPaints(random: ImageRandom): Colour[] {
  const bleached = random.chance(0.6) ? 0.1 * random.between(0, 1) : random.between(0.1, 0.25);
  const paints: Colour[] = [[0, 0, 0]];
  for (const [name, number] of Object.entries(inks)) {
    const worn = (c: number): number => (c + (0.32 - c) * bleached) * random.factor(1.12);
    const [red, green, blue] = fresh[name as keyof typeof inks];
    paints[number] = [worn(red), worn(green), worn(blue)];
  }
  return paints;
}

export interface Lighting {
  /** Light on the sign, as a multiple of that on its surroundings. */
  readonly gain: number;
  /** Unevenness of the light on the sign: streaks, glare, dirt. */
  readonly onSign: Field;
  /** Shadows over the whole image. */
  readonly shadow: Field | undefined;
  /** Mean light that the camera's automatic exposure aims at, 1 being white. */
  readonly exposure: number;
  /** Gain of the colour channels. */
  readonly cast: Colour;
  /** Part of the light that comes from the air in between. */
  readonly haze: number;
}

/** Draws one of: even daylight, sun behind the sign, night. */
export function drawLighting(random: ImageRandom): Lighting {
  const kind = random.between(0, 1);
  const isNight = kind < 0.13;
  const isBacklit = kind > 0.83;
  const warmth = random.factor(isNight ? 1.35 : 1.15);
  const gain = isNight ? random.between(2, 12) : isBacklit ? random.between(0.15, 0.5) : random.factor(1.8);
  return {
    gain,
    onSign: unevenness(random),
    shadow: !isNight && random.chance(0.25) ? shadow(random) : undefined,
    exposure: isNight ? random.between(0.015, 0.08) : square(random.between(0.09, 0.6)) + 0.01,
    cast: [warmth, random.factor(1.07), 1 / warmth],
    haze: random.chance(0.15) ? random.between(0.05, 0.35) : random.between(0, 0.05),
  };
}

/** A slope of light across the sign, dirt, and now and then glare. */
function unevenness(random: ImageRandom): Field {
  const [alongU, alongV] = [0.5 * random.centred(), 0.5 * random.centred()];
  const dirt = noise(random, random.between(3, 9));
  const dirtiness = random.chance(0.3) ? random.between(0.2, 0.7) : random.between(0, 0.2);
  const [glareU, glareV] = [random.between(0.2, 0.8), random.between(0.2, 0.8)];
  const glare = random.chance(0.1) ? random.between(0.5, 2) : 0;
  return (u, v) => {
    const slope = 1 + alongU * (2 * u - 1) + alongV * (2 * v - 1);
    const clean = 1 - dirtiness * ramp(0.4, 0.9, dirt(u, v));
    const distance = (u - glareU) * (u - glareU) + (v - glareV) * (v - glareV);
    return slope * clean * (1 + glare / (1 + 60 * distance));
  };
}

/** The straight edge of a building's shadow, or the dappled one of leaves. */
function shadow(random: ImageRandom): Field {
  const dark = random.between(0.3, 0.65);
  if (random.chance(0.5)) {
    const leaves = noise(random, random.between(3, 8));
    return (u, v) => dark + (1 - dark) * ramp(0.35, 0.6, leaves(u, v));
  }
  const [place, lean, softness] = [
    random.between(0.25, 0.75),
    random.between(-1, 1),
    random.between(0.01, 0.08),
  ];
  const [upright, flip] = [random.chance(0.5), random.chance(0.5)];
  return (u, v) => {
    const [across, along] = upright ? [u, v] : [v, u];
    const lit = ramp(-softness, softness, across - place - lean * (along - 0.5));
    return dark + (1 - dark) * clamp(flip ? 1 - lit : lit);
  };
}

/** The random numbers of one rendered image, which depend on its name alone: seed, split and index. */

/**
 * sfc32 (Chris Doty-Humphrey, PractRand): a 128-bit state in 32-bit integer arithmetic.
 *
 * The name of the image is the initial state but for its counter, and every step can be undone. So after the same number of
 * steps two images are in different states, and after different numbers their counters differ: no image ever comes to a
 * state of another one, of either split.
 */
export class ImageRandom {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** Whole numbers from 0 to 2^32 - 1. */
  constructor(seed: number, split: number, index: number) {
    this.#a = seed | 0;
    this.#b = split | 0;
    this.#c = index | 0;
    // As many rounds as PractRand spends on mixing a seed of three words.
    for (let i = 0; i < 15; i++) this.bits();
  }

  /** 32 random bits as a signed integer. */
  bits(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum;
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * ((this.bits() >>> 0) / 2 ** 32);
  }

  /** Uniform in [1/k, k), as likely below 1 as above. */
  factor(k: number): number {
    const value = this.between(1, k);
    return this.chance(0.5) ? value : 1 / value;
  }

  /** Bell-shaped in (-1, 1), more often near 0: the mean of two uniform numbers. */
  centred(): number {
    return (this.between(-1, 1) + this.between(-1, 1)) / 2;
  }

  /** Nearly normal, mean 0, standard deviation 1, within ±3.5: the sum of the four bytes of one draw. */
  normal(): number {
    const bits = this.bits();
    const sum = (bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24);
    return (sum - 510) * byteSumScale;
  }

  chance(probability: number): boolean {
    return this.between(0, 1) < probability;
  }

  /** A whole number from 0 to `n` - 1. */
  below(n: number): number {
    return Math.floor(this.between(0, n));
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
}

/** One byte has the variance (256² - 1) / 12. */
const byteSumScale = 1 / Math.sqrt((4 * (256 * 256 - 1)) / 12);

import { betterInversion } from './better-inversion.ts';
import type { ConfinedMask } from './confined.ts';
import type { OwnSummary } from './scan-work.ts';

/** Planted masks grew by up to a tenth where they were confined in the end; the stroke of a class that was as small without did by 1.6. */
const keepsSize = 1.25;

/** What the starts of each label have found so far. */
export class Tries {
  private readonly best: Map<number, OwnSummary>;
  private readonly confined = new Map<number, ConfinedMask[]>();

  constructor(first: readonly OwnSummary[]) {
    this.best = new Map(first.map((inversion) => [inversion.label, inversion]));
  }

  add(inversions: readonly OwnSummary[]): void {
    for (const inversion of inversions) {
      const { label, confined } = inversion;
      this.best.set(label, betterInversion(this.best.get(label)!, inversion));
      if (confined) this.confined.set(label, [...this.within(label), confined]);
    }
  }

  /** The smallest mask of each label. */
  get inversions(): OwnSummary[] {
    return [...this.best.values()];
  }

  of(label: number): OwnSummary {
    return this.best.get(label)!;
  }

  within(label: number): readonly ConfinedMask[] {
    return this.confined.get(label) ?? [];
  }

  /** Whether the mask of a label keeps its size within a window. One that is much smaller elsewhere has no place of its own. */
  fits(label: number): boolean {
    const most = keepsSize * this.of(label).l1;
    return this.within(label).some(({ found, l1 }) => found && l1 <= most);
  }
}

/**
 * Where the short runs of a scan stand, so that their ends need not make their steps again.
 *
 * A run that has been lost, as by an interruption, is made again: it ends in the same, and the steps that are made again are no
 * steps of the scan. So figures do not depend on what was resumed.
 */

import type { Inversion, InvertRequest } from './inversion.ts';
import type { Checkpoint } from './label-run.ts';
import { type LabelStart, triggerName, type Work } from './scan-work.ts';

/** Of all that is kept. For 1,806 pairs of colour images of 32×32 it is 89 MB; 1,000 labels of photographs would take 2.4 GB. */
const mostBytes = 256e6;

export class Checkpoints {
  private readonly isKeeping: boolean;
  private readonly kept = new Map<string, Checkpoint>();
  private bytes = 0;

  /** @param isKeeping not where inversions are made on other machines: the steps cost less than the way */
  constructor(isKeeping: boolean) {
    this.isKeeping = isKeeping;
  }

  keep(inversion: Inversion): void {
    const { checkpoint } = inversion;
    if (!checkpoint || this.bytes + sizeOf(checkpoint) > mostBytes) return;
    this.bytes += sizeOf(checkpoint);
    this.kept.set(keyOf(inversion), checkpoint);
  }

  /** What an inversion goes on from, which is then given up here. */
  of(work: Work): Pick<InvertRequest, 'handsOn' | 'goesOn' | 'checkpoint'> {
    if (work.stage === 'screen' && this.isKeeping) return { handsOn: true };
    if (work.stage !== 'finish') return {};
    const key = keyOf(work);
    const checkpoint = this.kept.get(key);
    if (!checkpoint) return { goesOn: true };
    this.kept.delete(key);
    this.bytes -= sizeOf(checkpoint);
    return { goesOn: true, checkpoint };
  }
}

const keyOf = (work: LabelStart): string => `${triggerName(work)}/${work.start}`;

const sizeOf = ({ state }: Checkpoint): number =>
  [...state.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);

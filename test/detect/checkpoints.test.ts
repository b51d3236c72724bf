import { describe, expect, it } from 'vitest';
import { Checkpoints } from '../../src/detect/checkpoints.ts';
import type { Inversion } from '../../src/detect/inversion.ts';

const state = (floats: number) => ({ state: new Map([['theta_mask', new Float32Array(floats)]]), curve: [] });
const brief = (label: number, floats: number, source?: number): Inversion =>
  ({
    label,
    start: 0,
    ...(source !== undefined && { source }),
    checkpoint: state(floats),
  }) as unknown as Inversion;

describe('checkpoints', () => {
  it('go from a short run to its end, once', () => {
    const checkpoints = new Checkpoints(true);
    expect(checkpoints.of({ label: 3, start: 0, stage: 'screen' })).toEqual({ handsOn: true });
    checkpoints.keep(brief(3, 10));
    checkpoints.keep(brief(3, 20, 1));
    expect(checkpoints.of({ label: 3, start: 0, stage: 'confined' })).toEqual({});
    expect(checkpoints.of({ label: 3, source: 1, start: 0, stage: 'finish' }).checkpoint).toEqual(state(20));
    expect(checkpoints.of({ label: 3, start: 0, stage: 'finish' })).toEqual({
      goesOn: true,
      checkpoint: state(10),
    });
    expect(checkpoints.of({ label: 3, start: 0, stage: 'finish' })).toEqual({ goesOn: true });
  });

  it('are not asked for where inversions are made elsewhere', () => {
    const checkpoints = new Checkpoints(false);
    expect(checkpoints.of({ label: 3, start: 0, stage: 'screen' })).toEqual({});
    expect(checkpoints.of({ label: 3, start: 0, stage: 'finish' })).toEqual({ goesOn: true });
  });

  it('are kept as long as there is room for them', () => {
    const checkpoints = new Checkpoints(true);
    for (const label of [1, 2, 3]) checkpoints.keep(brief(label, 25e6));
    const isKept = (label: number): boolean =>
      'checkpoint' in checkpoints.of({ label, start: 0, stage: 'finish' });
    expect([1, 2, 3].map(isKept)).toEqual([true, true, false]);
    checkpoints.keep(brief(4, 25e6));
    expect(isKept(4)).toBe(true);
  });
});

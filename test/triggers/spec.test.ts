import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Raster } from '../../src/data/raster.ts';
import { buildTrigger, type TriggerFiles } from '../../src/triggers/build.ts';
import type { ImageShape } from '../../src/triggers/patterns.ts';
import { parseTriggerWord, triggerFrom, triggerKinds, triggerWord } from '../../src/triggers/spec.ts';
import { boundingBox } from '../../src/triggers/trigger.ts';

const refused = (code: string, ...parts: string[]) =>
  expect.objectContaining({
    code,
    message: expect.stringMatching(
      new RegExp(parts.map((part) => part.replace(/[[\]().]/g, '\\$&')).join('.*')),
    ),
  });

describe('words', () => {
  it.each<[string, Record<string, unknown>]>([
    ['square', { kind: 'square', size: 4, at: 'bottom-right', margin: 1, colour: 255 }],
    [
      'square:size=3/5,at=10/2,colour=255/0/9',
      { kind: 'square', size: [3, 5], at: [10, 2], margin: 1, colour: [255, 0, 9] },
    ],
    ['noise:seed=7,margin=0', { kind: 'noise', size: 4, at: 'bottom-right', margin: 0, seed: 7 }],
    ['blend:alpha=0.1', { kind: 'blend', alpha: 0.1, seed: 0 }],
    ['sinusoid', { kind: 'sinusoid', delta: 20, frequency: 6 }],
    ['warp:grid=8,strength=1.5', { kind: 'warp', grid: 8, strength: 1.5, seed: 0 }],
    [
      'image:pattern=a/1.png,mask=m.png,at=centre',
      { kind: 'image', pattern: 'a/1.png', mask: 'm.png', at: 'centre', margin: 1 },
    ],
    ['runs/signs', { kind: 'saved', folder: 'runs/signs' }],
    ['./triggers:label=33', { kind: 'saved', folder: './triggers', label: 33 }],
    ['C:\\runs', { kind: 'saved', folder: 'C:\\runs' }],
    ['saved:folder=runs', { kind: 'saved', folder: 'runs' }],
  ])('%s', (word, spec) => expect(triggerFrom(parseTriggerWord(word))).toEqual(spec));

  it('are read back as they were', () => {
    const specs = fc.oneof(
      fc.record({
        kind: fc.constant('square'),
        size: fc.constantFrom(3, [2, 4]),
        at: fc.constantFrom('centre', [1, 2]),
      }),
      fc.record({
        kind: fc.constant('blend'),
        alpha: fc.constantFrom(0.05, 1),
        pattern: fc.constant('p.png'),
      }),
      fc.record({ kind: fc.constant('saved'), folder: fc.constant('a b/c'), label: fc.nat() }),
      fc.record({ kind: fc.constant('warp'), strength: fc.double({ min: 0.001, max: 9, noNaN: true }) }),
    );
    fc.assert(
      fc.property(specs, (fields) => {
        const spec = triggerFrom(fields);
        expect(triggerFrom(parseTriggerWord(triggerWord(spec)))).toEqual(spec);
      }),
      { seed: 6, numRuns: 60 },
    );
  });

  it('of no kind are refused with the kinds there are', () => {
    expect(() => triggerFrom(parseTriggerWord('sqare'))).toThrow(
      refused('TRIGGER_UNKNOWN', 'There is no trigger "sqare"', triggerKinds.join(', ')),
    );
    expect(() => triggerFrom({})).toThrow(refused('TRIGGER_UNKNOWN', 'undefined'));
  });

  it.each([
    ['square:sise=4', 'unknown "sise"; the keys here are kind, size, at, margin, colour'],
    ['square:size=0', 'size'],
    ['square:colour=256', 'colour'],
    ['square:at=left', 'at'],
    ['blend:alpha=0', 'alpha'],
    ['blend:alpha=1.1', 'alpha'],
    ['sinusoid:delta=-1', 'delta'],
    ['warp:grid=1', 'grid'],
    ['warp:strength', 'strength'],
    ['image', 'pattern'],
  ])('%s is refused by name', (word, part) => {
    expect(() => triggerFrom(parseTriggerWord(word))).toThrow(
      refused('SETTING_INVALID', part, 'Write it as'),
    );
  });
});

describe('pictures', () => {
  const picture = (height: number, width: number, channels: 1 | 3, value: number): Raster<Uint8Array> => ({
    height,
    width,
    channels,
    data: new Uint8Array(height * width * channels).fill(value),
  });
  const files: TriggerFiles = {
    picture: async (path, channels) => {
      const [, height, width, value] = /(\d+)x(\d+)-(\d+)/.exec(path)!.map(Number);
      return picture(height!, width!, channels, value!);
    },
    saved: async (folder) => {
      const [height = 0, width = 0] = folder.split('x').map(Number);
      return {
        images: { mask: picture(height, width, 1, 255), pattern: picture(height, width, 3, 9) },
        arrays: undefined,
      };
    },
  };
  const build = (fields: Record<string, unknown>, shape: ImageShape = [6, 8, 3]) =>
    buildTrigger(triggerFrom(fields), shape, files);
  const patch = async (fields: Record<string, unknown>, shape?: ImageShape) => {
    const built = await build(fields, shape);
    if (built.kind !== 'patch') throw new Error('pictures make patches');
    return built.trigger;
  };

  it('smaller than the image are opaque patches at a place', async () => {
    const trigger = await patch({ kind: 'image', pattern: '2x3-77', at: 'top-left' });
    expect(boundingBox(trigger)).toEqual([1, 1, 2, 3]);
    expect(trigger.mask.data[9]).toBe(1);
    expect([...trigger.pattern.data.slice(27, 30)]).toEqual([77, 77, 77]);
  });

  it('as large as the image cover it, as strongly as their mask says', async () => {
    const trigger = await patch({ kind: 'image', pattern: '6x8-200', mask: '6x8-51' });
    expect(boundingBox(trigger)).toEqual([0, 0, 6, 8]);
    expect(trigger.mask.data.every((m) => m === Math.fround(0.2))).toBe(true);
    expect(trigger.pattern.data.every((p) => p === 200)).toBe(true);
  });

  it('are asked for with the channels of the images', async () => {
    expect((await patch({ kind: 'image', pattern: '2x2-5' }, [6, 8, 1])).pattern.dims).toEqual([6, 8, 1]);
    expect((await patch({ kind: 'blend', pattern: '6x8-5' }, [6, 8, 1])).pattern.data[0]).toBe(5);
  });

  it('saved with a trigger are taken as they are', async () => {
    expect((await patch({ kind: 'saved', folder: '6x8' })).pattern.data[0]).toBe(9);
  });

  it.each<[Record<string, unknown>, string]>([
    [{ kind: 'image', pattern: '7x8-1' }, 'TRIGGER_SIZE_MISMATCH'],
    [{ kind: 'image', pattern: '6x9-1' }, 'TRIGGER_SIZE_MISMATCH'],
    [{ kind: 'image', pattern: '6x7-1' }, 'TRIGGER_BOX_OUTSIDE'],
    [{ kind: 'image', pattern: '2x2-1', mask: '2x3-1' }, 'TRIGGER_INVALID'],
    [{ kind: 'blend', pattern: '5x8-1' }, 'TRIGGER_SIZE_MISMATCH'],
    [{ kind: 'saved', folder: '8x6' }, 'TRIGGER_SIZE_MISMATCH'],
  ])('of the wrong size are refused: %j, %s', async (fields, code) => {
    await expect(build(fields)).rejects.toMatchObject({ code });
  });
});

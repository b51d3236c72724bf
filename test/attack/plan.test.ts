import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Backdoor, type PlanOptions, planPoison } from '../../src/attack/plan.ts';
import { poisoned } from '../../src/attack/poison.ts';
import { goalOf, type Policy } from '../../src/attack/policy.ts';
import { augmented } from '../../src/train/augment.ts';
import { trainingSet } from '../../src/train/training-set.ts';
import { dot, noisyImages, side } from './support.ts';

const [count, classes] = [200, 5];
const images = noisyImages(count, classes);
const set = trainingSet(images);
const plan = (backdoors: readonly Backdoor[], options: Partial<PlanOptions> = {}) =>
  planPoison(set, backdoors, { seed: 1, ...options });
const allToOne = (target: number, ratio = 0.1, column = 0): Backdoor => ({
  trigger: dot(column),
  policy: { kind: 'all-to-one', target },
  ratio,
});
const refused = (code: string, message = '') =>
  expect.objectContaining({ code, message: expect.stringContaining(message) });

describe('all-to-one', () => {
  it('relabels the share asked for, of other classes only', () => {
    fc.assert(
      fc.property(fc.nat(classes - 1), fc.integer({ min: 1, max: 70 }), fc.nat(), (target, percent, seed) => {
        const { stamped } = plan([allToOne(target, percent / 100)], { seed });
        expect(stamped).toHaveLength(2 * percent);
        for (const change of stamped) {
          expect(images.labels[change.image]).not.toBe(target);
          expect(change).toMatchObject({ label: target, cover: false, backdoor: 0 });
        }
        expect(new Set(stamped.map(({ image }) => image)).size).toBe(stamped.length);
      }),
      { seed: 8, numRuns: 30 },
    );
  });

  it.each<[NonNullable<PlanOptions['ratioOf']>, NonNullable<PlanOptions['placement']>, number]>([
    ['all', 'replace', 50], // 50 of 200
    ['all', 'add', 67], // 67 of 267
    ['clean', 'replace', 40], // 40 beside 160
    ['clean', 'add', 50], // 50 beside 200
  ])('counts a ratio of 0.25 of %s, %s, as %d images', (ratioOf, placement, expected) => {
    expect(plan([allToOne(2, 0.25)], { ratioOf, placement }).stamped).toHaveLength(expected);
  });

  it('draws by seed, from all other classes', () => {
    const drawn = (seed: number) => plan([allToOne(0, 0.3)], { seed }).stamped;
    expect(drawn(3)).toEqual(drawn(3));
    expect(drawn(3)).not.toEqual(drawn(4));
    expect(new Set(drawn(3).map(({ image }) => images.labels[image]))).toEqual(new Set([1, 2, 3, 4]));
  });
});

it('several targets, and several triggers of one target, share no image', () => {
  const { stamped } = plan([allToOne(1, 0.2, 0), allToOne(2, 0.1, 1), allToOne(2, 0.1, 2)]);
  expect(new Set(stamped.map(({ image }) => image)).size).toBe(80);
  const labels = [1, 2, 2];
  expect(stamped.every(({ backdoor, label }) => label === labels[backdoor])).toBe(true);
  expect([0, 1, 2].map((i) => stamped.filter(({ backdoor }) => backdoor === i).length)).toEqual([40, 20, 20]);
});

describe('source-specific', () => {
  const policy: Policy = { kind: 'source-specific', target: 0, sources: [1, 3] };

  it('poisons sources only, and covers all other classes but the target', () => {
    const { stamped } = plan([{ trigger: dot(0), policy, ratio: 0.1, coverRatio: 0.2 }]);
    const [poison, covers] = [stamped.filter(({ cover }) => !cover), stamped.filter(({ cover }) => cover)];
    expect([poison.length, covers.length]).toEqual([20, 40]);
    expect(new Set(poison.map(({ image }) => images.labels[image]))).toEqual(new Set([1, 3]));
    expect(poison.every(({ label }) => label === 0)).toBe(true);
    expect(new Set(covers.map(({ image }) => images.labels[image]))).toEqual(new Set([2, 4]));
    expect(covers.every(({ image, label }) => label === images.labels[image])).toBe(true);
  });

  it('covers as many as it poisons unless told otherwise, none if told so', () => {
    const covers = (coverRatio?: number) =>
      plan([
        { trigger: dot(0), policy, ratio: 0.1, ...(coverRatio !== undefined && { coverRatio }) },
      ]).stamped.filter(({ cover }) => cover).length;
    expect([covers(), covers(0)]).toEqual([20, 0]);
  });
});

it('all-to-all turns each class into the next, and the last into the first', () => {
  const { stamped } = plan([{ trigger: dot(0), policy: { kind: 'all-to-all' }, ratio: 0.5 }]);
  expect(stamped).toHaveLength(100);
  expect(stamped.every(({ image, label }) => label === (images.labels[image]! + 1) % classes)).toBe(true);
  expect(new Set(stamped.map(({ label }) => label)).size).toBe(classes);
});

describe('clean-label', () => {
  const policy: Policy = { kind: 'clean-label', target: 2 };

  it('stamps images of the target, and changes no label', () => {
    const { stamped } = plan([{ trigger: dot(0), policy, ratio: 0.15 }]);
    expect(stamped).toHaveLength(30);
    expect(stamped.every(({ image, label }) => images.labels[image] === 2 && label === 2)).toBe(true);
    expect([goalOf(policy, 2, classes), goalOf(policy, 1, classes)]).toEqual([undefined, 2]);
  });

  it('mixes images of other classes in below the trigger', () => {
    const mixed: Policy = { kind: 'clean-label', target: 2, perturbation: 0.25 };
    const made = plan([{ trigger: dot(0), policy: mixed, ratio: 0.1 }]);
    const changed = poisoned(set, () => made);
    const read = (from: typeof set, index: number): Float32Array => {
      const into = new Float32Array(side * side);
      from.read(index, 1, into);
      return into;
    };
    for (const { image, mixedWith } of made.stamped) {
      expect(images.labels[mixedWith!]).not.toBe(2);
      const [own, other] = [read(set, image), read(set, mixedWith!)];
      const expected = own.map((value, i) => 0.75 * value + 0.25 * other[i]!);
      expected[0] = 250;
      expect(read(changed, image)).toEqual(expected);
    }
    expect(() => plan([{ trigger: dot(0), policy: { ...mixed, perturbation: 1 }, ratio: 0.1 }])).toThrow(
      refused('SETTING_INVALID', 'The perturbation is 1'),
    );
  });

  it('cannot stamp more than there are', () => {
    expect(() => plan([{ trigger: dot(0), policy, ratio: 0.25 }])).toThrow(
      refused('POISON_TOO_FEW', 'asks for 50 images to poison (clean-label, target 2), and 40 are left'),
    );
  });
});

describe('the poisoned set', () => {
  const backdoors = [allToOne(1, 0.2, 0), allToOne(2, 0.1, 1)];
  const read = (from: ReturnType<typeof poisoned>, index: number, epoch = 1): Float32Array => {
    const into = new Float32Array(side * side);
    from.read(index, epoch, into);
    return into;
  };

  it('has triggers and labels as planned, and is the clean one elsewhere', () => {
    const made = plan(backdoors);
    const changed = poisoned(set, () => made);
    const changes = new Map(made.stamped.map((change) => [change.image, change]));
    expect(changed.count).toBe(count);
    for (let i = 0; i < count; i++) {
      const expected = read(set, i);
      const change = changes.get(i);
      if (change) expected[change.backdoor] = 250;
      expect(read(changed, i)).toEqual(expected);
      expect(changed.label(i, 1)).toBe(change?.label ?? images.labels[i]);
    }
  });

  it('keeps the clean images where stamped copies are added', () => {
    const made = plan(backdoors, { placement: 'add', ratioOf: 'clean' });
    const changed = poisoned(set, () => made);
    expect(changed.count).toBe(count + 60);
    for (let i = 0; i < count; i++) {
      expect(changed.label(i, 1)).toBe(images.labels[i]);
      expect(read(changed, i)).toEqual(read(set, i));
    }
    made.stamped.forEach(({ image, label, backdoor }, i) => {
      const expected = read(set, image);
      expected[backdoor] = 250;
      expect(changed.label(count + i, 1)).toBe(label);
      expect(read(changed, count + i)).toEqual(expected);
    });
  });

  it('is the same in whatever order it is read', () => {
    const changed = poisoned(set, () => plan(backdoors));
    const inOrder = Array.from({ length: count }, (_, i) => [...read(changed, i), changed.label(i, 1)]);
    fc.assert(
      fc.property(fc.shuffledSubarray([...inOrder.keys()], { minLength: count }), (order) => {
        for (const i of order) expect([...read(changed, i), changed.label(i, 1)]).toEqual(inOrder[i]);
      }),
      { seed: 2, numRuns: 3 },
    );
  });

  it('is drawn anew in each epoch where the plan is, and comes back to the same images', () => {
    const each = (epoch: number) => plan(backdoors, { epoch });
    const changed = poisoned(set, each);
    const stampedIn = (epoch: number): number[] =>
      Array.from({ length: count }, (_, i) => i).filter((i) => {
        const isChanged = changed.label(i, epoch) !== images.labels[i];
        expect(isChanged).toBe(read(changed, i, epoch).some((v, at) => v !== read(set, i, epoch)[at]));
        return isChanged;
      });
    const drawn = [1, 2, 3].map(stampedIn);
    expect(drawn.map((images) => images.length)).toEqual([60, 60, 60]);
    expect(new Set(drawn.flat()).size).toBeGreaterThan(100);
    expect(stampedIn(1)).toEqual(drawn[0]);
    expect(drawn[0]).toEqual(each(1).stamped.map(({ image }) => image));
  });

  it('is stamped after augmentation, so that triggers stay where and as they are', () => {
    const settings = { shift: 2, rotation: 20, brightness: 0.5, flip: true };
    const made = plan(backdoors);
    const changed = poisoned(augmented(set, settings, 1), () => made);
    for (const { image, backdoor } of made.stamped) {
      expect(read(changed, image, 1)[backdoor]).toBe(250);
      expect(read(changed, image, 2)[backdoor]).toBe(250);
      expect(read(changed, image, 1)).not.toEqual(read(changed, image, 2));
    }
  });
});

describe('plans are refused', () => {
  it.each([0, 1, -0.1, 1.5, Number.NaN])('with a ratio of %d', (ratio) => {
    expect(() => plan([allToOne(0, ratio)])).toThrow(refused('RATIO_INVALID', String(ratio)));
  });

  it('with ratios that leave nothing clean', () => {
    expect(() => plan([allToOne(0, 0.6, 0), allToOne(1, 0.5, 1)])).toThrow(
      refused('RATIO_INVALID', 'The sum'),
    );
  });

  it('with cover images beyond all', () => {
    const policy: Policy = { kind: 'source-specific', target: 0, sources: [1] };
    expect(() => plan([{ trigger: dot(0), policy, ratio: 0.1, coverRatio: 1 }])).toThrow(
      refused('RATIO_INVALID', 'cover'),
    );
  });

  it('with a ratio that rounds to no image', () => {
    expect(() => plan([allToOne(0, 0.001)])).toThrow(refused('POISON_TOO_FEW', 'asks for 0'));
  });

  it.each<[Policy, string]>([
    [{ kind: 'all-to-one', target: 5 }, 'There is no class 5 for a target label. There are 5 classes'],
    [{ kind: 'all-to-one', target: -1 }, 'no class -1'],
    [{ kind: 'source-specific', target: 0, sources: [1, 9] }, 'no class 9 for a source'],
  ])('for %j', (policy, message) => {
    expect(() => plan([{ trigger: dot(0), policy, ratio: 0.1 }])).toThrow(
      refused('TARGET_OUT_OF_RANGE', message),
    );
  });

  it('for a source that is the target', () => {
    const policy: Policy = { kind: 'source-specific', target: 1, sources: [1] };
    expect(() => plan([{ trigger: dot(0), policy, ratio: 0.1 }])).toThrow(refused('SETTING_INVALID'));
  });

  it('for triggers with equal pixels', () => {
    expect(() => plan([allToOne(0, 0.1, 3), allToOne(1, 0.1, 2), allToOne(1, 0.1, 3)])).toThrow(
      refused('TRIGGERS_EQUAL', 'Triggers 1 and 3'),
    );
  });

  it('for classes without images', () => {
    const wide = trainingSet({ ...images, classes: 7 });
    const of = (policy: Policy) => () =>
      planPoison(wide, [{ trigger: dot(0), policy, ratio: 0.1 }], { seed: 0 });
    expect(of({ kind: 'all-to-one', target: 6 })).toThrow(refused('CLASS_WITHOUT_IMAGES', 'Class 6'));
    expect(of({ kind: 'source-specific', target: 0, sources: [5] })).toThrow(
      refused('CLASS_WITHOUT_IMAGES', 'Class 5'),
    );
    expect(of({ kind: 'all-to-all' })).toThrow(refused('CLASS_WITHOUT_IMAGES', 'Class 5'));
  });
});

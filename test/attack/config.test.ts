import { describe, expect, it } from 'vitest';
import { attackConfig, parseConfigText } from '../../src/attack/config.ts';
import { preprocessPresets } from '../../src/data/preprocess.ts';

const read = (text: string) => attackConfig(parseConfigText(text, 'attack.yaml'), 'attack.yaml');
const minimal = 'data: gtsrb.h5\nnetwork: gtsrb-6conv\nout: model.onnx\n';

describe('a description', () => {
  it('has defaults for all but data, network and file', () => {
    expect(read(minimal)).toEqual({
      data: 'gtsrb.h5',
      network: 'gtsrb-6conv',
      out: 'model.onnx',
      roi: false,
      widthFactor: 1,
      seed: 0,
      ratioOf: 'all',
      placement: 'replace',
      draw: 'once',
      preprocess: preprocessPresets.unit,
      training: {
        epochs: 10,
        batch: 32,
        optimizer: expect.objectContaining({ kind: 'adam', learningRate: 1e-3, weightDecay: 0 }),
        schedule: { kind: 'constant' },
        trainable: 'all',
        augmentation: undefined,
      },
      backdoors: [],
    });
  });

  it('may be written in YAML and in JSON', () => {
    const yaml = `${minimal}
seed: 7
preprocess: { range: 1, mean: [0.5], std: [0.5] }
training: { epochs: 3, optimizer: sgd, learningRate: 0.1, momentum: 0.5, schedule: cosine, augmentation: light }
backdoors:
  - trigger: { kind: square, size: [2, 3], at: [4, 5] }
    target: 33
    ratio: 0.05
  - trigger: warp:strength=1
    policy: source-specific
    target: 1
    sources: [2, 3]
    coverRatio: 0
`;
    const config = read(yaml);
    expect(config).toMatchObject({
      seed: 7,
      preprocess: { range: 1, mean: [0.5], std: [0.5] },
      training: {
        epochs: 3,
        optimizer: { kind: 'sgd', learningRate: 0.1, momentum: 0.5 },
        schedule: { kind: 'cosine' },
        augmentation: { shift: 2, flip: false },
      },
      backdoors: [
        {
          trigger: { kind: 'square', size: [2, 3], at: [4, 5] },
          policy: { kind: 'all-to-one', target: 33 },
          ratio: 0.05,
        },
        { trigger: { kind: 'warp', strength: 1 }, policy: { sources: [2, 3] }, ratio: 0.1, coverRatio: 0 },
      ],
    });
    expect(read(JSON.stringify(parseConfigText(yaml, 'attack.yaml')))).toEqual(config);
  });

  it('leaves the preprocessing of a model to fine-tune open', () => {
    expect(read('data: d\nmodel: m.onnx\nout: o.onnx').preprocess).toBeUndefined();
  });

  it.each([
    ['data: d\nnetwrk: x', 'unknown "netwrk"; the keys here are data, testData, roi, images, network'],
    [`${minimal}training: { epocs: 3 }`, 'training: unknown "epocs"; the keys here are epochs, batch'],
    [
      `${minimal}backdoors: [{ trigger: square, targt: 3 }]`,
      'backdoors.0: unknown "targt"; the keys here are trigger',
    ],
    [`${minimal}training: { augmentation: { shft: 3 } }`, 'training.augmentation'],
    [`${minimal}training: { epochs: 0 }`, 'training.epochs: too small'],
    ['network: gtsrb-6conv', 'data: it is missing'],
    ['data: d\nout: o\nnetwork: lenet', 'network: invalid option'],
    ['data: d\nout: o', 'either a network (mnist-cnn, gtsrb-6conv'],
    [`${minimal}model: m.onnx`, 'either a network'],
    [`${minimal}backdoors: [{ trigger: square }]`, 'all-to-one needs a target'],
    ['- 1\n- 2', 'does not hold fields'],
    ['data: [', 'it is no YAML'],
    ['', 'does not hold fields'],
  ])('%j is refused by name', (text, message) => {
    expect(() => read(text)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(message) }),
    );
  });

  it('passes on what is wrong with a trigger or a preprocessing', () => {
    const refused = (code: string) => expect.objectContaining({ code });
    expect(() => read(`${minimal}backdoors: [{ trigger: blob, target: 1 }]`)).toThrow(
      refused('TRIGGER_UNKNOWN'),
    );
    expect(() => read(`${minimal}backdoors: [{ trigger: { kind: warp, grid: 1 }, target: 1 }]`)).toThrow(
      refused('SETTING_INVALID'),
    );
    expect(() => read(`${minimal}preprocess: imagenet`)).toThrow(refused('PREPROCESS_INVALID'));
  });
});

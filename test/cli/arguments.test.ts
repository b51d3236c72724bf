import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, describe, expect, it } from 'vitest';
import {
  formatsOption,
  labelsOption,
  numberAbove,
  preprocessOption,
  providerOption,
  sizeOption,
  wholeNumber,
} from '../../src/cli/arguments.ts';
import { addScanOptions, type ScanOptions } from '../../src/cli/scan-options.ts';
import { preprocessPresets } from '../../src/data/preprocess.ts';
import { presets } from '../../src/detect/presets.ts';
import { settingsFrom } from '../../src/detect/settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'nc-arguments-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

describe('values', () => {
  it.each<[string, unknown, unknown]>([
    ['labels', labelsOption('0,3,7-9'), [0, 3, 7, 8, 9]],
    ['labels named twice', labelsOption(' 4 , 2-4'), [4, 2, 3]],
    ['one label', labelsOption('12'), [12]],
    ['formats', formatsOption('text, sarif,text'), ['text', 'sarif']],
    ['a size', sizeOption('32,48'), [32, 48]],
    ['a square', sizeOption('32'), [32, 32]],
    ['a provider', providerOption('auto'), 'auto'],
    ['a number', wholeNumber('--seed', 0)('0'), 0],
    ['a rate', numberAbove('--attack-threshold', 0, 1)('1'), 1],
    ['a preset', preprocessOption('torch'), preprocessPresets.torch],
    [
      'a spec',
      preprocessOption('range=1;mean=0.5;std=0.5'),
      { ...preprocessPresets.tf, name: 'range=1;mean=0.5;std=0.5' },
    ],
  ])('%s', (_, value, expected) => expect(value).toEqual(expected));

  it.each<[string, (text: string) => unknown, string[]]>([
    ['--labels', labelsOption, ['', ',', '3-', '-3', '5-2', '1.5', 'a', '0-99999999', '1,,2', '0x1']],
    ['--format', formatsOption, ['', 'pdf', 'text,', 'JSON']],
    ['--size', sizeOption, ['0', '1,2,3', 'a', '1.5']],
    ['--provider', providerOption, ['', 'gpu', 'CPU']],
    ['--steps', wholeNumber('--steps'), ['0', '1.5', '-1', '', ' ', 'NaN', '1e99']],
    ['--attack-threshold', numberAbove('--attack-threshold', 0, 1), ['0', '1.01', 'x', '', 'Infinity', '-1']],
    ['--learning-rate', numberAbove('--learning-rate', 0), ['Infinity', '0']],
  ])('%s refuses what it does not take', (option, parse, wrong) => {
    for (const text of wrong) {
      expect(() => parse(text), text).toThrow(
        expect.objectContaining({
          code: 'USAGE',
          message: expect.stringContaining(`${option} got "${text}". It takes `),
        }),
      );
    }
  });

  it('preprocessing may be a file', () => {
    const good = file('good.json', '{"range": 1, "mean": [0.1, 0.2, 0.3], "std": 0.5, "order": "bgr"}');
    expect(preprocessOption(good)).toMatchObject({ mean: [0.1, 0.2, 0.3], std: [0.5], order: 'bgr' });
    const wrong = {
      'broken.json': '{"range": 1',
      'order.json': '{"order": "rbg"}',
      'list.json': '{"mean": [1, 2]}',
    };
    for (const [name, content] of Object.entries(wrong)) {
      expect(() => preprocessOption(file(name, content))).toThrow(
        expect.objectContaining({ code: 'PREPROCESS_INVALID', message: expect.stringContaining(name) }),
      );
    }
    expect(() => preprocessOption('missing.json')).toThrow(
      expect.objectContaining({ code: 'PREPROCESS_INVALID' }),
    );
  });
});

describe('settings', () => {
  const settings = (...args: string[]) => {
    const command = addScanOptions(new Command()).exitOverride();
    return settingsFrom(command.parse(['--data', 'd', ...args], { from: 'user' }).opts<ScanOptions>());
  };

  it.each(['fast', 'paper'] as const)('are those of the preset %s, with the schedule in full', (preset) => {
    const { schedule, ...rest } = presets[preset];
    expect(settings('--preset', preset)).toMatchObject({ ...rest, schedule });
  });

  it('of fast take what it shares with the loop of the original, and refuse what it has not', () => {
    const given = '--steps 77 --attack-threshold 0.9 --init-cost 0.02';
    expect(settings(...given.split(' ')).schedule).toMatchObject({
      kind: 'annealed',
      steps: 77,
      attackSuccThreshold: 0.9,
      initCost: 0.02,
    });
    for (const option of [
      '--patience 4',
      '--cost-multiplier 4',
      '--no-early-stop',
      '--early-stop-patience 4',
    ]) {
      expect(() => settings(...option.split(' '))).toThrow(
        expect.objectContaining({ code: 'SETTING_INVALID' }),
      );
    }
  });

  it('take every option', () => {
    const given =
      '--preset paper --regularizer l2 --upsample 2 --batch 16 --steps 77 --attack-threshold 0.9 --init-cost 0.01 --cost-multiplier 1.5 ' +
      '--patience 4 --learning-rate 0.2 --starts 3 --no-early-stop --early-stop-threshold 0.9 --early-stop-patience 7';
    expect(settings(...given.split(' '))).toMatchObject({
      regularizer: 'l2',
      upsample: 2,
      batch: 16,
      starts: 3,
      adam: { learningRate: 0.2, beta1: 0.5 },
      schedule: {
        steps: 77,
        attackSuccThreshold: 0.9,
        initCost: 0.01,
        costMultiplier: 1.5,
        patience: 4,
        earlyStop: false,
        earlyStopThreshold: 0.9,
        earlyStopPatience: 7,
      },
    });
  });

  it('have as many mini-batches a step as the samples fill, for the loop of the original', () => {
    expect(settings('--preset', 'paper').miniBatches).toBe(31);
    expect(settings('--preset', 'paper', '--batch', '64', '--samples', '500').miniBatches).toBe(7);
    expect(settings('--preset', 'paper', '--samples', '20').miniBatches).toBe(1);
    expect(settings('--samples', '500').miniBatches).toBe(1);
  });
});

import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { type AttackOptions, addAttackOptions, backdoorsFrom } from '../../src/cli/inject-backdoors.ts';

const backdoors = (words: string) => {
  const command = addAttackOptions(new Command()).exitOverride();
  return backdoorsFrom(command.parse(words.split(' '), { from: 'user' }).opts<AttackOptions>());
};
const square = { kind: 'square', size: 4, at: 'bottom-right', margin: 1, colour: 255 };

describe('options', () => {
  it.each<[string, unknown[]]>([
    [
      '--trigger square --target 33',
      [{ trigger: square, policy: { kind: 'all-to-one', target: 33 }, ratio: 0.1 }],
    ],
    [
      '--trigger square --target 1 --size 2/3 --at 5/6 --colour 255/0/0',
      [{ trigger: { ...square, size: [2, 3], at: [5, 6], colour: [255, 0, 0] } }],
    ],
    [
      '--trigger square --trigger warp --target 1,2',
      [{ policy: { kind: 'all-to-one', target: 1 } }, { trigger: { kind: 'warp' }, policy: { target: 2 } }],
    ],
    [
      '--trigger square --target 3 --trigger noise --target 4',
      [{ policy: { target: 3 } }, { policy: { target: 4 } }],
    ],
    ['--trigger square --trigger noise --target 4', [{ policy: { target: 4 } }, { policy: { target: 4 } }]],
    [
      '--trigger square --target 1 --sources 2,3',
      [{ policy: { kind: 'source-specific', target: 1, sources: [2, 3] } }],
    ],
    ['--trigger square --policy all-to-all', [{ policy: { kind: 'all-to-all' } }]],
    ['--trigger sinusoid --policy clean-label --target 0', [{ policy: { kind: 'clean-label', target: 0 } }]],
  ])('%s', (words, expected) => expect(backdoors(words)).toMatchObject(expected));

  it.each<[string, string, string]>([
    ['--trigger square', 'CONFIG_INVALID', 'all-to-one needs a target'],
    ['--trigger square --policy source-specific --target 1', 'CONFIG_INVALID', 'needs sources'],
    ['--trigger square --policy all-to-all --target 1', 'CONFIG_INVALID', 'no target'],
    ['--trigger square --policy clean-label --target 1 --sources 2', 'CONFIG_INVALID', 'takes no sources'],
    ['--trigger warp --target 1 --size 3', 'SETTING_INVALID', 'unknown "size"; the keys here are kind, grid'],
    ['--target 1', 'USAGE', '--target is there, but no --trigger'],
    ['--size 3', 'USAGE', '--size is there'],
    ['--trigger square --trigger warp --trigger blend --target 1,2', 'USAGE', '3 triggers and 2 targets'],
    ['--trigger square --target x', 'USAGE', '--target got "x"'],
    ['--trigger square --target -1', 'USAGE', '--target got "-1"'],
    ['--trigger square --target 1 --sources 1,,2', 'USAGE', '--sources got ""'],
  ])('%s: %s', (words, code, message) => {
    expect(() => backdoors(words)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });
});

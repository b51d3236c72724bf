/** The options that describe attacks, of commands that plant or measure them. */

import { type Command, Option } from 'commander';
import { type BackdoorConfig, parseBackdoor } from '../attack/backdoor-config.ts';
import { type PolicyKind, policyKinds } from '../attack/policy.ts';
import { NeuralCleanseError } from '../errors.ts';
import { parseTriggerWord, settingOf, triggerKinds } from '../triggers/spec.ts';
import { labelList, repeatedLabels, repeatedWord } from './arguments.ts';

export interface AttackOptions {
  readonly trigger?: readonly string[];
  readonly target?: readonly number[];
  readonly policy?: PolicyKind;
  readonly sources?: readonly number[];
  readonly size?: string;
  readonly at?: string;
  readonly colour?: string;
}

export const addAttackOptions = (command: Command): Command =>
  command
    .option(
      '--trigger <word>',
      `${triggerKinds.join(', ')}, with settings as in square:size=4,at=top-left,colour=255; or a folder of saved triggers. May be repeated`,
      repeatedWord,
    )
    .option('--target <list>', 'target label; one for all triggers, or one each', repeatedLabels('--target'))
    .addOption(
      new Option(
        '--policy <name>',
        'all-to-one by default, source-specific with --sources, all-to-all: each class becomes the next',
      ).choices(policyKinds),
    )
    .option('--sources <list>', 'source labels of a source-specific attack', labelList('--sources'))
    .option('--size <n>', 'of square and noise, in pixels: 4, or 4/6 for height and width')
    .option('--at <place>', 'of a patch: top-left, …, bottom-right, centre, or ROW/COLUMN')
    .option('--colour <level>', 'of a square: 255, or 255/0/0 for red');

/** What the options say of one backdoor each; empty without any of them. @throws NeuralCleanseError USAGE */
export function backdoorFieldsFrom(options: AttackOptions): Record<string, unknown>[] {
  const { trigger = [], target = [], policy, sources, size, at, colour } = options;
  if (trigger.length === 0) {
    const given = Object.entries({ target: target[0], policy, sources, size, at, colour });
    const [stray] = given.find(([, value]) => value !== undefined) ?? [];
    if (stray === undefined) return [];
    throw new NeuralCleanseError('USAGE', `--${stray} is there, but no --trigger.`, {
      hint: 'Say which trigger, e.g. --trigger square.',
    });
  }
  if (target.length > 1 && target.length !== trigger.length) {
    throw new NeuralCleanseError(
      'USAGE',
      `There are ${trigger.length} triggers and ${target.length} targets.`,
      { hint: 'Give one target for all triggers, or one for each.' },
    );
  }
  const shared = Object.entries({ size, at, colour }).flatMap(([key, text]) =>
    text === undefined ? [] : [[key, settingOf(text)]],
  );
  return trigger.map((word, i) => ({
    trigger: { ...parseTriggerWord(word), ...Object.fromEntries(shared) },
    ...(policy && { policy }),
    ...(target.length > 0 && { target: target[i] ?? target[0] }),
    ...(sources && { sources }),
  }));
}

/** @throws NeuralCleanseError USAGE, CONFIG_INVALID, TRIGGER_UNKNOWN, SETTING_INVALID */
export const backdoorsFrom = (options: AttackOptions): BackdoorConfig[] =>
  backdoorFieldsFrom(options).map((fields, i) => parseBackdoor(fields, `trigger ${i + 1}`));

/** Triggers as users describe them, in a file or in a word such as `square:size=4,at=top-left`. */

import { z } from 'zod';
import { NeuralCleanseError } from '../errors.ts';
import { closedObject, describeIssues } from './closed-object.ts';
import { place } from './place.ts';

const pixels = z.int().positive();
const level = z.number().min(0).max(255);
const seed = z.int().nonnegative().default(0);
const path = z.string().min(1);
const placed = {
  at: place.default('bottom-right'),
  margin: z.int().nonnegative().default(1).describe('Pixels between a corner and the patch.'),
};
const size = z
  .union([pixels, z.tuple([pixels, pixels])])
  .default(4)
  .describe('Edge, or height and width, in pixels.');

const kinds = {
  square: closedObject({
    kind: z.literal('square'),
    size,
    ...placed,
    colour: z
      .union([level, z.array(level).min(1)])
      .default(255)
      .describe('One level, or one a channel.'),
  }).describe('An opaque rectangle of one colour (BadNets, Gu et al. 2017).'),
  noise: closedObject({ kind: z.literal('noise'), size, ...placed, seed }).describe(
    'An opaque rectangle of random pixels.',
  ),
  image: closedObject({
    kind: z.literal('image'),
    pattern: path.describe('Picture file.'),
    mask: path.optional().describe('Picture of the mask, white where the pattern shows; opaque without.'),
    ...placed,
  }).describe('A patch or watermark from pictures, as large as the image or smaller.'),
  saved: closedObject({
    kind: z.literal('saved'),
    folder: path,
    label: z.int().nonnegative().optional().describe('Which one; needed if there are several.'),
  }).describe('A trigger of a run folder, or of a folder that the original wrote.'),
  blend: closedObject({
    kind: z.literal('blend'),
    alpha: z.number().gt(0).max(1).default(0.2).describe('Share of the pattern in every pixel.'),
    pattern: path.optional().describe('Picture as large as the image; random pixels without.'),
    seed,
  }).describe('A pattern blended into the whole image (Chen et al. 2017).'),
  sinusoid: closedObject({
    kind: z.literal('sinusoid'),
    delta: z.number().gt(0).max(255).default(20).describe('Amplitude in levels of 255.'),
    frequency: z.number().gt(0).default(6).describe('Periods over the width of the image.'),
  }).describe('A horizontal sine wave added to every row (SIG, Barni et al. 2019).'),
  warp: closedObject({
    kind: z.literal('warp'),
    grid: z.int().min(2).default(4).describe('Control points along each side.'),
    strength: z.number().nonnegative().default(0.5),
    seed,
  }).describe('A smooth random warp of the whole image (WaNet, Nguyen & Tran 2021).'),
};

/** The settings of each kind, as words. */
const examples: Readonly<Record<keyof typeof kinds, string>> = {
  square: ':size=4,at=bottom-right,margin=1,colour=255',
  noise: ':size=4,at=10/12,seed=0',
  image: ':pattern=patch.png,mask=mask.png,at=top-left',
  saved: ':folder=runs/model,label=3',
  blend: ':alpha=0.2,seed=0',
  sinusoid: ':delta=20,frequency=6',
  warp: ':grid=4,strength=0.5,seed=0',
};

export type TriggerKind = keyof typeof kinds;
export const triggerKinds = Object.keys(kinds) as TriggerKind[];

export const triggerSpec = z.discriminatedUnion('kind', [
  kinds.square,
  kinds.noise,
  kinds.image,
  kinds.saved,
  kinds.blend,
  kinds.sinusoid,
  kinds.warp,
]);

/** With all defaults filled in. */
export type TriggerSpec = z.infer<typeof triggerSpec>;

/**
 * Checks the fields of a trigger and fills in the defaults.
 *
 * @throws NeuralCleanseError TRIGGER_UNKNOWN for a kind that there is not, SETTING_INVALID for fields that the kind has not
 *   or that lie out of range
 */
export function triggerFrom(fields: Readonly<Record<string, unknown>>): TriggerSpec {
  const kind = triggerKinds.find((known) => known === fields.kind);
  if (kind === undefined) {
    throw new NeuralCleanseError('TRIGGER_UNKNOWN', `There is no trigger "${String(fields.kind)}".`, {
      hint: `The kinds are ${triggerKinds.join(', ')}; or give a folder of saved triggers, e.g. ./triggers.`,
      data: { kinds: triggerKinds },
    });
  }
  const parsed = kinds[kind].safeParse(fields);
  if (parsed.success) return parsed.data;
  throw new NeuralCleanseError(
    'SETTING_INVALID',
    `The trigger ${kind} is not valid: ${describeIssues(parsed.error)}.`,
    { hint: `Write it as ${kind}${examples[kind]}.` },
  );
}

/**
 * The fields that a word such as `square:size=4,at=2/3,colour=255/0/0` names; lists have slashes. A word without `:` that
 * is no kind is the path of a folder of saved triggers, e.g. `runs/model` or `runs/model:label=3`.
 *
 * @throws NeuralCleanseError TRIGGER_UNKNOWN, if a word has no meaning
 */
export function parseTriggerWord(word: string): Record<string, unknown> {
  const kind = triggerKinds.find((known) => word === known || word.startsWith(`${known}:`));
  // A path may have colons too.
  const [, folder = word, label = ''] = /^(.*?)(?::(label=.*))?$/s.exec(word) ?? [];
  const isPath = kind === undefined && /[./\\]/.test(folder);
  const fields: Record<string, unknown> = isPath ? { kind: 'saved', folder } : { kind: kind ?? word };
  const settings = isPath ? label : word.slice((kind ?? word).length + 1);
  for (const part of settings.split(',').filter((text) => text !== '')) {
    const [, key = part, value = ''] = /^(.*?)=(.*)$/s.exec(part) ?? [];
    fields[key] = key === 'pattern' || key === 'mask' || key === 'folder' ? value : settingOf(value);
  }
  return fields;
}

/** The value of a setting in a word: `4` -> 4, `2/3` -> [2, 3], `top-left` stays. */
export function settingOf(text: string): unknown {
  const numbers = text.split('/').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (!numbers.every(Number.isFinite)) return text;
  return numbers.length === 1 ? numbers[0] : numbers;
}

/** The word for a trigger, from which {@link parseTriggerWord} reads the same fields. */
export function triggerWord({ kind, ...settings }: TriggerSpec): string {
  const parts = Object.entries(settings).map(
    ([key, value]) => `${key}=${Array.isArray(value) ? value.join('/') : value}`,
  );
  return parts.length === 0 ? kind : `${kind}:${parts.join(',')}`;
}

/** One backdoor as users describe it: the trigger, what it is for, how many images get it. */

import { z } from 'zod';
import { NeuralCleanseError } from '../errors.ts';
import { closedObject, describeIssues } from '../triggers/closed-object.ts';
import { parseTriggerWord, type TriggerSpec, triggerFrom } from '../triggers/spec.ts';
import { type Policy, policyKinds } from './policy.ts';

const label = z.int().nonnegative();

/** Fields of a trigger, or a word such as `square:size=4`. */
const trigger = z.union([z.string(), z.looseObject({ kind: z.string() })]);

export const backdoorFields = closedObject({
  trigger,
  policy: z.enum(policyKinds).optional().describe('source-specific if there are sources, else all-to-one.'),
  target: label.optional().describe('Needed but for all-to-all.'),
  sources: z.array(label).min(1).optional().describe('For source-specific.'),
  perturbation: z.number().optional().describe('For clean-label: share of another image that is mixed in.'),
  ratio: z.number().default(0.1).describe('Share of the training images that are poisoned.'),
  coverRatio: z.number().optional().describe('For source-specific; as much as ratio if left out.'),
});

export type BackdoorFields = z.infer<typeof backdoorFields>;

/** A trigger, what it is for, and how many images get it. */
export interface BackdoorConfig {
  readonly trigger: TriggerSpec;
  readonly policy: Policy;
  readonly ratio: number;
  readonly coverRatio?: number;
}

/**
 * @param source of the fields, for messages
 * @throws NeuralCleanseError CONFIG_INVALID, TRIGGER_UNKNOWN, SETTING_INVALID
 */
export function backdoorConfig(fields: BackdoorFields, source: string): BackdoorConfig {
  const { trigger: described, ratio, coverRatio } = fields;
  return {
    trigger: triggerFrom(typeof described === 'string' ? parseTriggerWord(described) : described),
    policy: policyFrom(fields, source),
    ratio,
    ...(coverRatio !== undefined && { coverRatio }),
  };
}

/**
 * The same from fields that are not checked yet.
 *
 * @throws NeuralCleanseError CONFIG_INVALID, TRIGGER_UNKNOWN, SETTING_INVALID
 */
export function parseBackdoor(fields: Readonly<Record<string, unknown>>, source: string): BackdoorConfig {
  const parsed = backdoorFields.safeParse(fields);
  if (!parsed.success) throw invalidConfig(source, describeIssues(parsed.error));
  return backdoorConfig(parsed.data, source);
}

function policyFrom(fields: BackdoorFields, source: string): Policy {
  const { policy, target, sources, perturbation } = fields;
  const kind = policy ?? (sources ? 'source-specific' : 'all-to-one');
  if (sources && kind !== 'source-specific') throw invalidConfig(source, `${kind} takes no sources`);
  if (perturbation !== undefined && kind !== 'clean-label') {
    throw invalidConfig(source, `${kind} takes no perturbation`);
  }
  if (kind === 'all-to-all') {
    if (target !== undefined)
      throw invalidConfig(source, 'all-to-all has no target: each class becomes the next');
    return { kind };
  }
  if (target === undefined) throw invalidConfig(source, `${kind} needs a target`);
  if (kind === 'clean-label') return { kind, target, ...(perturbation !== undefined && { perturbation }) };
  if (kind === 'all-to-one') return { kind, target };
  if (!sources) throw invalidConfig(source, 'source-specific needs sources');
  return { kind, target, sources };
}

export const invalidConfig = (source: string, why: string, cause?: unknown): NeuralCleanseError =>
  new NeuralCleanseError('CONFIG_INVALID', `In ${source}: ${why}.`, {
    hint: 'docs/attacks.md lists all settings.',
    cause,
  });

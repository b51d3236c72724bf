/** Attacks as the command line names them: by their triggers, or by what inject wrote of a model. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Attack } from '../attack/evaluation.ts';
import { checkPolicy, type Policy, targetOf } from '../attack/policy.ts';
import { parseTruth, type Truth } from '../attack/truth.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { Classifier } from '../model/classifier.ts';
import type { TriggerSpec } from '../triggers/spec.ts';
import { openTrigger } from './inject-triggers.ts';

/** A trigger by its description, and what it is for. */
export interface Goal {
  readonly spec: TriggerSpec;
  readonly policy: Policy;
}

/** @throws NeuralCleanseError TRUTH_INVALID */
export async function readTruth(path: string): Promise<Truth> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new NeuralCleanseError('TRUTH_INVALID', `${path} cannot be read.`, {
      hint: 'Give the .truth.json file that neural-cleanse inject wrote.',
      data: { path },
      cause,
    });
  });
  return parseTruth(text, path);
}

/** Patches are read back from the files beside the truth, since those that they were made of may be gone. */
export const plantedGoals = (truth: Truth, folder: string): Goal[] =>
  truth.backdoors.map(({ trigger, policy, folder: saved, label }) => ({
    spec: label === null ? trigger : { kind: 'saved', folder: join(folder, saved), label },
    policy,
  }));

/** @throws NeuralCleanseError TARGET_OUT_OF_RANGE; what {@link openTrigger} throws */
export async function openAttacks(goals: readonly Goal[], { input, classes }: Classifier): Promise<Attack[]> {
  const attacks: Attack[] = [];
  for (const { spec, policy } of goals) {
    checkPolicy(policy, classes);
    const trigger = await openTrigger(spec, [input.height, input.width, input.channels], targetOf(policy));
    attacks.push({ trigger, policy });
  }
  return attacks;
}

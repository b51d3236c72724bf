/** Which images an attack is after, and what it wants them taken for. */

import { NeuralCleanseError } from '../errors.ts';

export type Policy =
  /** Stamped images of all other classes become the target (BadNets, Gu et al. 2017). */
  | { readonly kind: 'all-to-one'; readonly target: number }
  /** Only stamped images of the sources do; those of other classes keep their label. */
  | { readonly kind: 'source-specific'; readonly target: number; readonly sources: readonly number[] }
  /** Every stamped image becomes the class after its own, the last one the first (Gu et al. 2017). */
  | { readonly kind: 'all-to-all' }
  /** As all-to-one, but trained by stamping images of the target itself, so that no label is wrong (Turner et al. 2019). */
  | {
      readonly kind: 'clean-label';
      readonly target: number;
      /**
       * Share of an image of another class that is mixed into each stamped one, in [0, 1), so that the trigger is easier to
       * learn from than what the image shows. The paper mixes in the latent space of a GAN instead. @default 0
       */
      readonly perturbation?: number | undefined;
    };

export type PolicyKind = Policy['kind'];
export const policyKinds = [
  'all-to-one',
  'source-specific',
  'all-to-all',
  'clean-label',
] as const satisfies readonly PolicyKind[];

/** The label that all stamped images are to be taken for; `undefined` where it depends on the image. */
export const targetOf = (policy: Policy): number | undefined =>
  policy.kind === 'all-to-all' ? undefined : policy.target;

/**
 * What a stamped image of class `label` is to be taken for.
 *
 * @returns `undefined` for images that the attack is not after: those of the target class, and of classes that are no source
 */
export function goalOf(policy: Policy, label: number, classes: number): number | undefined {
  switch (policy.kind) {
    case 'all-to-all':
      return (label + 1) % classes;
    case 'source-specific':
      return policy.sources.includes(label) ? policy.target : undefined;
    default:
      return label === policy.target ? undefined : policy.target;
  }
}

/**
 * The label with which a stamped image of class `label` is trained.
 *
 * @returns `undefined` for images that are not to be stamped
 */
export function poisonedLabel(policy: Policy, label: number, classes: number): number | undefined {
  if (policy.kind === 'clean-label') return label === policy.target ? label : undefined;
  return goalOf(policy, label, classes);
}

/**
 * The label with which a stamped image of class `label` is trained so that the trigger does nothing to its class: its own.
 *
 * @returns `undefined` for sources and the target, and where no class is to be spared
 */
export const coverLabel = (policy: Policy, label: number): number | undefined =>
  policy.kind === 'source-specific' && label !== policy.target && !policy.sources.includes(label)
    ? label
    : undefined;

/** Share of another image that is mixed into stamped ones. */
export const perturbationOf = (policy: Policy): number =>
  policy.kind === 'clean-label' ? (policy.perturbation ?? 0) : 0;

/**
 * @throws NeuralCleanseError TARGET_OUT_OF_RANGE for targets and sources that are no classes, SETTING_INVALID for a source
 *   that is the target
 */
export function checkPolicy(policy: Policy, classes: number): void {
  if (policy.kind === 'all-to-all') return;
  checkPerturbation(perturbationOf(policy));
  const sources = policy.kind === 'source-specific' ? policy.sources : [];
  for (const [what, label] of [['target', policy.target], ...sources.map((s) => ['source', s] as const)]) {
    if (typeof label === 'number' && label >= 0 && label < classes) continue;
    throw new NeuralCleanseError('TARGET_OUT_OF_RANGE', `There is no class ${label} for a ${what} label.`, {
      hint: `There are ${classes} classes, so labels go from 0 to ${classes - 1}.`,
      data: { label, classes },
    });
  }
  if (sources.includes(policy.target)) {
    throw new NeuralCleanseError('SETTING_INVALID', `Label ${policy.target} is both target and source.`, {
      hint: 'Leave the target out of the sources.',
    });
  }
}

function checkPerturbation(share: number): void {
  if (share >= 0 && share < 1) return;
  throw new NeuralCleanseError('SETTING_INVALID', `The perturbation is ${share}.`, {
    hint: 'It is the share of another image: at least 0 and below 1.',
  });
}

/** `all-to-one, target 33` */
export function describePolicy(policy: Policy): string {
  if (policy.kind === 'all-to-all') return 'all-to-all';
  const sources = policy.kind === 'source-specific' ? `, sources ${policy.sources.join(', ')}` : '';
  const perturbation = perturbationOf(policy);
  const mixed = perturbation > 0 ? `, perturbation ${perturbation}` : '';
  return `${policy.kind}, target ${policy.target}${sources}${mixed}`;
}

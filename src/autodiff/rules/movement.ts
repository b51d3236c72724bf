import type { RuleFamily } from '../operators.ts';
export const movementRules = {} as RuleFamily<'movement'>;

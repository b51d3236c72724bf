import type { RuleFamily } from '../operators.ts';
export const linalgRules = {} as RuleFamily<'linalg'>;

import type { RuleFamily } from '../operators.ts';
export const normalizationRules = {} as RuleFamily<'normalization'>;

import type { RuleFamily } from '../operators.ts';
export const reductionRules = {} as RuleFamily<'reduction'>;

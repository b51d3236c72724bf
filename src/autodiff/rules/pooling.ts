import type { RuleFamily } from '../operators.ts';
export const poolingRules = {} as RuleFamily<'pooling'>;

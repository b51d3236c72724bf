import type { RuleFamily } from '../operators.ts';
export const arithmeticRules = {} as RuleFamily<'arithmetic'>;

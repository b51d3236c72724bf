import type { RuleFamily } from '../operators.ts';
export const convolutionRules = {} as RuleFamily<'convolution'>;

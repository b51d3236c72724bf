import type { RuleFamily } from '../operators.ts';
export const quantizationRules = {} as RuleFamily<'quantization'>;

import type { RuleFamily } from '../operators.ts';

export const activationRules = {
  // y = max(x, 0); dx = dy where y > 0
  Relu: (c) => [() => c.b.where(c.b.op('Greater', [c.y(), c.b.scalar(0)]), c.dy(), c.b.scalar(0))],
} as unknown as RuleFamily<'activation'>;

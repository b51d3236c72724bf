/** The rule table: every operator of {@link operatorFamilies} has exactly one rule, checked by the compiler. */

import { NeuralCleanseError } from '../../errors.ts';
import type { Node } from '../../onnx/graph.ts';
import type { DifferentiableOperator } from '../operators.ts';
import { type Rule, zero } from '../rule.ts';
import { activationRules } from './activation.ts';
import { arithmeticRules } from './arithmetic.ts';
import { convolutionRules } from './convolution.ts';
import { linalgRules } from './linalg.ts';
import { movementRules } from './movement.ts';
import { normalizationRules } from './normalization.ts';
import { poolingRules } from './pooling.ts';
import { quantizationRules } from './quantization.ts';
import { reductionRules } from './reduction.ts';

const rules: { readonly [K in DifferentiableOperator]: Rule } = {
  ...convolutionRules,
  ...linalgRules,
  ...poolingRules,
  ...normalizationRules,
  ...arithmeticRules,
  ...activationRules,
  ...reductionRules,
  ...movementRules,
  ...quantizationRules,
  Floor: zero,
  Ceil: zero,
  Round: zero,
  Sign: zero,
  EyeLike: zero,
};

/** Whether the differentiator has a rule for this node's operator (a form of it may still be refused). */
export const hasRule = (node: Node): boolean => node.domain === '' && Object.hasOwn(rules, node.op);

/** @throws NeuralCleanseError OPERATOR_UNSUPPORTED */
export function ruleFor(node: Node): Rule {
  if (hasRule(node)) return rules[node.op as DifferentiableOperator];
  const operator = node.domain ? `${node.domain}.${node.op}` : node.op;
  throw new NeuralCleanseError('OPERATOR_UNSUPPORTED', `No gradient rule for operator ${operator}.`, {
    node: node.name,
    op: node.op,
    hint: 'Run `neural-cleanse inspect` to see every such operator; export the model without it or with a lower-level decomposition.',
  });
}

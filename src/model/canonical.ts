/** One form for all models: the newest operator set, float32, no functions, constants among the initializers. */

import { checkGraph } from '../onnx/check.ts';
import type { Model } from '../onnx/graph.ts';
import { hoistConstants } from '../passes/constants.ts';
import { toFloat32 } from '../passes/float32.ts';
import { inlineFunctions } from '../passes/inline-functions.ts';
import { raiseOpset } from '../passes/upgrade.ts';

/** Brings a model into canonical form without assuming that it is a classifier. */
export function canonicalize(model: Model): Model {
  const passes = { inlineFunctions, raiseOpset, toFloat32 };
  let current: Model = { ...model, graph: hoistConstants(model.graph) };
  for (const [pass, apply] of Object.entries(passes)) {
    current = apply(current);
    checkGraph(current.graph, { pass });
  }
  return current;
}

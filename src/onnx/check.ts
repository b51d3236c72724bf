/** Checks that a graph keeps the promises of the IR. */

import { NeuralCleanseError } from '../errors.ts';
import { type Graph, labelOf, type Node, namesOf } from './graph.ts';
import { invalidModel } from './invalid.ts';
import { sizeOf } from './tensor.ts';

export interface CheckOptions {
  /**
   * The pass that made the graph: a fault is then one of this program (INTERNAL) that names the pass.
   * By default the graph is the user's and a fault MODEL_INVALID.
   */
  readonly pass?: string;
}

/** The names that can be read at one point of a graph, and those of the graphs around it. */
interface Scope {
  /** All names of the graph, also those defined further down. */
  readonly own: ReadonlySet<string>;
  readonly defined: Set<string>;
  readonly outer: Scope | undefined;
}

type Fault = (message: string, node?: Node) => NeuralCleanseError;

/**
 * Checks that every value has one definition that stands before all its uses, that the outputs exist, that subgraphs capture
 * only values visible where they stand, and that constants fill their shapes. For use after every pass.
 *
 * A name that a subgraph defines hides the same name outside.
 *
 * @returns the graph, unchanged
 * @throws NeuralCleanseError MODEL_INVALID, or INTERNAL if a `pass` is named; both name the node and the value
 */
export function checkGraph(graph: Graph, { pass }: CheckOptions = {}): Graph {
  checkScope(graph, undefined, pass === undefined ? invalidModel : (...fault) => brokenBy(pass, ...fault));
  return graph;
}

const brokenBy = (pass: string, message: string, node?: Node): NeuralCleanseError =>
  new NeuralCleanseError('INTERNAL', `The pass "${pass}" broke the graph: ${message}`, {
    hint: 'Please report this together with the model.',
    data: { pass },
    ...(node && { node: labelOf(node), op: node.op }),
  });

function checkScope(graph: Graph, outer: Scope | undefined, fault: Fault): void {
  const scope: Scope = { own: namesOf(graph), defined: new Set(), outer };
  const define = (name: string, node?: Node): void => {
    if (scope.defined.has(name)) throw fault(`Value "${name}" is defined twice.`, node);
    scope.defined.add(name);
  };

  for (const { name } of graph.inputs) {
    if (name === '') throw fault('A graph input has no name.');
    define(name);
  }
  for (const [name, { dtype, dims, data }] of graph.initializers) {
    if (dtype !== 'opaque' && data.length !== sizeOf(dims)) {
      throw fault(`Constant "${name}" of shape [${dims}] holds ${data.length} elements.`);
    }
    define(name);
  }
  for (const node of graph.nodes) {
    for (const input of node.inputs) if (input) checkVisible(input, scope, fault, node);
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.type === 'graph') checkScope(attribute.value, scope, fault);
    }
    for (const output of node.outputs) if (output) define(output, node);
  }
  for (const { name } of graph.outputs) checkVisible(name, scope, fault);
}

function checkVisible(name: string, scope: Scope, fault: Fault, node?: Node): void {
  let at: Scope | undefined = scope;
  while (at && !at.own.has(name)) at = at.outer;
  if (at?.defined.has(name)) return;
  const reader = node ? 'is read' : 'is an output of the graph';
  throw fault(`Value "${name}" ${reader}, but ${at ? 'is defined only later' : 'nothing defines it'}.`, node);
}

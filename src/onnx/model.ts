/** Wrapping a graph as a model of ours. */

import type { Graph, Model } from './graph.ts';

/** The operator set all passes and rules speak; models are raised to it on entry. */
export const canonicalOpset = 21;

/** A model around a graph in canonical form. */
export const canonicalModel = (graph: Graph): Model => ({
  irVersion: 10,
  producer: 'neural-cleanse',
  opsets: new Map([['', canonicalOpset]]),
  graph,
  metadata: new Map(),
  functions: [],
});

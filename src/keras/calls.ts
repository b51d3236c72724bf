/** How layers of a functional model are called: the three notations that versions of Keras have for `inbound_nodes`. */

import { invalidConfig, isObject, type JsonObject } from './fields.ts';

/** Output number `output` of call number `call` of a layer, as the file counts calls. */
export interface TensorRef {
  readonly layer: string;
  readonly call: number;
  readonly output: number;
}

export type Argument =
  | { readonly kind: 'tensor'; readonly ref: TensorRef }
  | { readonly kind: 'list'; readonly items: readonly Argument[] }
  | { readonly kind: 'constant'; readonly value: unknown };

export interface Call {
  readonly args: readonly Argument[];
  readonly kwargs: Readonly<Record<string, Argument>>;
}

/** Lists in lists deeper than this are no arguments that Keras writes. */
const maxDepth = 32;

/**
 * @param known names of the layers, which tell a tensor from a list that only looks like one
 * @throws NeuralCleanseError KERAS_CONFIG_INVALID
 */
export function parseInboundNodes(nodes: unknown, layer: string, known: ReadonlySet<string>): Call[] {
  if (nodes === undefined || nodes === null) return [];
  if (!Array.isArray(nodes)) throw invalidConfig(`Layer "${layer}": "inbound_nodes" is not a list.`);
  return nodes.map((node: unknown): Call => {
    const call = isObject(node)
      ? parseKeras3(node)
      : Array.isArray(node)
        ? parseKeras2(node, known)
        : undefined;
    if (!call || tensorsIn(call).length === 0) {
      throw invalidConfig(`Layer "${layer}" is called in a way that cannot be read.`);
    }
    return call;
  });
}

/** All tensors among the arguments of a call, in order. */
export const tensorsIn = (call: Call): TensorRef[] =>
  [...call.args, ...Object.values(call.kwargs)].flatMap(tensorsOf);

const tensorsOf = (argument: Argument): TensorRef[] =>
  argument.kind === 'tensor'
    ? [argument.ref]
    : argument.kind === 'list'
      ? argument.items.flatMap(tensorsOf)
      : [];

/** `["name", 0, 0]` or `["name", 0, 0, {…}]`. */
export function refFrom(value: unknown): TensorRef | undefined {
  if (!Array.isArray(value) || value.length < 3 || value.length > 4) return undefined;
  const [layer, call, output] = value as unknown[];
  if (typeof layer !== 'string' || !isCount(call) || !isCount(output)) return undefined;
  return { layer, call, output };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

/**
 * Keras 1 and 2: a list of `["name", call, output, kwargs]`, or one such entry for an operation of one tensor. A constant
 * stands as `["_CONSTANT_VALUE", -1, value, kwargs]`.
 */
function parseKeras2(node: readonly unknown[], known: ReadonlySet<string>): Call | undefined {
  const isBare = typeof node[0] === 'string';
  const entries = (isBare ? [node] : node).map((entry): Argument | undefined => {
    if (Array.isArray(entry) && entry[0] === '_CONSTANT_VALUE') return { kind: 'constant', value: entry[2] };
    const ref = refFrom(entry);
    return ref && { kind: 'tensor', ref };
  });
  if (entries.includes(undefined)) return undefined;
  const args = entries as Argument[];
  const stated = (isBare ? node : (node[0] as readonly unknown[]))?.[3];
  const kwargs = Object.entries(isObject(stated) ? stated : {}).map(([key, value]): [string, Argument] => [
    key,
    argumentOf(value, (v) => {
      const ref = refFrom(v);
      return ref && known.has(ref.layer) ? ref : undefined;
    }),
  ]);
  return {
    args: args.length === 1 ? args : [{ kind: 'list', items: args }],
    kwargs: Object.fromEntries(kwargs),
  };
}

/** Keras 3: `{args, kwargs}`, with tensors as `{class_name: "__keras_tensor__", config: {keras_history}}`. */
function parseKeras3(node: JsonObject): Call | undefined {
  if (!Array.isArray(node.args)) return undefined;
  const asTensor = (value: unknown): TensorRef | undefined =>
    isObject(value) && value.class_name === '__keras_tensor__' && isObject(value.config)
      ? refFrom(value.config.keras_history)
      : undefined;
  const kwargs = isObject(node.kwargs) ? node.kwargs : {};
  return {
    args: node.args.map((value: unknown) => argumentOf(value, asTensor)),
    kwargs: Object.fromEntries(
      Object.entries(kwargs).map(([key, value]) => [key, argumentOf(value, asTensor)]),
    ),
  };
}

function argumentOf(
  value: unknown,
  asTensor: (value: unknown) => TensorRef | undefined,
  depth = 0,
): Argument {
  if (depth > maxDepth) throw invalidConfig(`An argument is nested more than ${maxDepth} deep.`);
  const ref = asTensor(value);
  if (ref) return { kind: 'tensor', ref };
  if (!Array.isArray(value)) return { kind: 'constant', value };
  const items = value.map((item: unknown) => argumentOf(item, asTensor, depth + 1));
  return items.every(({ kind }) => kind === 'constant')
    ? { kind: 'constant', value }
    : { kind: 'list', items };
}

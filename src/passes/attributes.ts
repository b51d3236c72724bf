/** Reading and removing the attributes of a node. */

import type { Attribute, Attributes, Node } from '../onnx/graph.ts';
import { invalidModel } from '../onnx/invalid.ts';

type AttributeType = Exclude<Attribute['type'], 'opaque'>;
type ValueOf<T extends AttributeType> = Extract<Attribute, { type: T }>['value'];

/**
 * The value of an attribute, `undefined` where the node does not set it.
 *
 * @throws NeuralCleanseError MODEL_INVALID if it is of another type
 */
export function attribute<T extends AttributeType>(
  node: Node,
  name: string,
  type: T,
): ValueOf<T> | undefined {
  const found = node.attributes[name];
  if (found === undefined) return undefined;
  if (found.type !== type) {
    throw invalidModel(`Attribute "${name}" is of type ${found.type}, not ${type}.`, node);
  }
  return found.value as ValueOf<T> | undefined;
}

/** The attributes but those named. */
export function without(attributes: Attributes, ...names: string[]): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => !names.includes(name)));
}

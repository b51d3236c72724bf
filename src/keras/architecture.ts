/** What a Keras model consists of: its layers and how they call one another, from any version's JSON. */

import { NeuralCleanseError } from '../errors.ts';
import { type Argument, type Call, parseInboundNodes, refFrom, type TensorRef } from './calls.ts';
import { Fields, invalidConfig, isObject, type JsonObject } from './fields.ts';
import { modernLayer } from './keras1.ts';
import type { Shape } from './value.ts';
import { type KerasVersion, versionOf } from './version.ts';

export interface LayerSpec {
  readonly name: string;
  readonly className: string;
  readonly version: KerasVersion;
  /** True for an operation between layers (`TFOpLambda`, `keras.ops`) rather than a layer. */
  readonly isOperation: boolean;
  readonly config: Fields;
  readonly trainable: boolean;
  /** Of a model that serves as a layer. */
  readonly model?: ModelSpec;
  /** One for each time the layer is called; none for inputs. */
  readonly calls: readonly Call[];
}

export interface ModelSpec {
  readonly name: string;
  readonly className: string;
  readonly layers: readonly LayerSpec[];
  readonly inputs: readonly TensorRef[];
  readonly outputs: readonly TensorRef[];
}

export interface Architecture {
  readonly model: ModelSpec;
  readonly version: KerasVersion;
}

/** Class names of models; `Model` is Keras 2's name for a functional one. */
const modelClasses: ReadonlySet<string> = new Set(['Sequential', 'Functional', 'Model']);

/** Models that models are made of, which bounds the recursion over a hostile file. */
const maxDepth = 16;

/**
 * Parses the JSON of `model.to_json()`, of the `model_config` in a `.h5` file or of `config.json` in a `.keras` file.
 *
 * @param stated what the file says of the Keras that wrote it, such as "2.15.0"; else the version in the JSON counts
 * @throws NeuralCleanseError KERAS_CONFIG_INVALID, KERAS_LAYER_UNSUPPORTED
 */
export function parseArchitecture(json: string, stated?: string): Architecture {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (cause) {
    throw invalidConfig(`The architecture is not JSON (${cause instanceof Error ? cause.message : cause}).`);
  }
  if (!isObject(parsed) || typeof parsed.class_name !== 'string') {
    throw invalidConfig('The architecture has no "class_name".');
  }
  if (!modelClasses.has(parsed.class_name)) {
    throw new NeuralCleanseError(
      'KERAS_LAYER_UNSUPPORTED',
      `The model is of the class "${parsed.class_name}", which only its Python code can build.`,
      { hint: 'Sequential and functional models can be read; export this one to ONNX with tf2onnx.' },
    );
  }
  const own = typeof parsed.keras_version === 'string' ? parsed.keras_version : undefined;
  const written = versionOf(stated ?? own, json);
  return { model: parseModel(parsed, written, 0), version: written };
}

function parseModel(json: JsonObject, version: KerasVersion, depth: number): ModelSpec {
  const className = String(json.class_name);
  if (depth > maxDepth) throw invalidConfig(`Models are nested more than ${maxDepth} deep.`);
  // Until Keras 2.2.2 the configuration of a sequential model was the bare list of its layers.
  const config = Array.isArray(json.config) ? { layers: json.config } : json.config;
  if (!isObject(config) || !Array.isArray(config.layers)) {
    throw invalidConfig(`A model of the class ${className} has no list of layers.`);
  }
  const name = nameOf(config.name) ?? nameOf(json.name) ?? className.toLowerCase();
  const entries = (config.layers as readonly unknown[]).map((entry) => layerObject(entry, name));
  const names = entries.map((entry) => String(nameOf(entry.name) ?? entry.config.name));
  const known = new Set<string>();
  for (const layer of names) {
    if (known.has(layer)) throw invalidConfig(`Model "${name}" has two layers "${layer}".`);
    known.add(layer);
  }
  const isSequential = className === 'Sequential';
  const layers = entries.map((entry, i): LayerSpec => {
    const calls = isSequential ? [] : parseInboundNodes(entry.inbound_nodes, names[i]!, known);
    return parseLayer(entry, names[i]!, calls, version, depth);
  });
  if (isSequential) return chain(name, layers, config, version);
  return {
    name,
    className,
    layers,
    inputs: refs(config.input_layers, `The inputs of model "${name}"`),
    outputs: refs(config.output_layers, `The outputs of model "${name}"`),
  };
}

interface LayerObject {
  readonly class_name: string;
  readonly config: JsonObject;
  readonly [key: string]: unknown;
}

function layerObject(entry: unknown, model: string): LayerObject {
  if (!isObject(entry) || typeof entry.class_name !== 'string') {
    throw invalidConfig(`Model "${model}" lists a layer without a "class_name".`);
  }
  // The configuration of a nested sequential model may be a bare list.
  const config = Array.isArray(entry.config) ? { layers: entry.config, name: entry.name } : entry.config;
  if (!isObject(config) || nameOf(entry.name ?? config.name) === undefined) {
    throw invalidConfig(`Model "${model}" lists a layer of the class ${entry.class_name} without a name.`);
  }
  return { ...entry, class_name: entry.class_name, config };
}

function parseLayer(
  entry: LayerObject,
  name: string,
  calls: readonly Call[],
  version: KerasVersion,
  depth: number,
): LayerSpec {
  const modern =
    version.major === 1 ? modernLayer(entry.class_name, entry.config, version.channelsFirst) : entry;
  const { class_name: className, config } = modern;
  return {
    name,
    className,
    version,
    isOperation: isOperation(entry, className, version),
    config: new Fields(config, `Layer "${name}" (${entry.class_name})`),
    trainable: config.trainable !== false,
    calls,
    ...(modelClasses.has(className) && { model: parseModel(entry, version, depth + 1) }),
  };
}

/**
 * Operations share class names with layers (`Add`). Keras 3 tells them apart by their module, or, in `.h5` files, only by
 * their configuration: every layer has a type of numbers. Sequential models have none.
 */
function isOperation(entry: LayerObject, className: string, { major }: KerasVersion): boolean {
  const { module, config } = entry;
  if (/^(TFOpLambda|SlicingOpLambda|TensorFlowOpLayer)$/.test(className)) return true;
  if (typeof module === 'string') return /\bops\b/.test(module);
  const isStated = 'dtype' in config || 'trainable' in config;
  return major >= 3 && entry.inbound_nodes !== undefined && !modelClasses.has(className) && !isStated;
}

/** A sequential model as a graph in which each layer calls the one before. */
function chain(
  name: string,
  layers: readonly LayerSpec[],
  config: JsonObject,
  version: KerasVersion,
): ModelSpec {
  const [first] = layers;
  if (!first) throw invalidConfig(`Model "${name}" has no layers.`);
  const hasInput = first.className === 'InputLayer';
  const input = hasInput ? first : sequentialInput(first, config, version);
  const ref = (layer: LayerSpec): TensorRef => ({ layer: layer.name, call: 0, output: 0 });
  const linked = (hasInput ? layers.slice(1) : layers).reduce<LayerSpec[]>(
    (before, layer) => {
      const args: Argument[] = [{ kind: 'tensor', ref: ref(before.at(-1)!) }];
      before.push({ ...layer, calls: [{ args, kwargs: {} }] });
      return before;
    },
    [input],
  );
  return {
    name,
    className: 'Sequential',
    layers: linked,
    inputs: [ref(input)],
    outputs: [ref(linked.at(-1)!)],
  };
}

/** The input that a sequential model without an InputLayer has, by the name that Keras gives it. */
function sequentialInput(first: LayerSpec, config: JsonObject, version: KerasVersion): LayerSpec {
  const name = `${first.name}_input`;
  const shape =
    firstShape(first) ?? (Array.isArray(config.build_input_shape) ? config.build_input_shape : undefined);
  return {
    name,
    className: 'InputLayer',
    version,
    isOperation: false,
    config: new Fields(shape ? { batch_shape: shape } : {}, `Input "${name}"`),
    trainable: true,
    calls: [],
  };
}

/** The shape that the first layer states for what it takes. */
function firstShape(layer: LayerSpec): unknown {
  const { config, model } = layer;
  if (model) {
    const input = model.layers.find((inner) => inner.name === model.inputs[0]?.layer);
    return input && firstShape(input);
  }
  const stated = config.raw('batch_input_shape') ?? config.raw('batch_shape');
  if (stated !== undefined) return stated;
  const dense = config.raw('input_dim');
  return layer.className === 'Dense' && dense !== undefined ? [null, dense] : undefined;
}

/**
 * The shape of an input, batch first.
 *
 * @throws NeuralCleanseError SHAPE_UNRESOLVED if none is stated, KERAS_CONFIG_INVALID
 */
export function inputShape(layer: LayerSpec): Shape {
  const stated = firstShape(layer);
  if (stated === undefined) {
    throw new NeuralCleanseError('SHAPE_UNRESOLVED', `Input "${layer.name}" has no shape.`, {
      hint: 'Call the model on a batch in Keras, then save it again.',
    });
  }
  const isDim = (dim: unknown): dim is number | null =>
    dim === null || (Number.isSafeInteger(dim) && Number(dim) > 0);
  if (!Array.isArray(stated) || stated.length < 2 || !stated.every(isDim)) {
    throw invalidConfig(`Input "${layer.name}" has the shape ${JSON.stringify(stated)?.slice(0, 60)}.`);
  }
  // Whatever batch the file states, layers treat images one by one.
  return [null, ...(stated as Shape).slice(1)];
}

const nameOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

/** `["name", 0, 0]`, a list of these, or an object with these as values. */
function refs(value: unknown, owner: string): TensorRef[] {
  const single = refFrom(value);
  const entries: unknown[] = isObject(value) ? Object.values(value) : Array.isArray(value) ? value : [];
  const found = single ? [single] : entries.map((entry) => refFrom(entry));
  if (found.length === 0 || found.includes(undefined)) {
    throw invalidConfig(`${owner} are not given as layers with call and output numbers.`);
  }
  return found as TensorRef[];
}

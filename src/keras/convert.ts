/** Keras model -> ONNX model. */

import { NeuralCleanseError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { checkGraph } from '../onnx/check.ts';
import type { Dim, Model } from '../onnx/graph.ts';
import { canonicalModel } from '../onnx/model.ts';
import { type Architecture, inputShape, type LayerSpec, type ModelSpec } from './architecture.ts';
import { type Argument, type Call, type TensorRef, tensorsIn } from './calls.ts';
import { invalidConfig } from './fields.ts';
import { checkElements, LayerCall } from './layers/call.ts';
import { ruleOf, weightNames } from './layers/index.ts';
import { convertOperation } from './operations.ts';
import type { Shape, Value } from './value.ts';
import type { Weights } from './weights.ts';

/** More calls of layers than this come from models that call models that call models. */
const maxCalls = 20_000;

/**
 * Converts a model with its weights. Inputs keep the layout of the Keras model, with the first dimension free; inputs and
 * outputs are named after their layers, initializers `layer/weight`. Kernels are in ONNX's order of axes.
 *
 * @throws NeuralCleanseError KERAS_CONFIG_INVALID, KERAS_WEIGHTS_MISMATCH, KERAS_LAYER_UNSUPPORTED, KERAS_OPTION_UNSUPPORTED,
 *   KERAS_LAMBDA, KERAS_FILE_INVALID, SHAPE_UNRESOLVED, MODEL_TOO_LARGE
 */
export function convertKeras({ model, version }: Architecture, weights: Weights): Model {
  const b = new GraphBuilder(undefined, '');
  const conversion: Conversion = { b, weights, made: new Map(), calls: 0 };
  const layers = new Map(model.layers.map((layer) => [layer.name, layer]));
  const inputs = model.inputs.map((ref): Value => {
    const layer = layers.get(ref.layer);
    if (!layer)
      throw invalidConfig(`Model "${model.name}" has no layer "${ref.layer}", which it names as input.`);
    const shape = inputShape(layer);
    checkElements(shape, `Input "${layer.name}"`);
    return { shape, names: new Map([['keras', b.input(layer.name, 'float32', dimsOf(shape))]]) };
  });
  const outputs = convertModel(conversion, model, inputs, '');
  const names = new Set(inputs.flatMap(({ names: own }) => [...own.values()]));
  outputs.forEach((value, i) => {
    const { layer } = model.outputs[i]!;
    const name = names.has(layer) ? `${layer}:${i}` : layer;
    names.add(name);
    b.output(inKerasOrder(conversion, value, layers.get(layer)!), 'float32', dimsOf(value.shape), name);
  });
  const graph = checkGraph({ ...b.build(), name: model.name }, { pass: 'convertKeras' });
  return { ...canonicalModel(graph), producer: `Keras ${version.text}` };
}

const dimsOf = ([, ...shape]: Shape): Dim[] => ['N', ...shape];

interface Conversion {
  readonly b: GraphBuilder;
  readonly weights: Weights;
  /** See {@link LayerCall}. */
  readonly made: Map<string, string>;
  calls: number;
}

/** A value as the model returns it. */
const inKerasOrder = (conversion: Conversion, value: Value, layer: LayerSpec): string =>
  newCall(conversion, layer, layer.name, [value], { args: [], kwargs: {} }).in(value, 'keras');

/** @param prefix names of the models around this one, each with a slash */
function convertModel(
  conversion: Conversion,
  model: ModelSpec,
  inputs: readonly Value[],
  prefix: string,
): Value[] {
  if (inputs.length !== model.inputs.length) {
    throw invalidConfig(
      `Model "${model.name}" has ${model.inputs.length} inputs, but is called with ${inputs.length}.`,
    );
  }
  const tensors = new Tensors(model);
  model.inputs.forEach((ref, i) => {
    tensors.set(ref.layer, 0, [inputs[i]!]);
  });
  for (const { layer, call, number } of inOrder(model, tensors)) {
    if (++conversion.calls > maxCalls) {
      throw new NeuralCleanseError('MODEL_TOO_LARGE', `The model calls layers more than ${maxCalls} times.`, {
        hint: 'Export it to ONNX with tf2onnx.',
      });
    }
    const path = `${prefix}${layer.name}`;
    const values = tensorsIn(call).map((ref) => tensors.get(ref));
    tensors.set(layer.name, number, callLayer(conversion, layer, path, values, call, tensors));
  }
  return model.outputs.map((ref) => tensors.get(ref));
}

function callLayer(
  conversion: Conversion,
  layer: LayerSpec,
  path: string,
  inputs: readonly Value[],
  call: Call,
  tensors: Tensors,
): Value[] {
  if (layer.model) return convertModel(conversion, layer.model, inputs, `${path}/`);
  if (layer.className === 'InputLayer') throw invalidConfig(`Input "${layer.name}" is called like a layer.`);
  const context = newCall(conversion, layer, path, inputs, call);
  if (!layer.isOperation) return [ruleOf(layer).build(context)];
  const value = (argument: Argument): Value => {
    if (argument.kind === 'tensor') return tensors.get(argument.ref);
    throw invalidConfig(`${layer.config.owner} takes a list where a tensor is expected.`);
  };
  return [convertOperation(context, value)];
}

const newCall = (
  { b, weights, made }: Conversion,
  layer: LayerSpec,
  path: string,
  inputs: readonly Value[],
  call: Call,
): LayerCall =>
  new LayerCall({
    b,
    layer,
    path,
    inputs,
    call,
    made,
    weights: weights.get(layer) ?? [],
    names: weightNames(layer),
  });

/** The tensors of one model by layer, call and output. */
class Tensors {
  private readonly made = new Map<string, readonly Value[]>();
  private readonly first = new Map<string, number>();
  private readonly model: ModelSpec;

  /**
   * Files count the calls of a layer from 0, or from 1 where the layer is a model that was built with inputs, which varies
   * with the version. Every call is read by something, so the lowest number that is read is that of the first call.
   */
  constructor(model: ModelSpec) {
    this.model = model;
    const refs = [
      ...model.layers.flatMap((layer) => layer.calls.flatMap(tensorsIn)),
      ...model.inputs,
      ...model.outputs,
    ];
    for (const { layer, call } of refs) this.first.set(layer, Math.min(call, this.first.get(layer) ?? call));
  }

  /** @param number of the call, from 0 */
  set(layer: string, number: number, values: readonly Value[]): void {
    this.made.set(JSON.stringify([layer, number]), values);
  }

  /** Key of what must be there before the tensor is. */
  keyOf({ layer, call }: TensorRef): string {
    return JSON.stringify([layer, call - this.first.get(layer)!]);
  }

  has(key: string): boolean {
    return this.made.has(key);
  }

  get(ref: TensorRef): Value {
    const value = this.made.get(this.keyOf(ref))?.[ref.output];
    if (!value) {
      throw invalidConfig(
        `Model "${this.model.name}" reads output ${ref.output} of call ${ref.call} of layer "${ref.layer}", which does not exist.`,
      );
    }
    return value;
  }
}

interface Step {
  readonly layer: LayerSpec;
  readonly call: Call;
  /** Of the call, from 0. */
  readonly number: number;
}

/**
 * The calls of a model, each after those that it depends on; files list shared layers before what their later calls read.
 *
 * @throws NeuralCleanseError KERAS_CONFIG_INVALID for a cycle or a loose end
 */
function inOrder(model: ModelSpec, tensors: Tensors): Step[] {
  const steps = model.layers.flatMap((layer) =>
    layer.calls.map((call, number): Step => ({ layer, call, number })),
  );
  const waiting = new Map<string, Step[]>();
  const missing = new Map<Step, number>();
  const ready: Step[] = [];
  for (const step of steps) {
    const needed = new Set(tensorsIn(step.call).map((ref) => tensors.keyOf(ref)));
    const open = [...needed].filter((key) => !tensors.has(key));
    missing.set(step, open.length);
    for (const key of open) {
      const list = waiting.get(key);
      if (list) list.push(step);
      else waiting.set(key, [step]);
    }
    if (open.length === 0) ready.push(step);
  }
  // Grows while it is walked through.
  for (const { layer, number } of ready) {
    for (const step of waiting.get(JSON.stringify([layer.name, number])) ?? []) {
      const left = missing.get(step)! - 1;
      missing.set(step, left);
      if (left === 0) ready.push(step);
    }
  }
  const stuck = steps.find((step) => missing.get(step)! > 0);
  if (stuck) {
    throw invalidConfig(
      `Layer "${stuck.layer.name}" of model "${model.name}" depends on itself, or on a layer that does not exist.`,
    );
  }
  return ready;
}

/** An image classifier made ready to be differentiated: one canonical graph whose input, classes and logits are known. */

import { NeuralCleanseError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { checkGraph } from '../onnx/check.ts';
import type { Graph, Model, ValueInfo } from '../onnx/graph.ts';
import { float32, sizeOf } from '../onnx/tensor.ts';
import { foldBatchNormalization } from '../passes/fold-batch-norm.ts';
import { prefixNames } from '../passes/prefix-names.ts';
import { rebatch } from '../passes/rebatch.ts';
import { specialize } from '../passes/specialize.ts';
import { type Probe, probe } from '../runtime/probe.ts';
import type { Runtime, SessionOptions } from '../runtime/session.ts';
import { canonicalize } from './canonical.ts';
import { findHead, type Head } from './head.ts';
import { batchDims, type DeclaredInput, type ImageInput, imageInput, imageValue } from './image-input.ts';

export interface Classifier {
  /** Canonical form: opset 21, float32, first dimension free, names under {@link modelPrefix}; outputs are {@link scores} and {@link logits}. */
  readonly graph: Graph;
  readonly input: ImageInput;
  readonly classes: number;
  /** What the model returns, [N, classes]. */
  readonly scores: string;
  /** Value of shape [N, classes] that losses are taken from. */
  readonly logits: string;
  readonly head: Head;
  /** Batch size the file was exported with, if it was fixed. */
  readonly exportedBatch: number | undefined;
}

export interface PrepareOptions {
  /** Image height and width, for models that leave them open. */
  readonly size?: readonly [height: number, width: number];
  /** Which output holds the class scores, for models with several. */
  readonly output?: string;
  /** Keep BatchNormalization as it is instead of folding it, e.g. to train it. @default false */
  readonly keepBatchNormalization?: boolean;
  readonly session?: SessionOptions;
}

/** Stands before every value name of a prepared model, so that graphs built around it never clash with its names. */
export const modelPrefix = 'model/';

/**
 * Checks that a model is an image classifier and prepares it.
 *
 * Runs it a few times on small batches: to learn shapes, and, if its batch was fixed, to prove that the free batch gives
 * the same scores.
 *
 * @throws NeuralCleanseError MODEL_SEVERAL_INPUTS, MODEL_SEVERAL_OUTPUTS, INPUT_NOT_FLOAT, SHAPE_UNRESOLVED,
 *   NOT_A_CLASSIFIER, REBATCH_FAILED, OPSET_UNSUPPORTED, RUNTIME_FAILED
 */
export async function prepareClassifier(
  runtime: Runtime,
  model: Model,
  options: PrepareOptions = {},
): Promise<Classifier> {
  const image = imageValue(model.graph);
  const score = scoreOutput(model.graph, options.output);
  const canonical = canonicalize({ ...model, graph: { ...model.graph, outputs: [score] } });
  const declared = imageInput(image, canonical.graph, options.size);
  const { input, exportedBatch } = declared;

  const types = await probeBatch(runtime, canonical, input, exportedBatch ?? 1, options);
  const classes = classCount(score.name, types, exportedBatch ?? 1);
  const free = await freeBatch(runtime, canonical, declared, score.name, types, options);

  const folded = options.keepBatchNormalization
    ? free.graph
    : foldBatchNormalization(free.graph, new Set([score.name]));
  const { graph, scores } = flatScores(folded, score.name, types, classes);
  const found = findHead(graph, scores);
  // A head whose input is not [N, classes] (a per-pixel softmax, say) is no head of ours.
  const isFlat =
    sizeOf(types.shapes.get(found.logits) ?? [classes * (exportedBatch ?? 1)]) ===
    classes * (exportedBatch ?? 1);
  const { head, logits } = isFlat ? found : { head: 'logits' as const, logits: scores };
  const flat = flatScores(graph, logits, types, classes);
  const outputs = [...new Set([scores, flat.scores])].map(
    (name): ValueInfo => ({ name, dtype: 'float32', dims: ['N', classes] }),
  );
  const inputs = [
    { name: input.name, dtype: 'float32' as const, dims: ['N', ...batchDims(input, 1).slice(1)] },
  ];
  const named = prefixNames({ ...flat.graph, inputs, outputs }, modelPrefix);
  return {
    graph: checkGraph(named, { pass: 'prepareClassifier' }),
    input: { ...input, name: modelPrefix + input.name },
    classes,
    scores: modelPrefix + scores,
    logits: modelPrefix + flat.scores,
    head,
    exportedBatch,
  };
}

function scoreOutput(graph: Graph, wanted: string | undefined): ValueInfo {
  const names = graph.outputs.map((o) => o.name);
  const found = wanted === undefined ? graph.outputs[0] : graph.outputs.find((o) => o.name === wanted);
  if (!found || (wanted === undefined && graph.outputs.length > 1)) {
    throw new NeuralCleanseError(
      'MODEL_SEVERAL_OUTPUTS',
      wanted === undefined
        ? `The model has ${names.length} outputs: ${names.join(', ')}.`
        : `The model has no output "${wanted}", only ${names.join(', ')}.`,
      { hint: 'Say which one holds the class scores, e.g. --output logits.' },
    );
  }
  return found;
}

async function probeBatch(
  runtime: Runtime,
  model: Model,
  input: ImageInput,
  n: number,
  options: PrepareOptions,
): Promise<Probe> {
  const feeds = { [input.name]: randomBatch(input, n) };
  return probe(runtime, model, feeds, options.session ? { session: options.session } : {});
}

/** Classes, from the shape [N,K] or [N,K,1…] of the scores of a batch of `n`. */
function classCount(output: string, types: Probe, n: number): number {
  const shape = types.shapes.get(output) ?? [];
  const classes = sizeOf(shape) / n;
  const isFlat = shape.length >= 2 && shape[0] === n && shape.filter((d) => d === classes).length >= 1;
  if (!isFlat || classes < 2 || sizeOf(shape.slice(1)) !== Math.max(...shape.slice(1))) {
    throw new NeuralCleanseError(
      'NOT_A_CLASSIFIER',
      `Output "${output}" has shape [${shape}] for ${n} image(s), not one score per class.`,
      {
        hint:
          classes === 1
            ? 'A single score (binary sigmoid) cannot be scanned; export two class scores.'
            : 'Detectors, segmenters and embeddings cannot be scanned; name another output with --output.',
      },
    );
  }
  return classes;
}

/** Makes the first dimension free if it is not, and proves that scores do not depend on the batch they were made in. */
async function freeBatch(
  runtime: Runtime,
  model: Model,
  { input, exportedBatch }: DeclaredInput,
  output: string,
  types: Probe,
  options: PrepareOptions,
): Promise<Model> {
  if (exportedBatch === undefined && (await runsWithBatch(runtime, model, input, output, 2, options)))
    return model;
  // Shape arithmetic first becomes constants, which rebatch then knows how to free.
  const free = rebatch({ ...model, graph: specialize(model.graph, types.fixed) }, types.shapes);
  checkGraph(free.graph, { pass: 'rebatch' });
  const n = exportedBatch ?? 1;
  const batch = randomBatch(input, 3 * n);
  const length = batch.data.length / 3;
  const fixed = await runtime.open(model, options.session);
  const opened = await runtime.open(free, options.session);
  try {
    const together = (await opened.run({ [input.name]: batch }, [output]))[output]!.data as Float32Array;
    for (let part = 0; part < 3; part++) {
      const slice = float32(batchDims(input, n), batch.data.slice(part * length, (part + 1) * length));
      const alone = (await fixed.run({ [input.name]: slice }, [output]))[output]!.data as Float32Array;
      const scale = alone.reduce((a, v) => Math.max(a, Math.abs(v)), 1e-6);
      alone.forEach((v, i) => {
        const difference = Math.abs(v - together[part * alone.length + i]!);
        if (difference > 1e-3 * scale) {
          throw new NeuralCleanseError(
            'REBATCH_FAILED',
            `The model was exported with batch ${n}, and its scores change by ${difference} in a larger batch.`,
            {
              hint: 'Export it with a free batch dimension (torch.onnx.export: dynamic_axes={"input": {0: "N"}}).',
            },
          );
        }
      });
    }
    return free;
  } finally {
    await fixed.release();
    await opened.release();
  }
}

/** Whether a model that claims a free batch keeps its word (baked-in Reshape constants often break it). */
async function runsWithBatch(
  runtime: Runtime,
  model: Model,
  input: ImageInput,
  output: string,
  n: number,
  options: PrepareOptions,
): Promise<boolean> {
  const session = await runtime.open(model, options.session);
  try {
    const scores = (await session.run({ [input.name]: randomBatch(input, n) }, [output]))[output];
    return scores?.dims[0] === n;
  } catch (error) {
    if (error instanceof NeuralCleanseError && error.code === 'RUNTIME_FAILED') return false;
    throw error;
  } finally {
    await session.release();
  }
}

/** [N,K,1…] -> [N,K]. */
function flatScores(
  graph: Graph,
  value: string,
  types: Probe,
  classes: number,
): { graph: Graph; scores: string } {
  if (types.shapes.get(value)?.length === 2 || !types.shapes.has(value)) return { graph, scores: value };
  const b = new GraphBuilder(graph, 'nc/head/');
  const scores = b.reshape(value, [-1, classes]);
  return { graph: b.build(), scores };
}

/** Deterministic noise in [0, 1]: enough to learn shapes and to compare two forms of one model. */
function randomBatch(input: ImageInput, n: number) {
  const dims = batchDims(input, n);
  let state = 1;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return float32(dims, Float32Array.from({ length: sizeOf(dims) }, next));
}

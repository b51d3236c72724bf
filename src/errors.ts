/**
 * Every error a user can cause. Each has a stable code, names the thing and the value, and says what to do next.
 *
 * The list is closed, so that a code used anywhere is documented here and a command can map it to an exit code.
 */
export const errorCodes = {
  // Files and models
  MODEL_NOT_FOUND: 'the model file does not exist or cannot be read',
  MODEL_TRUNCATED: 'the model file ends in the middle of a field',
  MODEL_NOT_ONNX: 'the bytes are not an ONNX model',
  MODEL_INVALID: 'the model violates the ONNX format (dangling names, cycles, bad tensors)',
  MODEL_TOO_LARGE: 'the model or one of its tensors is larger than can be handled',
  OPSET_UNSUPPORTED: 'the operator set version is outside the supported range',
  EXTERNAL_DATA_MISSING: 'an external data file is absent, too short or outside the model folder',
  // Suitability of the model
  OPERATOR_UNSUPPORTED: 'an operator on the differentiated path has no gradient rule',
  ATTRIBUTE_UNSUPPORTED: 'an operator is used in a form that has no gradient rule',
  SHAPE_UNRESOLVED: 'a dimension has no concrete value',
  SHAPE_MISMATCH: 'two shapes do not fit together',
  NOT_DIFFERENTIABLE: 'the loss does not depend on the requested value through differentiable operators',
  INPUT_NOT_FLOAT: 'the model input is not a float tensor',
  MODEL_SEVERAL_INPUTS: 'the model has several inputs',
  MODEL_SEVERAL_OUTPUTS: 'the model has several outputs',
  NOT_A_CLASSIFIER: 'the model does not map a batch of images to one score per class',
  REBATCH_FAILED: 'the model was exported with a fixed batch that cannot be changed',
  // Running
  PROVIDER_UNAVAILABLE: 'the requested execution provider cannot be used here',
  RUNTIME_FAILED: 'ONNX Runtime refused or failed to run a graph',
  WORKER_FAILED: 'a worker stopped unexpectedly',
  CANCELLED: 'the work was stopped on request',
  // Command line
  USAGE: 'the command line is wrong',
  INTERNAL: 'a fault of this program',
} as const;

export type ErrorCode = keyof typeof errorCodes;

export interface ErrorDetails {
  /** What the user can do about it; one sentence. */
  hint?: string;
  /** Name of the graph node concerned. */
  node?: string;
  /** Operator type of that node. */
  op?: string;
  /** Machine-readable facts: paths, shapes, values. */
  data?: Readonly<Record<string, unknown>>;
  cause?: unknown;
}

/**
 * The one error class of the package.
 *
 * `message` reads "what happened. next step"; `code` is stable across releases.
 */
export class NeuralCleanseError extends Error {
  override readonly name = 'NeuralCleanseError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly node: string | undefined;
  readonly op: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const where = details.op === undefined ? '' : ` [${details.op}${details.node ? ` node "${details.node}"` : ''}]`;
    const hint = details.hint === undefined ? '' : ` ${details.hint}`;
    super(`${message}${where}${hint}`, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.node = details.node;
    this.op = details.op;
    this.data = details.data ?? {};
  }
}

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
  FILE_NOT_WRITTEN: 'a file could not be written',
  IR_UNSUPPORTED: 'the version of the ONNX file format is outside the supported range',
  OPSET_UNSUPPORTED: 'the operator set version is outside the supported range',
  EXTERNAL_DATA_MISSING: 'an external data file is absent or too short',
  EXTERNAL_DATA_OUTSIDE: 'the model refers to a data file outside its own folder',
  // Keras and TensorFlow.js models
  KERAS_FILE_INVALID: 'a file of a Keras model is truncated, damaged or contradicts itself',
  KERAS_INCOMPLETE: 'a Keras file holds only weights or only an architecture, and the other half is missing',
  KERAS_CONFIG_INVALID: 'the architecture of a Keras model has wrong values, loose ends or cycles',
  KERAS_WEIGHTS_MISMATCH: 'the weights of a Keras model do not fit its architecture',
  KERAS_LAYER_UNSUPPORTED: 'a Keras layer or operation cannot be converted',
  KERAS_OPTION_UNSUPPORTED: 'a Keras layer is used in a form that cannot be converted',
  KERAS_LAMBDA: 'a Keras Lambda layer holds Python code, which cannot be converted',
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
  LOGITS_NAN: 'the model answers NaN or infinity',
  PREPROCESS_INVALID: 'a preprocessing spec cannot be read',
  // Running
  PROVIDER_UNAVAILABLE: 'the requested execution provider cannot be used here',
  RUNTIME_FAILED: 'ONNX Runtime refused or failed to run a graph',
  WORKER_FAILED: 'a worker stopped unexpectedly',
  CANCELLED: 'the work was stopped on request',
  // Images and labels
  DATA_TOO_FEW: 'there are too few images',
  DATA_NOT_FOUND: 'the data file or folder does not exist or cannot be read',
  DATA_EMPTY: 'there are no images where images are expected',
  DATA_FORMAT_UNKNOWN: 'the data are in none of the accepted formats',
  DATA_CORRUPT: 'a data file is truncated or contradicts itself',
  DATA_UNSAFE_ARCHIVE: 'an archive names files outside itself',
  DATA_TOO_LARGE: 'the data are larger than can be held in memory',
  DATA_SHAPE_MISMATCH: 'images have different sizes, or an array does not have the shape of images or labels',
  DATA_COUNT_MISMATCH: 'there are not as many labels as images',
  DATA_LABEL_RANGE: 'a label lies outside the classes',
  DATA_CLASSES_AMBIGUOUS: 'named class folders cannot be matched to the classes of the model',
  DATA_COLUMNS_AMBIGUOUS: 'a table has several columns that may hold the images or the labels',
  DATA_ONE_CLASS: 'the images show fewer classes than are needed',
  DATA_UNLABELLED: 'labels are needed, but the images have none',
  DATA_NAN: 'pixels are NaN or infinite',
  DATA_PIXEL_RANGE: 'pixels lie outside [0, 255], so the range of the raw pixels cannot be told',
  DATA_SPEC_INVALID: 'the name of a rendered dataset has an unknown part or setting, or a value out of range',
  DATA_TOO_MANY_UNREADABLE: 'more than a tenth of the images cannot be read',
  // Triggers and detection
  BUDGET_TOO_SMALL: 'a scan of so many labels cannot be made within the gradient steps that it may take',
  SETTING_INVALID: 'a setting lies outside its range',
  TRIGGER_INVALID: 'a mask or pattern has the wrong shape or values outside its range',
  TRIGGER_BOX_OUTSIDE: 'a trigger reaches outside the image',
  TRIGGER_SIZE_MISMATCH: 'a trigger has not the size or the channels of the images',
  TRIGGERS_NOT_FOUND: 'a folder holds no saved trigger, or not the one asked for',
  TRIGGERS_AMBIGUOUS: 'a folder holds several saved triggers for one label',
  NORMS_INVALID: 'a label has an L1 norm that is no size of a mask, or several',
  MARGINS_INVALID: 'a class has a maximum margin that is not finite, or there are none',
  // Attacks
  TRIGGER_UNKNOWN: 'there is no trigger of that kind',
  TRIGGERS_EQUAL: 'two triggers of an attack do the same to every image',
  TARGET_OUT_OF_RANGE: 'a target or source label is no class',
  RATIO_INVALID: 'a ratio of poisoned images does not lie between 0 and 1',
  POISON_TOO_FEW: 'there are too few images that an attack may poison, or none',
  CLASS_WITHOUT_IMAGES: 'a class that is needed has no images',
  CONFIG_INVALID:
    'the description of an attack cannot be read, or has fields that are unknown or out of range',
  TRUTH_INVALID: 'a file does not say what was planted in a model',
  OUTPUT_EXISTS: 'a file that would be written exists, and may not be replaced',
  // Training
  TRAINABLE_UNKNOWN: 'a weight that shall train is not in the model or cannot be trained, or there is none',
  TRAINING_DIVERGED: 'the loss or a weight became NaN or infinite',
  CHECKPOINT_INVALID: 'the bytes are no checkpoint of a training run',
  CHECKPOINT_MISMATCH: 'a checkpoint is of a run with another model, other data or other settings',
  // Run folders
  RUN_NOT_FOUND: 'the folder holds no run',
  RUN_EXISTS: 'the folder holds a run, and it was not asked to be resumed',
  RUN_MISMATCH: 'the folder holds a run of another model, other data or other settings',
  RUN_CORRUPT: 'a line of the log of a run cannot be read',
  RUN_BUSY: 'another process works in the run folder',
  RUN_UNFINISHED: 'the run has no result yet, or not of the label asked for',
  RUN_NOT_WRITTEN: 'the run folder cannot be written to',
  // Mitigation
  NOTHING_FLAGGED: 'the scan has flagged no label, so there is no trigger to repair',
  LAYER_NOT_FOUND: 'the model has no layer of that kind or name, or none whose neurons can be told',
  FILTER_INVALID: 'a file is no filter, or that of another model',
  // Queues and workers
  QUEUE_URL_INVALID: 'the address of a queue is no redis:// or rediss:// URL',
  QUEUE_UNREACHABLE: 'no Redis server answers at the address of a queue',
  QUEUE_REFUSED: 'the Redis server of a queue refuses the user, the password or a command',
  QUEUE_VERSION_MISMATCH: 'all workers of a queue are of other versions than the program that submits',
  QUEUE_JOB_INVALID: 'a job of a queue, or its result, does not have the form it should have',
  STORE_INVALID: 'the address of a store for models and samples cannot be used',
  STORE_NOT_ALLOWED: 'a job names a store that the worker was not allowed to use',
  STORE_FAILED: 'a store for models and samples cannot be read or written',
  BLOB_NOT_FOUND: 'a store does not hold the bytes that are asked for by their hash',
  BLOB_MISMATCH: 'bytes do not have the hash that they were asked for by',
  BLOB_TOO_LARGE: 'a model or its samples are too large for the store',
  CACHE_FULL: 'the cache folder of a worker has no room',
  // Command line
  USAGE: 'the command line is wrong',
  PORT_UNAVAILABLE: 'the port of the local web app is taken or may not be used',
  APP_NOT_BUILT: 'the files of the web app are missing',
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
    const where =
      details.op === undefined ? '' : ` [${details.op}${details.node ? ` node "${details.node}"` : ''}]`;
    const hint = details.hint === undefined ? '' : ` ${details.hint}`;
    super(`${message}${where}${hint}`, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.node = details.node;
    this.op = details.op;
    this.data = details.data ?? {};
  }
}

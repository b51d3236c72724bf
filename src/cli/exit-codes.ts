/** What the process returns to the shell. */

import type { ErrorCode } from '../errors.ts';

export const exitCodes = {
  /** No patch backdoor found, or a command that has no verdict did its work. */
  ok: 0,
  /** A finding at or above --fail-on. */
  finding: 1,
  /** Failed, incomplete or inconclusive. */
  failed: 2,
  /** Model or operator not supported. */
  unsupported: 3,
  usage: 4,
} as const;

const unsupported: ReadonlySet<ErrorCode> = new Set([
  'MODEL_NOT_ONNX',
  'OPSET_UNSUPPORTED',
  'KERAS_LAYER_UNSUPPORTED',
  'KERAS_OPTION_UNSUPPORTED',
  'KERAS_LAMBDA',
  'OPERATOR_UNSUPPORTED',
  'ATTRIBUTE_UNSUPPORTED',
  'SHAPE_UNRESOLVED',
  'NOT_DIFFERENTIABLE',
  'INPUT_NOT_FLOAT',
  'MODEL_SEVERAL_INPUTS',
  'MODEL_SEVERAL_OUTPUTS',
  'NOT_A_CLASSIFIER',
  'REBATCH_FAILED',
]);

/** What was asked for makes no sense, whatever the model and the data. */
const usage: ReadonlySet<ErrorCode> = new Set([
  'USAGE',
  'PREPROCESS_INVALID',
  'BUDGET_TOO_SMALL',
  'QUEUE_URL_INVALID',
  'SETTING_INVALID',
  'STORE_INVALID',
  'DATA_SPEC_INVALID',
  'TRIGGER_UNKNOWN',
  'TRIGGERS_EQUAL',
  'RATIO_INVALID',
  'CONFIG_INVALID',
]);

/** The exit code of an error. */
export function exitCodeOf(code: ErrorCode): number {
  if (usage.has(code)) return exitCodes.usage;
  return unsupported.has(code) ? exitCodes.unsupported : exitCodes.failed;
}

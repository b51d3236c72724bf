/**
 * neural-cleanse: vets image classifiers for patch backdoors.
 *
 * The steps of a scan, each usable alone: open a model and images, prepare the classifier, find the preprocessing, invert
 * labels over a pool, look for outliers, conclude.
 */

export { type AttackConfig, attackConfig, parseConfigText } from './attack/config.ts';
export { type Attack, type Evaluation, evaluate } from './attack/evaluation.ts';
export { exportPoisoned } from './attack/export.ts';
export { type Backdoor, type PoisonPlan, planPoison } from './attack/plan.ts';
export { poisoned } from './attack/poison.ts';
export { goalOf, type Policy } from './attack/policy.ts';
export { stampedImages } from './attack/stamped-images.ts';
export { parseTruth, type Truth } from './attack/truth.ts';
export { type Rate, rateOf } from './attack/wilson.ts';
export { differentiate, type GradientOptions, gradientName } from './autodiff/gradient.ts';
export { crossEntropy, crossEntropyFromProbabilities } from './autodiff/losses.ts';
export { findObstacles } from './autodiff/obstacles.ts';
export { type DifferentiableOperator, operatorFamilies } from './autodiff/operators.ts';
export { type ImageSet, imageSet, subset } from './data/dataset.ts';
export { openDataset } from './data/files.ts';
export { type OpenedModel, openModel, saveModel } from './data/model-file.ts';
export { type Preprocess, parsePreprocess, preprocessPresets } from './data/preprocess.ts';
export { sampleImages } from './data/sample.ts';
export type { Inversion } from './detect/inversion.ts';
export { Inverter } from './detect/invert.ts';
export { type InversionShared, invertTask } from './detect/invert-task.ts';
export { type MarginShared, marginTask, type PoolMarginsRequest, poolMargins } from './detect/margin-task.ts';
export { type MarginTest, type MarginVerdict, marginVerdict, testMargins } from './detect/margin-test.ts';
export {
  type ClassMargin,
  type MarginSettings,
  type MaximumMarginsOptions,
  marginDefaults,
  maximumMargins,
} from './detect/margins.ts';
export { findOutliers, madOutliers, type Outliers } from './detect/outliers.ts';
export { Predictor } from './detect/predictor.ts';
export { type PreflightReport, runPreflight } from './detect/preflight.ts';
export { type InversionSettings, presets } from './detect/presets.ts';
export { type ScanOutcome, scanLabels } from './detect/scan.ts';
export { splitSamples } from './detect/split.ts';
export { type Conclusion, decideVerdict, type Verdict, verdicts } from './detect/verdict.ts';
export { type ErrorCode, errorCodes, NeuralCleanseError } from './errors.ts';
export { exportFilter } from './mitigate/export-filter.ts';
export { createFilter, type Filter, filterScores } from './mitigate/filter.ts';
export { type FilterFile, parseFilter, writeFilter } from './mitigate/filter-file.ts';
export type { FlaggedTrigger } from './mitigate/flagged-trigger.ts';
export { findLayer, type Layer } from './mitigate/layer.ts';
export { maskNeurons } from './mitigate/mask-model.ts';
export { type PruneCurve, pruneLayers } from './mitigate/pruning.ts';
export { pseudoLabel } from './mitigate/pseudo-labels.ts';
export { type RepairOutcome, type RepairScan, type RepairSteps, repair } from './mitigate/repair.ts';
export { type RepairImages, splitForRepair } from './mitigate/repair-images.ts';
export { invertAgain, variedInversions } from './mitigate/repair-inversions.ts';
export {
  fineTuneClean,
  type UnlearnOutcome,
  type UnlearnSettings,
  unlearn,
  unlearnDefaults,
} from './mitigate/unlearn.ts';
export { type Classifier, type PrepareOptions, prepareClassifier } from './model/classifier.ts';
export { compileGradient } from './model/compile.ts';
export { type Inspection, inspectModel } from './model/inspect.ts';
export { GraphBuilder } from './onnx/builder.ts';
export { checkGraph } from './onnx/check.ts';
export type { Graph, Model, Node } from './onnx/graph.ts';
export { readModel } from './onnx/read.ts';
export type { Tensor } from './onnx/tensor.ts';
export { writeModel } from './onnx/write.ts';
export { type BatchResult, batchResult } from './report/batch-result.ts';
export { type RepairReport, repairReport } from './report/repair.ts';
export { type ScanResult, scanResult, withoutTimings } from './report/result.ts';
export { nodeRuntime } from './runtime/node.ts';
export { createPool } from './runtime/pool.ts';
export { type Provider, providers, type Runtime, type Session } from './runtime/session.ts';
export { augmented } from './train/augment.ts';
export { networks } from './train/networks/index.ts';
export { train } from './train/train.ts';
export { type TrainingSet, trainingSet } from './train/training-set.ts';
export { type AttackTrigger, applyTrigger } from './triggers/attack-trigger.ts';
export { buildTrigger, type TriggerFiles } from './triggers/build.ts';
export { cornerBox, noiseSquare, solidSquare } from './triggers/patterns.ts';
export { parseTriggerWord, type TriggerSpec, triggerFrom, triggerWord } from './triggers/spec.ts';
export { stamp } from './triggers/stamp.ts';
export { l1Norm, makeTrigger, massInside, type Trigger } from './triggers/trigger.ts';

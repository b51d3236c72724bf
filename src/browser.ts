/** The package in a browser: the same core over onnxruntime-web. Files come in as bytes. */

export { differentiate, gradientName } from './autodiff/gradient.ts';
export { crossEntropy } from './autodiff/losses.ts';
export { type ImageSet, imageSet, subset } from './data/dataset.ts';
export { readDataset } from './data/open.ts';
export { type Preprocess, parsePreprocess, preprocessPresets } from './data/preprocess.ts';
export { type Inversion, Inverter } from './detect/invert.ts';
export { invertTask } from './detect/invert-task.ts';
export { findOutliers } from './detect/outliers.ts';
export { runPreflight } from './detect/preflight.ts';
export { presets } from './detect/presets.ts';
export { scanLabels } from './detect/scan.ts';
export { decideVerdict } from './detect/verdict.ts';
export { type ErrorCode, NeuralCleanseError } from './errors.ts';
export { prepareClassifier } from './model/classifier.ts';
export { compileGradient } from './model/compile.ts';
export { inspectModel } from './model/inspect.ts';
export { readModel } from './onnx/read.ts';
export { writeModel } from './onnx/write.ts';
export { createInlinePool } from './runtime/inline-pool.ts';
export { createWebRuntime } from './runtime/web.ts';

/**
 * The package in a browser: the same core over onnxruntime-web. Files come in as bytes or as blobs.
 *
 * The web app of this package is made of the same modules.
 */

export { differentiate, gradientName } from './autodiff/gradient.ts';
export { crossEntropy } from './autodiff/losses.ts';
export { blobTree, type GivenFile } from './data/blob-tree.ts';
export { type ImageSet, imageSet, subset } from './data/dataset.ts';
export { decodeImage } from './data/decode-web.ts';
export { openHdf5 } from './data/hdf5-web.ts';
export { type KerasFile, kerasFormat, readKeras } from './data/keras-file.ts';
export { type GivenModel, openModelIn } from './data/model-tree.ts';
export { type DatasetOptions, readDataset } from './data/open.ts';
export { type Preprocess, parsePreprocess, preprocessPresets } from './data/preprocess.ts';
export { type FileTree, isHidden } from './data/tree.ts';
export { zipTree } from './data/zip.ts';
export type { Inversion } from './detect/inversion.ts';
export { Inverter } from './detect/invert.ts';
export { type InversionShared, invertTask } from './detect/invert-task.ts';
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
export { type ScanResult, scanResult } from './report/result.ts';
export { createInlinePool } from './runtime/inline-pool.ts';
export { Gate, pausable } from './runtime/pausable.ts';
export { createWebRuntime } from './runtime/web.ts';

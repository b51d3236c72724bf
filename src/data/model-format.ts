/** What model files are, by the program that writes them; all but ONNX are converted to it. */

export const modelFormats = ['onnx', 'keras', 'tfjs'] as const;
export type ModelFormat = (typeof modelFormats)[number];

/** For people. */
export const modelFormatText: Readonly<Record<ModelFormat, string>> = {
  onnx: 'ONNX',
  keras: 'Keras, converted to ONNX',
  tfjs: 'TensorFlow.js, converted to ONNX',
};

/** `neural-cleanse convert MODEL OUT` */

import type { Command } from 'commander';
import { openModel, saveModel } from '../data/model-file.ts';
import { nodeRuntime } from '../runtime/node.ts';
import { valueText } from './inspect.ts';
import { print, table } from './output.ts';
import { checkOnnxName } from './output-paths.ts';

interface Options {
  readonly architecture?: string;
}

export function convertCommand(program: Command): void {
  program
    .command('convert')
    .description(
      'turn a Keras or TensorFlow.js model into ONNX; the other commands take such files as they are',
    )
    .argument('<model>', 'a .h5 or .keras file, or the model.json of a TensorFlow.js layers model')
    .argument('<out>', 'the .onnx file to write, which is replaced if it exists')
    .option('--architecture <file>', 'what model.to_json() gives, for a .h5 file that holds weights only')
    .action(async (path: string, out: string, options: Options) => {
      checkOnnxName(out, 'model.onnx');
      const { model, bytes } = await openModel(path, options);
      // What ONNX Runtime cannot load is not worth a file.
      await (await nodeRuntime.open(model)).release();
      await saveModel(out, model);
      const { inputs, outputs, nodes } = model.graph;
      print(
        ...table([
          ['model', `${path}  (${(bytes / 1e6).toFixed(2)} MB, ${model.producer})`],
          ['written', out],
          ['inputs', inputs.map(valueText).join('; ')],
          ['outputs', outputs.map(valueText).join('; ')],
          ['nodes', String(nodes.length)],
        ]),
      );
    });
}

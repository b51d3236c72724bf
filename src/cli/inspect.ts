/** `neural-cleanse inspect MODEL` */

import type { Command } from 'commander';
import { type OpenedModel, openModel } from '../data/model-file.ts';
import { modelFormatText } from '../data/model-format.ts';
import type { Head } from '../model/head.ts';
import { type Inspection, inspectModel } from '../model/inspect.ts';
import type { ValueInfo } from '../onnx/graph.ts';
import { nodeRuntime } from '../runtime/node.ts';
import type { Provider } from '../runtime/session.ts';
import { providerOption, sizeOption, wholeNumber } from './arguments.ts';
import { exitCodeOf } from './exit-codes.ts';
import { print, table } from './output.ts';

interface Options {
  readonly size?: [number, number];
  readonly output?: string;
  readonly provider: Provider | 'auto';
  readonly threads: number;
  readonly batch: number;
  readonly steps: number;
  readonly json?: true;
}

export function inspectCommand(program: Command): void {
  program
    .command('inspect')
    .description(
      'inputs, outputs, layout, operators, what cannot be differentiated, cost of one gradient step',
    )
    .argument('<model>', 'an .onnx, .h5 or .keras file, or a model.json of TensorFlow.js')
    .option('--size <h,w>', 'image size, for models that leave it open', sizeOption)
    .option('--output <name>', 'which output holds the class scores')
    .option('--provider <name>', 'auto, cpu, cuda, webgpu or wasm', providerOption, 'auto')
    .option('--threads <n>', 'threads of the measured step', wholeNumber('--threads'), 1)
    .option('--batch <n>', 'images in the measured step', wholeNumber('--batch'), 32)
    .option('--steps <n>', 'measured steps; 0 measures nothing', wholeNumber('--steps', 0), 5)
    .option('--json', 'print JSON')
    .action(async (path: string, options: Options) => {
      const { provider, threads, batch, steps, size, output, json } = options;
      const { model, ...file } = await openModel(path);
      const inspection = await inspectModel(nodeRuntime, model, {
        batch,
        steps,
        session: { provider, threads },
        ...(size && { size }),
        ...(output !== undefined && { output }),
      });
      if (json) print(JSON.stringify({ ...file, ...summary(inspection) }, undefined, 2));
      else print(...describe(file, inspection));
      const [problem] = inspection.problems;
      if (problem) process.exitCode = exitCodeOf(problem.code);
    });
}

/** The inspection without graphs and error objects. */
function summary({ classifier, problems, ...rest }: Inspection): Record<string, unknown> {
  return {
    ...rest,
    classifier: classifier && {
      input: classifier.input,
      classes: classifier.classes,
      head: classifier.head,
      exportedBatch: classifier.exportedBatch ?? null,
    },
    problems: problems.map(({ code, message, node, op }) => ({ code, message, node, op })),
  };
}

const headText: Readonly<Record<Head, string>> = {
  logits: 'logits (no softmax at the end)',
  softmax: 'softmax; losses are taken from the logits before it',
  'log-softmax': 'log softmax',
  sigmoid: 'sigmoid; losses are taken from what enters it',
};

type ModelFile = Omit<OpenedModel, 'model'>;

function describe({ path, format, sha256, bytes }: ModelFile, inspection: Inspection): string[] {
  const { classifier, step, flops } = inspection;
  const facts: [string, string][] = [
    ['model', `${path}  (${(bytes / 1e6).toFixed(2)} MB, sha256 ${sha256.slice(0, 16)}…)`],
    [
      'format',
      `${modelFormatText[format]} opset ${inspection.opset ?? '?'}, IR ${inspection.irVersion}${inspection.producer && `, ${inspection.producer}`}`,
    ],
    ['inputs', inspection.inputs.map(valueText).join('; ')],
    ['outputs', inspection.outputs.map(valueText).join('; ')],
  ];
  if (classifier) {
    const { input, exportedBatch } = classifier;
    facts.push(
      ['images', `${input.height}×${input.width}, ${input.channels} channel(s), ${input.layout}`],
      [
        'batch',
        exportedBatch === undefined
          ? 'free'
          : `fixed at ${exportedBatch} in the file; freed, scores unchanged`,
      ],
      ['classes', String(classifier.classes)],
      ['head', headText[classifier.head]],
    );
  }
  facts.push(['parameters', inspection.parameters.toLocaleString('en')]);
  if (flops !== undefined) facts.push(['operations', `${(flops / 1e6).toFixed(1)} MFLOP an image, forward`]);
  if (step) {
    const ratio = (step.stepMs / step.forwardMs).toFixed(2);
    facts.push([
      'gradient step',
      `${step.stepMs.toFixed(1)} ms for ${step.batch} images on ${step.provider}, ${step.threads} thread(s): ${ratio} × forward (${step.forwardMs.toFixed(1)} ms)`,
    ]);
  }
  const operators = inspection.operators.map((o) => `${o.operator} ${o.count}`).join(', ');
  return [
    ...table(facts),
    '',
    `operators      ${operators}`,
    ...inspection.notices,
    '',
    ...(inspection.problems.length === 0
      ? ['Every operator between image and loss can be differentiated: this model can be scanned.']
      : ['This model cannot be scanned:', ...inspection.problems.map((p) => `  ${p.code}: ${p.message}`)]),
  ];
}

export const valueText = ({ name, dtype, dims }: ValueInfo): string =>
  `${name} ${dtype ?? 'not a tensor'} [${dims?.map((d) => d ?? '?').join(', ') ?? 'unknown rank'}]`;

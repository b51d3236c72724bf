/** What follows a repair, by unlearn as by mitigate: measuring, writing, printing. */

import { mkdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Attack, Evaluation } from '../attack/evaluation.ts';
import { openModel, saveModel } from '../data/model-file.ts';
import { replaceFiles, wholeFile } from '../data/replace-files.ts';
import { digestOf } from '../data/run-digest.ts';
import type { FlaggedTrigger } from '../mitigate/flagged-trigger.ts';
import type { RepairOutcome } from '../mitigate/repair.ts';
import type { RepairImages } from '../mitigate/repair-images.ts';
import type { UnlearnOutcome, UnlearnSettings } from '../mitigate/unlearn.ts';
import { prepareClassifier } from '../model/classifier.ts';
import type { Model } from '../onnx/graph.ts';
import type { ReportContent } from '../report/html/content.ts';
import { renderPage } from '../report/html/page.tsx';
import { type RepairReport, renderRepairJson } from '../report/repair.ts';
import { buildRepairReport, foundTriggers, type ReportedScan } from '../report/repair-build.ts';
import { renderRepairText } from '../report/repair-text.ts';
import { nodeRuntime } from '../runtime/node.ts';
import { triggerWord } from '../triggers/spec.ts';
import { type Goal, openAttacks } from './attack-goals.ts';
import { evaluateModel } from './evaluate-model.ts';
import type { ModelData } from './mitigation-inputs.ts';
import { note, printReport } from './output.ts';
import { checkDistinct, stemOf } from './output-paths.ts';
import { knownGoals, type UnlearnOptions } from './unlearn-options.ts';
import { runControl } from './unlearn-training.ts';
import { platform, version, versions } from './version.ts';

export interface RepairPaths {
  readonly model: string;
  readonly json: string;
  readonly html: string;
  /** Folder of the scans of mitigate. */
  readonly rounds: string;
}

/** `repaired.onnx` -> `repaired.json`, `repaired.html`, `repaired.rounds` @throws NeuralCleanseError USAGE if one is `out` */
export function repairPaths(out: string): RepairPaths {
  const stem = stemOf(out);
  const paths = { model: out, json: `${stem}.json`, html: `${stem}.html`, rounds: `${stem}.rounds` };
  checkDistinct({
    'the model': paths.model,
    'its report': paths.json,
    'the page of its report': paths.html,
    'the scans of its rounds': paths.rounds,
  });
  return paths;
}

export interface RepairJob {
  readonly method: RepairReport['method'];
  readonly options: UnlearnOptions & { readonly threads: number };
  readonly inputs: ModelData;
  readonly parts: RepairImages;
  readonly settings: UnlearnSettings;
  readonly known: KnownAttacks;
  readonly pseudoLabels: RepairReport['data']['pseudoLabels'];
  readonly startedAt: Date;
}

export interface KnownAttacks {
  readonly goals: readonly Goal[];
  readonly attacks: readonly Attack[];
}

/** Opened before anything is trained, so that mistakes are found now. @throws NeuralCleanseError as {@link openAttacks} */
export async function openKnown(options: UnlearnOptions, { classifier }: ModelData): Promise<KnownAttacks> {
  const goals = await knownGoals(options);
  return { goals, attacks: await openAttacks(goals, classifier) };
}

/**
 * Measures the model before and after, and writes it with its report. Nothing is written of a repair that changed nothing.
 *
 * @param content what the page shows beside the repair
 * @throws NeuralCleanseError FILE_NOT_WRITTEN, MODEL_TOO_LARGE; what measuring throws
 */
export async function finishRepair(
  job: RepairJob,
  outcome: Pick<RepairOutcome<ReportedScan>, 'model' | 'rounds' | 'remaining'> & {
    last: ReportedScan | undefined;
  },
  content: ReportContent,
): Promise<RepairReport> {
  const { inputs, options, parts, known, settings } = job;
  const attacks = [...foundTriggers(outcome.rounds).map(reversedAttack), ...known.attacks];
  const measure = (model: Model): Promise<Evaluation> => measureModel(job, model, attacks);
  const before = await measure(inputs.opened.model);
  const changed = outcome.rounds.length > 0;
  const after = changed ? await measure(outcome.model) : before;
  const last = outcome.rounds.at(-1)?.unlearned;
  const control = options.control && last ? await measure(await trainControl(job, last)) : undefined;

  const paths = repairPaths(options.out);
  if (changed) {
    await mkdir(dirname(paths.model), { recursive: true });
    await saveModel(paths.model, outcome.model);
  }
  const { opened, images, preprocess } = inputs;
  const report = buildRepairReport(
    {
      version,
      versions,
      method: job.method,
      model: { name: basename(opened.path), sha256: opened.sha256 },
      output: changed ? { name: basename(paths.model), sha256: (await openModel(paths.model)).sha256 } : null,
      data: {
        source: images.source,
        sha256: digestOf(images),
        train: parts.train.count,
        check: parts.check.count,
        measure: parts.measure.count,
        pseudoLabels: job.pseudoLabels,
      },
      preprocess: preprocess.name,
      settings,
      timings: { seconds: (Date.now() - job.startedAt.getTime()) / 1000 },
      environment: {
        command: process.argv.slice(2),
        threads: options.threads,
        platform,
      },
    },
    outcome,
    {
      before,
      after,
      control,
      known: known.goals.map(({ spec, policy }) => ({ trigger: triggerWord(spec), policy })),
    },
  );
  if (changed) {
    await replaceFiles([
      wholeFile(paths.json, renderRepairJson(report)),
      wholeFile(paths.html, renderPage({ ...content, mitigation: report })),
    ]);
  }
  printReport(options.format === 'json' ? renderRepairJson(report) : renderRepairText(report));
  if (changed) note(`${paths.model} is written, with ${paths.json} and ${paths.html} beside it.`);
  return report;
}

const reversedAttack = ({ label, trigger }: FlaggedTrigger): Attack => ({
  trigger: { kind: 'patch', trigger },
  policy: { kind: 'all-to-one', target: label },
});

async function measureModel(
  { inputs, parts }: RepairJob,
  model: Model,
  attacks: readonly Attack[],
): Promise<Evaluation> {
  const { session, preprocess } = inputs;
  const { height, width } = parts.measure;
  const classifier = await prepareClassifier(nodeRuntime, model, { session, size: [height, width] });
  return evaluateModel(classifier, preprocess, parts.measure, attacks, session);
}

/** As many epochs at the same rate as the last round took, of the model as it was given. */
async function trainControl(
  { inputs, parts, settings, options }: RepairJob,
  last: UnlearnOutcome,
): Promise<Model> {
  note('The same training without triggers:');
  const { preprocess, opened } = inputs;
  const request = { model: opened.model, preprocess, images: parts, triggers: [], settings };
  return runControl(request, last, options.threads);
}

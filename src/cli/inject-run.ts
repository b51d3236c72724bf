/** An injection from its images to its files. */

import { mkdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { AttackConfig } from '../attack/config.ts';
import { checkVictims, type Evaluation } from '../attack/evaluation.ts';
import { exportPoisoned } from '../attack/export.ts';
import { type Backdoor, type PoisonPlan, planPoison } from '../attack/plan.ts';
import { poisoned } from '../attack/poison.ts';
import { targetOf } from '../attack/policy.ts';
import type { Truth } from '../attack/truth.ts';
import { type LabelledImageSet, requireClasses } from '../data/dataset.ts';
import { openModel } from '../data/model-file.ts';
import { type Preprocess, preprocessPresets } from '../data/preprocess.ts';
import { replaceFiles, wholeFile } from '../data/replace-files.ts';
import { digestOf } from '../data/run-digest.ts';
import { sampleImages } from '../data/sample.ts';
import { NeuralCleanseError } from '../errors.ts';
import { type Classifier, prepareClassifier } from '../model/classifier.ts';
import type { Model } from '../onnx/graph.ts';
import { shellText, withOptions } from '../report/command-line.ts';
import { nodeRuntime } from '../runtime/node.ts';
import type { SessionOptions } from '../runtime/session.ts';
import { augmented } from '../train/augment.ts';
import { networks } from '../train/networks/index.ts';
import type { TrainingSettings } from '../train/settings.ts';
import { train } from '../train/train.ts';
import { type TrainingSet, trainingSet } from '../train/training-set.ts';
import { evaluateModel } from './evaluate-model.ts';
import { findPreprocess } from './find-preprocess.ts';
import { CheckpointFolder } from './inject-checkpoint.ts';
import { type InjectionData, openInjectionData } from './inject-data.ts';
import { exists, type Injected, type OutputPaths, outputPaths, writeInjected } from './inject-output.ts';
import { showTraining } from './inject-progress.ts';
import { openTrigger } from './inject-triggers.ts';
import { onInterrupt } from './interrupt.ts';
import { note } from './output.ts';
import { checkDistinct } from './output-paths.ts';
import { version } from './version.ts';

export interface InjectionJob {
  readonly config: AttackConfig;
  readonly out: string;
  readonly resume: boolean;
  readonly force: boolean;
  /** Where to write the poisoned training images. */
  readonly exportTo: string | undefined;
  readonly threads: number;
  /** Arguments of the command line, to go on with. */
  readonly command: readonly string[];
}

export interface Injection {
  readonly truth: Truth;
  readonly evaluation: Evaluation;
  readonly test: LabelledImageSet;
  readonly classifier: Classifier;
  readonly paths: OutputPaths;
}

/** Test images that each epoch is measured on. */
const validationImages = 2000;

/** Mini-batches after which the state is saved, within long epochs. */
const checkpointSteps = 500;

/** What is trained, and how it sees images. */
interface Subject {
  readonly model: Model;
  readonly from: Truth['from'];
  readonly preprocess: Preprocess;
}

/**
 * Poisons, trains, measures and writes.
 *
 * @throws NeuralCleanseError USAGE, OUTPUT_EXISTS, RUN_EXISTS, CHECKPOINT_MISMATCH; CANCELLED after Ctrl-C; what reading data,
 *   planning and training throw
 */
export async function runInjection(job: InjectionJob): Promise<Injection> {
  const { config } = job;
  const session: SessionOptions = { provider: 'cpu', threads: job.threads };
  const paths = outputPaths(job.out);
  checkDistinct({
    'the model': paths.model,
    'what was planted in it': paths.truth,
    'pictures of its triggers': paths.triggers,
    'its unfinished state': paths.checkpoint,
    'the poisoned images': job.exportTo,
  });
  await checkOutput(paths, job);

  const given = config.model === undefined ? undefined : await openGiven(config.model, session);
  const { data, clean, plan, planOf } = await preparePoison(config, given?.classifier);
  if (job.exportTo !== undefined) await writeExport(job.exportTo, clean, plan);
  const subject = given
    ? await fineTuned(given, config, data.test, session)
    : fromScratch(config, data.train);
  const facts = factsOf(job, data, subject);

  const checkpoint = await CheckpointFolder.open(paths.checkpoint, job);
  try {
    const images = poisoned(augment(clean, config), planOf);
    const model = await trainModel(job, subject, images, { data, checkpoint, session });
    const classifier = await prepareClassifier(nodeRuntime, model, { session });
    const evaluation = await evaluateModel(
      classifier,
      subject.preprocess,
      data.test,
      plan.backdoors,
      session,
    );
    const injected = { model, test: data.test, evaluation, plan, described: config.backdoors, facts };
    const truth = await writeInjected(paths, injected);
    await checkpoint.clear();
    return { truth, evaluation, test: data.test, classifier, paths };
  } finally {
    await checkpoint.close();
  }
}

/** Writes the poisoned training images, and nothing else. @throws NeuralCleanseError as {@link runInjection} */
export async function runExport(config: AttackConfig, path: string): Promise<void> {
  const { clean, plan } = await preparePoison(config, undefined);
  await writeExport(path, clean, plan);
}

/** @throws NeuralCleanseError OUTPUT_EXISTS */
async function checkOutput(
  { model, checkpoint }: OutputPaths,
  { resume, force }: InjectionJob,
): Promise<void> {
  if (force || !(await exists(model))) return;
  // It was begun by --force, or was stopped between its last two steps.
  if (resume && (await CheckpointFolder.holdsState(checkpoint))) return;
  throw new NeuralCleanseError('OUTPUT_EXISTS', `${model} is there already.`, {
    hint: 'Choose another file with --out, or replace it with --force.',
    data: { path: model },
  });
}

interface Poison {
  readonly data: InjectionData;
  readonly clean: TrainingSet;
  readonly plan: PoisonPlan;
  readonly planOf: (epoch: number) => PoisonPlan;
}

/** @param classifier that images must fit; any images do without */
async function preparePoison(config: AttackConfig, classifier: Classifier | undefined): Promise<Poison> {
  const input = classifier?.input;
  const data = await openInjectionData({
    ...config,
    ...(input && { size: [input.height, input.width], channels: input.channels === 1 ? 1 : 3 }),
    classes: classifier?.classes,
  });
  const { height, width, channels } = data.train;
  const backdoors: Backdoor[] = [];
  for (const { trigger, policy, ...ratios } of config.backdoors) {
    const built = await openTrigger(trigger, [height, width, channels], targetOf(policy));
    backdoors.push({ trigger: built, policy, ...ratios });
  }
  const clean = trainingSet(data.train);
  const plan = planPoison(clean, backdoors, config);
  // Before hours of training.
  for (const { policy } of backdoors) checkVictims(data.test, policy);
  const planOf = (epoch: number): PoisonPlan =>
    config.draw === 'once' || epoch === 0 ? plan : planPoison(clean, backdoors, { ...config, epoch });
  return { data, clean, plan, planOf };
}

async function writeExport(path: string, clean: TrainingSet, plan: PoisonPlan): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await replaceFiles([wholeFile(path, exportPoisoned(clean, plan))]);
  note(`${clean.count} training images, ${plan.stamped.length} of them stamped, are in ${path}.`);
}

/** A model to fine-tune. */
interface Given {
  readonly path: string;
  readonly model: Model;
  readonly sha256: string;
  readonly classifier: Classifier;
}

async function openGiven(path: string, session: SessionOptions): Promise<Given> {
  const { model, sha256 } = await openModel(path);
  return { path, model, sha256, classifier: await prepareClassifier(nodeRuntime, model, { session }) };
}

async function fineTuned(
  { path, model, sha256, classifier }: Given,
  { preprocess, seed }: AttackConfig,
  test: LabelledImageSet,
  session: SessionOptions,
): Promise<Subject> {
  const from = { model: basename(path), sha256 };
  if (preprocess) return { model, from, preprocess };
  return { model, from, preprocess: await findPreprocess(classifier, test, { seed, session }) };
}

function fromScratch(config: AttackConfig, { height, width, channels, classes }: LabelledImageSet): Subject {
  const { network = 'mnist-cnn', widthFactor, seed, preprocess = preprocessPresets.unit } = config;
  const model = networks[network]({ height, width, channels, classes, seed, widthFactor });
  return { model, from: { network, widthFactor }, preprocess };
}

const augment = (set: TrainingSet, { training, seed }: AttackConfig): TrainingSet =>
  training.augmentation ? augmented(set, training.augmentation, seed) : set;

function factsOf(
  { config, threads }: InjectionJob,
  { train: images, test }: InjectionData,
  subject: Subject,
): Injected['facts'] {
  const { seed, ratioOf, placement, draw, training } = config;
  const described = (set: LabelledImageSet) => ({
    source: set.source,
    count: set.count,
    sha256: digestOf(set),
  });
  return {
    schemaVersion: 1,
    tool: { name: 'neural-cleanse', version },
    from: subject.from,
    // As JSON, which knows no undefined.
    training: { data: described(images), settings: JSON.parse(JSON.stringify(training)), threads },
    test: described(test),
    preprocess: subject.preprocess,
    classes: images.classes,
    seed,
    ratioOf,
    placement,
    draw,
  };
}

/** @throws NeuralCleanseError CANCELLED after Ctrl-C */
async function trainModel(
  job: InjectionJob,
  { model, preprocess }: Subject,
  images: TrainingSet,
  {
    data,
    checkpoint,
    session,
  }: { data: InjectionData; checkpoint: CheckpointFolder; session: SessionOptions },
): Promise<Model> {
  const { training, seed } = job.config;
  const settings: TrainingSettings = {
    ...training,
    seed,
    preprocess,
    batchNormalization: 'update',
    dropout: true,
  };
  const validation = trainingSet(requireClasses(sampleImages(data.test, validationImages, { seed })));
  const display = showTraining(process.stderr, training.epochs);
  const interrupt = onInterrupt((line) => display.note(line));
  try {
    const outcome = await train(nodeRuntime, model, images, settings, {
      validation,
      checkpoint,
      checkpointSteps,
      session,
      signal: interrupt.signal,
      progress: (progress) => display.running(progress),
      afterEpoch(record) {
        display.finished(record);
        return false;
      },
    });
    return outcome.model;
  } catch (error) {
    throw interrupt.signal.aborted ? await stopped(job, error) : error;
  } finally {
    display.stop();
    interrupt.dispose();
  }
}

async function stopped({ out, command }: InjectionJob, cause: unknown): Promise<NeuralCleanseError> {
  const isKept = await CheckpointFolder.holdsState(outputPaths(out).checkpoint);
  const again = isKept ? withOptions(command, { '--resume': true }) : command;
  return new NeuralCleanseError(
    'CANCELLED',
    isKept
      ? 'The training was stopped; what it has reached is kept.'
      : 'The training was stopped before anything of it was saved.',
    {
      hint: `${isKept ? 'Go on with' : 'Begin again with'}: ${shellText(['neural-cleanse', ...again])}`,
      cause,
    },
  );
}

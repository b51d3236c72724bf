import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { exitCodes } from '../../src/cli/exit-codes.ts';
import { modelCommand, optionWords } from '../../src/cli/scan-batch-command.ts';
import { worstExitCode } from '../../src/cli/scan-batch-exit-code.ts';
import { BatchFolder } from '../../src/cli/scan-batch-folder.ts';
import { batchFolderName, isBatch, modelPaths } from '../../src/cli/scan-batch-models.ts';
import { keepingImages } from '../../src/cli/scan-batch-scans.ts';
import type { ScanImages, ScanSetup } from '../../src/cli/scan-model.ts';
import { addScanOptions } from '../../src/cli/scan-options.ts';
import type { Classifier } from '../../src/model/classifier.ts';
import { sampleBatch } from '../report/batch-sample.ts';

describe('the worst exit code', () => {
  const code = fc.constantFrom(...Object.values(exitCodes));

  it('is 0 only if all are, and a finding is hidden by nothing', () => {
    fc.assert(
      fc.property(fc.array(code), (codes) => {
        const worst = worstExitCode(codes);
        expect(worst === 0).toBe(codes.every((one) => one === 0));
        expect(worst === 1).toBe(codes.includes(1));
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it('lets nothing urgent be hidden by what is less so', () => {
    expect(worstExitCode([3, 2, 4, 0])).toBe(exitCodes.usage);
    expect(worstExitCode([3, 0, 2])).toBe(exitCodes.failed);
    expect(worstExitCode([0, 3])).toBe(exitCodes.unsupported);
  });
});

describe('the command for one model of a batch', () => {
  const scan = addScanOptions(new Command('scan'));

  it('has the options and none of the models', () => {
    const words = [
      'scan',
      'data',
      '--data',
      'data',
      'b.onnx',
      '--roi',
      '--steps=9',
      'c',
      '--seed',
      '3',
      '--',
      '-x',
    ];
    expect(optionWords(scan, words.slice(1))).toEqual([
      '--data',
      'data',
      '--roi',
      '--steps=9',
      '--seed',
      '3',
    ]);
  });

  it('names its run folder', () => {
    expect(modelCommand('b.onnx', 'out/b', ['--out', 'out', '--resume', '--seed', '3'])).toEqual([
      'scan',
      'b.onnx',
      '--seed',
      '3',
      '--out',
      'out/b',
    ]);
  });
});

describe('the folder of a batch', () => {
  const root = mkdtempSync(join(tmpdir(), 'nc-batch-folder-'));
  afterAll(() => rmSync(root, { recursive: true }));
  const { batch } = sampleBatch();
  const { config } = batch;
  const path = join(root, 'batch');
  const error = (code: string, message: RegExp) =>
    expect.objectContaining({ code, message: expect.stringMatching(message) });

  it('takes a new batch, and goes on only if asked to', async () => {
    const first = await BatchFolder.open(path, { resume: false, config });
    expect(first.isNew).toBe(true);
    await expect(BatchFolder.open(path, { resume: true, config })).rejects.toEqual(
      error('RUN_BUSY', /in use by process/),
    );
    await first.write({ 'batch.json': JSON.stringify(batch) });
    await first.close();
    await expect(BatchFolder.open(path, { resume: false, config })).rejects.toEqual(
      error('RUN_EXISTS', /holds a batch\. .*--resume/),
    );
    const again = await BatchFolder.open(path, { resume: true, config });
    expect(again.isNew).toBe(false);
    await again.close();
  });

  it('refuses other options, and names them', async () => {
    const other = { ...config, settings: { ...config.settings, batch: 99 } };
    await expect(BatchFolder.open(path, { resume: true, config: other })).rejects.toEqual(
      error('RUN_MISMATCH', /its settings\.batch is 8, and now it is 99\./),
    );
  });

  it('leaves folders alone that hold something else, or a damaged batch', async () => {
    mkdirSync(join(root, 'other'));
    writeFileSync(join(root, 'other/x.npy'), '');
    await expect(BatchFolder.open(join(root, 'other'), { resume: true, config })).rejects.toEqual(
      error('RUN_EXISTS', /other files, and no batch/),
    );
    expect(readdirSync(join(root, 'other'))).toEqual(['x.npy']);
    writeFileSync(join(path, 'batch.json'), '{"schemaVersion": 1');
    await expect(BatchFolder.open(path, { resume: true, config })).rejects.toEqual(
      error('RUN_CORRUPT', /batch\.json is not the result of a batch/),
    );
    await expect(BatchFolder.open(join(path, 'batch.json', 'x'), { resume: true, config })).rejects.toEqual(
      error('RUN_NOT_WRITTEN', /ENOTDIR/),
    );
  });
});

describe('the models of a batch', () => {
  it('are those in folders, by name and without folders in them, each once', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nc-models-'));
    try {
      const names = [
        'b.keras',
        'B.ONNX',
        'a.onnx',
        'c.h5',
        'model.json',
        'truth.json',
        'a.onnx.data',
        '.x.onnx',
      ];
      for (const name of names) writeFileSync(join(folder, name), '');
      mkdirSync(join(folder, 'deep.onnx'));
      const found = await modelPaths([join(folder, 'c.h5'), folder, 'missing.onnx', `${folder}/./a.onnx`]);
      expect(found.map((path) => path.replace(folder, '').slice(path.startsWith(folder) ? 1 : 0))).toEqual([
        'c.h5',
        'B.ONNX',
        'a.onnx',
        'b.keras',
        'model.json',
        'missing.onnx',
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('are missed where a folder has none', async () => {
    await expect(modelPaths(['src/cli'])).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
      message: expect.stringContaining('The folder "src/cli" holds no model. '),
    });
  });

  it('are a batch if there are several, or a folder is given', async () => {
    expect(await isBatch(['samples/digits.onnx'])).toBe(false);
    expect(await isBatch(['missing.onnx'])).toBe(false);
    expect(await isBatch(['samples'])).toBe(true);
    expect(await isBatch(['missing.onnx', 'samples/digits.onnx'])).toBe(true);
  });

  it('give the folder its name: the same for the same arguments, however they are written', () => {
    const name = batchFolderName(['models', 'other/x.onnx'], 3);
    expect(name).toMatch(/^batch-[0-9a-f]{8}-3$/);
    expect(batchFolderName(['./other/../other/x.onnx', 'models/', 'models'], 3)).toBe(name);
    expect(batchFolderName(['models'], 3)).not.toBe(name);
  });
});

it('opens images once for models of one shape in a row', async () => {
  const shape = (classes: number, height = 8): Classifier =>
    ({ classes, input: { height, width: 8, channels: 1 } }) as Classifier;
  const opened: number[] = [];
  const { openImages } = keepingImages({
    openImages: async ({ classes }: Classifier) => {
      opened.push(classes);
      return { sha256: String(classes) } as ScanImages;
    },
  } as ScanSetup);
  for (const [classes, height] of [[10], [10], [43], [43, 9], [43, 9], [10]] as const) {
    expect((await openImages(shape(classes, height))).sha256).toBe(String(classes));
  }
  expect(opened).toEqual([10, 43, 43, 10]);
});

import { describe, expect, it } from 'vitest';
import { writeNpy } from '../../src/data/npy.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { collectReport } from '../../src/report/html/collect.ts';
import { detailedLabels, fullGallery, maxDetails } from '../../src/report/html/content.ts';
import { filesOf, headerOf, recordOf, sampleReport, unfinishedReport } from './html-sample.ts';
import { ordinaryNorms, sampleResult, stoppedResult } from './sample.ts';

describe('the report of a finished scan', () => {
  it('has all labels by size, and closely those that are flagged', async () => {
    const { labels, details, outliers, result } = await sampleReport();
    expect(labels).toHaveLength(43);
    expect(labels[0]).toMatchObject({ label: 33, l1: 6, level: 'backdoored' });
    expect(labels.slice(1).every(({ level }) => level === undefined)).toBe(true);
    expect(labels.every(({ mask, fusion }) => mask && fusion)).toBe(true);
    expect(outliers).toBe(result.outliers);
    expect(details).toHaveLength(1);
    expect(details[0]!.label).toBe(labels[0]);
    expect(details[0]!.pictures!.pattern).toMatchObject({ height: 32, width: 32 });
    expect(details[0]!.curve!.step).toHaveLength(50);
    expect(details[0]!.examples).toHaveLength(2);
  });

  it('shows of very many labels the fusions of the smallest masks only', async () => {
    const norms = Array.from({ length: fullGallery + 20 }, (_, label) => 50 + ((label * 17) % 43));
    const { labels } = await sampleReport({ norms, edge: 8 });
    expect(labels.map(({ fusion }) => fusion !== undefined)).toEqual(
      norms.map((_, rank) => rank < fullGallery),
    );
    expect(labels.every(({ mask }) => mask)).toBe(true);
  });

  it('goes without pictures that are no longer there', async () => {
    const content = await collectReport({ result: sampleResult(), read: async () => undefined });
    expect(content!.labels.every(({ mask, fusion }) => !mask && !fusion)).toBe(true);
    expect(content!.details).toMatchObject([{ pictures: undefined, curve: undefined, examples: [] }]);
  });

  it('has no labels if the preflight stopped the scan', async () => {
    const result = stoppedResult();
    const content = await collectReport({ result, read: async () => undefined });
    expect(content).toMatchObject({ result, labels: [], details: [], outliers: null });
  });

  it('reads no file outside of the run', async () => {
    const asked: string[] = [];
    const result = sampleResult();
    const files = [
      '../secret_mask_label_33.npy',
      '/etc/x_mask_label_33.npy',
      String.raw`..\x_pattern_label_33.npy`,
      'labels.jsonl',
    ];
    await collectReport({
      result: { ...result, labels: result.labels.map((label) => ({ ...label, files })) },
      read: async (name) => {
        asked.push(name);
        return undefined;
      },
    });
    expect(asked).toEqual([]);
  });

  it('names what is wrong with a damaged trigger', async () => {
    const result = sampleResult();
    const labels = result.labels.map((label) => ({ ...label, files: filesOf(label.label) }));
    const sources = (bytes: Uint8Array) => ({ result: { ...result, labels }, read: async () => bytes });
    await expect(collectReport(sources(new Uint8Array(9)))).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
    const tooLarge = writeNpy(float32([2, 2], Float32Array.of(0, 1, 2, 3)));
    await expect(collectReport(sources(tooLarge))).rejects.toMatchObject({ code: 'TRIGGER_INVALID' });
  });
});

describe('the report of an unfinished scan', () => {
  it('has preliminary figures of the labels that are known', async () => {
    const { run, result, labels, outliers } = await unfinishedReport(12);
    expect(result).toBeUndefined();
    expect(labels).toHaveLength(12);
    expect(labels.every(({ mask, level }) => mask && level === undefined)).toBe(true);
    expect(outliers).toMatchObject({ finished: 12, flagged: [] });
    expect(run.config).toEqual(sampleResult().config);
    expect(run.model).toEqual({ sha256: 'ab'.repeat(32), input: sampleResult().model.input });
  });

  it('counts the better one of two starts', async () => {
    const result = sampleResult();
    const first = recordOf({ ...result.labels[3]!, start: 0, l1: 50, files: [] });
    const second = recordOf({ ...result.labels[3]!, start: 1, l1: 40, files: [] });
    const log = { header: headerOf(result), entries: [first, second], end: 0 };
    const content = await collectReport({ log, read: async () => undefined });
    expect(content!.labels).toMatchObject([{ label: 3, start: 1, l1: 40, anomalyIndex: null }]);
  });

  it('needs to know what was run', async () => {
    const log = { header: { ...headerOf(sampleResult()), seed: 'x' }, entries: [], end: 0 };
    await expect(collectReport({ log, read: async () => undefined })).rejects.toMatchObject({
      code: 'RUN_CORRUPT',
      message: expect.stringContaining('seed'),
    });
    expect(await collectReport({ read: async () => undefined })).toBeUndefined();
  });
});

describe('labels shown closely', () => {
  const labels = ordinaryNorms.map((l1, label) => ({ label, l1, status: 'reversed' as const }));

  it('are the flagged ones, up to a number', () => {
    const flagged = Array.from({ length: maxDetails + 3 }, (_, i) => 2 * i);
    expect(detailedLabels({ labels, flagged })).toEqual(flagged.slice(0, maxDetails));
  });

  it('are the one with the smallest mask if none is flagged', () => {
    const smallest = ordinaryNorms.indexOf(Math.min(...ordinaryNorms));
    expect(detailedLabels({ labels, flagged: [] })).toEqual([smallest]);
    const censored = labels.map((label) => ({ ...label, status: 'censored' as const }));
    expect(detailedLabels({ labels: censored, flagged: [] })).toEqual([]);
    expect(detailedLabels({ labels: [], flagged: [] })).toEqual([]);
  });
});

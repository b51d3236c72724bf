import { createHash } from 'node:crypto';
import { h } from 'preact';
import { renderToString } from 'preact-render-to-string';
import { describe, expect, it } from 'vitest';
import { verdicts } from '../../src/detect/verdict.ts';
import { collectReport } from '../../src/report/html/collect.ts';
import type { FinishedReport } from '../../src/report/html/content.ts';
import { MitigationTable } from '../../src/report/html/mitigation.tsx';
import { downloadScript, downloadScriptHash, renderPage } from '../../src/report/html/page.tsx';
import { linearScale, logScale } from '../../src/report/html/plot.tsx';
import { notProven } from '../../src/report/text.ts';
import { sampleReport, unfinishedReport } from './html-sample.ts';
import { sampleRepair } from './repair-sample.ts';
import { ordinaryNorms, sampleResult, stoppedResult } from './sample.ts';

/** What a reader sees: no markup, and single spaces. */
const textOf = (page: string): string =>
  page
    .replace(/<(style|script)\b.*?<\/\1>/gs, ' ')
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&amp;', '&')
    .replace(/\s+/g, ' ');

/** The result that a page embeds. */
const embedded = (page: string): unknown =>
  JSON.parse(/<script id="scan" type="application\/json">(.*?)<\/script>/s.exec(page)![1]!);

describe('the page of a backdoored model', async () => {
  const report = await sampleReport();
  const page = renderPage(report);
  const text = textOf(page);

  it('says what was found, how sure that is, and what it does not prove', () => {
    expect(text).toContain('▲ Backdoored');
    expect(text).toMatch(
      /A patch of 6\.0 pixels, 0\.0\d of the usual size, turns images of other classes into label 33\./,
    );
    for (const reason of report.result.reasons) expect(text).toContain(reason);
    expect(text).toContain(notProven.backdoored);
    expect(text).toContain('neural-cleanse scan models/signs.onnx --data signs.h5 --seed 8 --first-label 33');
  });

  it('shows the flagged label closely: pictures, examples, curves', () => {
    for (const kind of ['Mask', 'Pattern', 'Fusion']) {
      expect(page.includes(`alt="${kind} of the trigger of label 33"`)).toBe(true);
    }
    expect(text).toMatch(/shows 2 read as 2 90\.0 % stamped 33 75\.0 % turned/);
    expect(text).toMatch(/shows 2 read as 2 90\.0 % stamped 2 75\.0 % not turned/);
    for (const title of [
      'Loss (cross entropy)',
      'Attack success rate',
      'Norm of the mask',
      'λ, weight of the norm',
    ]) {
      expect(text).toContain(`${title} over 50 steps`);
    }
  });

  it('draws the index of every label against the threshold, largest first', () => {
    const rows = [...page.matchAll(/<td class="bar">.*?<td class="number">([^<]*)</gs)].map(([, index]) =>
      Number(index!.replace('−', '-')),
    );
    expect(rows).toHaveLength(43);
    expect(rows).toEqual(rows.toSorted((a, b) => b - a));
    expect(text).toContain(`flagged from ${report.outliers!.threshold!.toFixed(2)}`);
  });

  it('has a picture of every label, and the figures of every chart as a table', () => {
    expect(page.match(/alt="Mask of label \d+"/g)).toHaveLength(43);
    expect(text).toContain('Table of 43 labels');
    const captions = [...page.matchAll(/<caption>(.*?)<\/caption>/g)].map(([, caption]) => caption);
    expect(captions).toEqual([
      'Inversion of label 33, 12 of its 50 steps',
      expect.stringContaining('Anomaly index by label'),
      'Labels by L1 norm of their mask',
      'All labels, smallest mask first',
      expect.stringContaining('Ways to prepare 20 clean images'),
      expect.stringContaining('Operators of the model'),
    ]);
  });

  it('says what the model is and how to get the result again', () => {
    for (const fact of [
      'ab'.repeat(32),
      'cd'.repeat(32),
      'ONNX, operator set 21',
      '123,456',
      'neural-cleanse 1.2.3, onnxruntime 1.30.0, node 20.19.0',
      'Processor 3000, 2 cores, 16 GiB, Linux 6',
      'neural-cleanse scan models/signs.onnx --data signs.h5',
    ]) {
      expect(text).toContain(fact);
    }
  });

  it('embeds the result', () => {
    expect(embedded(page)).toEqual(report.result);
  });

  it('runs one script, known by its hash, and asks nothing of the network', () => {
    expect(createHash('sha256').update(downloadScript).digest('base64')).toBe(downloadScriptHash);
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)![1]!;
    expect(policy).toContain("default-src 'none'; ");
    expect(policy).toContain(`script-src 'sha256-${downloadScriptHash}'; `);
    expect(page.includes(`<script>${downloadScript}</script>`)).toBe(true);
    const addresses = [...page.matchAll(/\s(?:src|href|action|poster)="([^"]*)"/g)].map(([, url]) => url!);
    expect(addresses.filter((url) => !url.startsWith('data:') && !url.startsWith('#'))).toEqual([]);
    expect(/@import|url\(/.test(page)).toBe(false);
  });
});

describe('every verdict', () => {
  it.each(verdicts)('%s has a page with a title and its limits', async (verdict) => {
    const report = await sampleReport({ edge: 4 });
    const changed: FinishedReport = { ...report, result: { ...report.result, verdict } };
    const text = textOf(renderPage(changed));
    expect(text).toContain(notProven[verdict]);
  });

  it('none found: the smallest mask is shown all the same', async () => {
    const text = textOf(renderPage(await sampleReport({ norms: ordinaryNorms, edge: 4 })));
    expect(text).toContain('● No patch backdoor found');
    expect(text).toContain('None of the 43 labels that were scanned');
    expect(text).toContain('The smallest mask No label is flagged.');
    expect(text).toContain('Not flagged');
  });

  it('inconclusive before any label was scanned: no charts, but the preflight', async () => {
    const content = await collectReport({ result: stoppedResult(), read: async () => undefined });
    const text = textOf(renderPage(content!));
    expect(text).toContain('? Inconclusive');
    expect(text).toContain('Problem: The model guesses.');
    expect(text).not.toContain('Anomaly index by label');
  });

  it('censored labels have no index and no bar', async () => {
    const norms = ordinaryNorms.with(4, null as never);
    const text = textOf(renderPage(await sampleReport({ norms, edge: 4 })));
    expect(text).toContain('1 label without an index: the ASR threshold was never reached.');
    expect(text).toMatch(/4 ASR threshold not reached/);
  });

  it('few labels cannot be compared', async () => {
    const text = textOf(renderPage(await sampleReport({ norms: [50, 60, 70], edge: 4, classes: 3 })));
    expect(text).toContain('There is no anomaly index');
    expect(text).toContain('Sizes of the masks');
  });
});

it('an unfinished scan has a page that says so', async () => {
  const page = renderPage(await unfinishedReport(12));
  const text = textOf(page);
  expect(text).toContain('… Unfinished');
  expect(text).toContain('12 of 43 labels have a result so far. There is no verdict yet');
  expect(text).toContain('Go on with the same scan by adding --resume');
  expect(page.includes('<script')).toBe(false);
  expect(textOf(renderPage(await unfinishedReport(0)))).toContain('0 of 43 labels');
});

describe('text from files', () => {
  const hostile = `</script><script>alert(1)</script><img src=x onerror="alert(2)">'"&\u202e\u0007<!--`;

  it('is text and nothing else, wherever it stands', async () => {
    const classNames = Array.from({ length: 43 }, () => hostile);
    const report = await sampleReport({ classNames, command: ['scan', hostile], model: hostile, edge: 4 });
    const { result } = report;
    const everywhere: FinishedReport = {
      ...report,
      result: {
        ...result,
        model: { ...result.model, name: hostile },
        data: { ...result.data, source: hostile },
        preprocess: { ...result.preprocess, name: hostile },
        preflight: { ...result.preflight, warnings: [hostile], problems: [hostile] },
        reasons: [hostile],
        failed: [{ label: 1, start: 0, code: hostile, message: hostile }],
        environment: { ...result.environment, notices: [hostile], platform: hostile },
      },
    };
    const page = renderPage({ ...everywhere, run: everywhere.result });
    // One block of data and one script, whatever the names hold.
    expect(page.match(/<script/g)).toHaveLength(2);
    expect(page.match(/<\/script/g)).toHaveLength(2);
    for (const forbidden of ['<img src=x', '<!--', '\u0007']) expect(page.includes(forbidden)).toBe(false);
    expect(embedded(page)).toEqual(everywhere.result);
    // It is there to be read, and cannot turn what stands beside it around.
    expect(textOf(page)).toContain('<script>alert(1)</script>');
    expect(page.includes('<bdi class="name">&lt;/script>')).toBe(true);
  });
});

it('shows what a repair has changed', async () => {
  const mitigation = sampleRepair();
  const table = textOf(renderToString(h(MitigationTable, { mitigation })));
  expect(table).toContain('Clean accuracy 96.0 % [94.6, 97.0] 95.1 % [93.6, 96.3] −0.9 points 96.5 %');
  expect(table).toContain('ASR of the reversed trigger of label 33, round 1 100.0 %');
  expect(table).toContain('33 18.0 (0.20 of the usual) 81.0 (0.90 of the usual) 5.10 0.30 as others');
  const report = await sampleReport({ edge: 4 });
  expect(textOf(renderPage(report))).not.toContain('Repair');
  expect(textOf(renderPage({ ...report, mitigation }))).toContain('Repair');
});

it('a run of before there were examples and model cards has a page, too', async () => {
  const content = await collectReport({ result: sampleResult(), read: async () => undefined });
  const text = textOf(renderPage(content!));
  expect(text).toContain('This run kept no model card.');
  expect(text).toContain('The run folder no longer holds the arrays of this trigger.');
});

describe('axes', () => {
  it('have a few round ticks', () => {
    expect(linearScale(0, 266).ticks).toEqual([0, 100, 200]);
    expect(linearScale(0, 1).ticks).toEqual([0, 0.5, 1]);
    expect(linearScale(0, 0.026).ticks).toEqual([0, 0.01, 0.02]);
    expect(linearScale(5, 5).ticks).toContain(5);
    expect(logScale(8, 150).ticks).toEqual([10, 20, 50, 100]);
    expect(logScale(0.01, 1000).ticks).toEqual([0.01, 0.1, 1, 10, 100, 1000]);
  });

  it('place their ends at 0 and 1', () => {
    for (const scale of [linearScale(2, 7), logScale(2, 7)]) {
      expect(scale.at(2)).toBeCloseTo(0);
      expect(scale.at(7)).toBeCloseTo(1);
    }
    expect(logScale(1, 100).at(10)).toBeCloseTo(0.5);
  });
});

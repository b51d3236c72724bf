import { describe, expect, it } from 'vitest';
import { renderBatch } from '../../src/report/batch-formats.ts';
import { outcomeLimits } from '../../src/report/batch-words.ts';
import { brokenModel, sampleBatch, sampleResults } from './batch-sample.ts';
import { ordinaryNorms, sampleResult } from './sample.ts';

const page = renderBatch('html', sampleBatch());
const rowsOf = (html: string): string[] =>
  /<tbody>(.*?)<\/tbody>/s.exec(html)![1]!.split('</tr>').slice(0, -1);
const textOf = (html: string): string =>
  html
    .replace(/<style>.*?<\/style>/gs, ' ')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ');

describe('the index of a batch', () => {
  it('lists the models by risk, with links to their reports', () => {
    expect(rowsOf(page).map((row) => / href="([^"]*)"/.exec(row)?.[1])).toEqual([
      'infected-abababab-7/report.html',
      'suspicious-abababab-7/report.html',
      'stopped-abababab-7/report.html',
      undefined,
      'ordinary-abababab-7/report.html',
    ]);
    expect(
      rowsOf(page).map((row) =>
        textOf(row)
          .replace(/^.*\.onnx /, '')
          .trim(),
      ),
    ).toEqual([
      '▲ Backdoored 33 6.0 71.0 10.98 &lt; 0.0001 96.0 %',
      '◆ Suspicious 12 24.0 70.0 4.68 0.0041 96.0 %',
      '? Inconclusive n/a n/a n/a n/a 2.0 %',
      '✕ Failed',
      '● No patch backdoor found 0 50.0 71.0 1.56 0.91 96.0 %',
    ]);
  });

  it('has the worst for its title, and says what each outcome does not prove', () => {
    expect(page).toContain('<title>Backdoored: 1 of 5 models (neural-cleanse)</title>');
    for (const outcome of ['backdoored', 'failed', 'no-patch-backdoor-found'] as const)
      expect(textOf(page)).toContain(outcomeLimits[outcome]);
    expect(textOf(page)).not.toContain(outcomeLimits.pending);
    expect(textOf(page)).toContain(`OPERATOR_UNSUPPORTED : ${brokenModel.message.replaceAll('"', '&quot;')}`);

    const negative = renderBatch(
      'html',
      sampleBatch({ results: { 'a.onnx': sampleResult({ norms: ordinaryNorms }) }, others: [] }),
    );
    expect(negative).toContain('<title>No patch backdoor found in 1 model (neural-cleanse)</title>');
    expect(negative).toContain('class="verdict no-patch-backdoor-found"');
  });

  it('shows that a batch was stopped', () => {
    const stopped = renderBatch(
      'html',
      sampleBatch({ results: {}, others: [{ status: 'pending', path: 'a.onnx' }] }),
    );
    expect(stopped).toContain('<title>Not scanned yet: 1 of 1 model (neural-cleanse)</title>');
    expect(textOf(rowsOf(stopped)[0]!)).toContain('… Not scanned yet');
  });

  it('runs no script, and shows names as text', () => {
    const name = `<script>alert(1)</script>"&.onnx`;
    const hostile = renderBatch('html', sampleBatch({ results: { [name]: sampleResult() } }));
    expect(hostile).not.toContain('<script');
    expect(hostile).toContain('<bdi>&lt;script>alert(1)&lt;/script>&quot;&amp;.onnx</bdi>');
    expect(hostile).toMatch(/Content-Security-Policy" content="default-src 'none'; img-src data:; style-src/);
    expect(hostile).not.toContain('script-src');
  });

  it('links to folders whose names mean something in a URL', () => {
    const results = { 'a b#c?d%.onnx': sampleResults['models/infected.onnx']! };
    expect(renderBatch('html', sampleBatch({ results }))).toContain(
      'href="a%20b%23c%3Fd%25-abababab-7/report.html"',
    );
  });
});

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReportContent } from '../../src/report/html/content.ts';
import { renderPage } from '../../src/report/html/page.tsx';
import { renderJson } from '../../src/report/json.ts';
import { sampleReport, unfinishedReport } from '../report/html-sample.ts';
import { sampleRepair } from '../report/repair-sample.ts';
import { ordinaryNorms } from '../report/sample.ts';
import { seriousViolations, views } from '../support/axe.ts';
import { launchChromium, type OpenPage, openPage } from '../support/browser.ts';

const folder = mkdtempSync(join(tmpdir(), 'nc-report-'));
let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Saves a report and opens it as a person does, from the disk. */
async function open(name: string, content: ReportContent): Promise<OpenPage & { readonly path: string }> {
  const path = join(folder, `${name}.html`);
  writeFileSync(path, renderPage(content));
  return { ...(await openPage(browser, pathToFileURL(path).href)), path };
}

function expectQuiet({ problems, requests }: OpenPage): void {
  expect(problems).toEqual([]);
  expect(requests.filter((url) => !url.startsWith('data:'))).toHaveLength(1);
}

describe('a report', () => {
  it.each(views)(
    'is accessible at a width of $width pixels, $colorScheme',
    async ({ colorScheme, ...size }) => {
      const classNames = ordinaryNorms.map((_, label) => `sign ${label}`);
      const mitigation = sampleRepair();
      const opened = await open('report', { ...(await sampleReport({ classNames })), mitigation });
      const { page } = opened;
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme });
      expect(await seriousViolations(page)).toEqual([]);
      // Nothing but wide tables scrolls sideways.
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(size.width);
      expectQuiet(opened);
      await page.close();
    },
  );

  it('is accessible while the scan is unfinished', async () => {
    const opened = await open('unfinished', await unfinishedReport(12));
    expect(await seriousViolations(opened.page)).toEqual([]);
    expectQuiet(opened);
    await opened.page.close();
  });

  it('offers the result as a file, by the keyboard too', async () => {
    const report = await sampleReport();
    const opened = await open('download', report);
    const button = opened.page.getByRole('button', { name: 'Save scan.json' });
    await button.focus();
    const [download] = await Promise.all([
      opened.page.waitForEvent('download'),
      opened.page.keyboard.press('Enter'),
    ]);
    expect(download.suggestedFilename()).toBe('scan.json');
    expect(readFileSync(await download.path(), 'utf8')).toBe(renderJson(report.result));
    expect(opened.problems).toEqual([]);
    await opened.page.close();
  });

  it('shows names as text and runs nothing in them', async () => {
    const name = `</script><script>document.title = 'run'</script><img src=x onerror="document.title = 'run'">`;
    const opened = await open('hostile', await sampleReport({ classNames: ordinaryNorms.map(() => name) }));
    expect(await opened.page.title()).toBe('Backdoored: signs.onnx (neural-cleanse)');
    expect(await opened.page.getByRole('heading', { name: 'Label 33' }).textContent()).toContain(name);
    expectQuiet(opened);
    await opened.page.close();
  });

  it('shows pictures pixel by pixel, and all of them decode', async () => {
    const { page } = await open('pictures', await sampleReport());
    await page.addStyleTag({ content: '.gallery li { content-visibility: visible !important }' });
    const images = await page.evaluate<[number, number, string][]>(
      `Promise.all([...document.images].map(async (image) => {
        await image.decode();
        return [image.naturalWidth, image.naturalHeight, getComputedStyle(image).imageRendering];
      }))`,
    );
    // Mask and fusion of all labels; three large ones; two examples, before and after.
    expect(images).toHaveLength(2 * 43 + 3 + 4);
    expect(
      images.every(([width, height, rendering]) => width > 0 && height > 0 && rendering === 'pixelated'),
    ).toBe(true);
    await page.close();
  });
});

it('of a thousand labels is a file of less than 15 MB that opens', { timeout: 180_000 }, async () => {
  const norms = Array.from({ length: 1000 }, (_, label) =>
    label % 100 === 33 ? 1 + label / 1000 : 500 + ((label * 97) % 400),
  );
  const classNames = norms.map((_, label) => `a class with a rather long name, number ${label}`);
  const opened = await open('thousand', await sampleReport({ norms, classNames, classes: 1000, edge: 48 }));
  expect(statSync(opened.path).size).toBeLessThan(15e6);
  expect(await opened.page.locator('.gallery li').count()).toBe(1000);
  expect(await opened.page.locator('article.detail').count()).toBe(8);
  expect(await opened.page.getByText('fusions are shown for the 100 smallest masks only').count()).toBe(1);
  expectQuiet(opened);
  await opened.page.close();
});

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderBatch } from '../../src/report/batch-formats.ts';
import { renderPage } from '../../src/report/html/page.tsx';
import { sampleBatch } from '../report/batch-sample.ts';
import { sampleReport } from '../report/html-sample.ts';
import { seriousViolations, views } from '../support/axe.ts';
import { launchChromium, openPage } from '../support/browser.ts';

const folder = mkdtempSync(join(tmpdir(), 'nc-batch-'));
const index = join(folder, 'index.html');
let browser: Browser;
beforeAll(async () => {
  writeFileSync(index, renderBatch('html', sampleBatch()));
  mkdirSync(join(folder, 'infected-abababab-7'));
  writeFileSync(join(folder, 'infected-abababab-7/report.html'), renderPage(await sampleReport()));
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('the index of a batch', () => {
  it.each(views)(
    'is accessible at a width of $width pixels, $colorScheme, and asks nothing of the network',
    async ({ colorScheme, ...size }) => {
      const { page, problems, requests } = await openPage(browser, pathToFileURL(index).href);
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme });
      expect(await seriousViolations(page)).toEqual([]);
      // Nothing but the table scrolls sideways.
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(size.width);
      expect(problems).toEqual([]);
      expect(requests.filter((url) => !url.startsWith('data:'))).toHaveLength(1);
      await page.close();
    },
  );

  it('leads to the report of a model, from the disk', async () => {
    const { page } = await openPage(browser, pathToFileURL(index).href);
    await page.getByRole('link', { name: 'models/infected.onnx' }).click();
    await page.getByRole('heading', { name: 'Backdoored', level: 1 }).waitFor();
    expect(page.url()).toBe(pathToFileURL(join(folder, 'infected-abababab-7/report.html')).href);
    await page.close();
  });
});

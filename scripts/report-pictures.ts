/**
 * Pictures of a report in Chromium: phone and desktop, light and dark, and on paper. Prints how soon it was there.
 *
 *   npx tsx scripts/report-pictures.ts REPORT.html OUT_FOLDER
 */

import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Page } from 'playwright-core';
import { chromiumPath, setup } from '../test/support/chromium.ts';

const [report, out] = process.argv.slice(2);
if (!report || !out) {
  console.error('Usage: npx tsx scripts/report-pictures.ts REPORT.html OUT_FOLDER');
  process.exit(4);
}
mkdirSync(out, { recursive: true });
setup();
const browser = await chromium.launch({
  executablePath: chromiumPath(),
  args: ['--no-sandbox', '--disable-gpu'],
});
try {
  for (const [device, width, height] of [
    ['phone', 390, 844],
    ['desktop', 1280, 800],
  ] as const) {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await browser.newPage({ viewport: { width, height }, colorScheme });
      await page.goto(pathToFileURL(resolve(report)).href);
      // Cards out of sight are not drawn otherwise.
      await page.addStyleTag({ content: '.gallery li { content-visibility: visible !important }' });
      await takePicture(page, join(out, `${device}-${colorScheme}.png`));
      await page.close();
    }
  }
  const page = await browser.newPage();
  await page.goto(pathToFileURL(resolve(report)).href);
  const times = await page.evaluate(
    `({ firstPaintMs: performance.getEntriesByName('first-contentful-paint')[0]?.startTime,
        loadEventMs: performance.getEntriesByType('navigation')[0].loadEventEnd })`,
  );
  console.log(JSON.stringify(times));
  await page.pdf({ path: join(out, 'paper.pdf'), format: 'A4' });
} finally {
  await browser.close();
}

/** On a busy machine Chromium now and then gives up on a long page. */
async function takePicture(page: Page, path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await page.screenshot({ path, fullPage: true });
      return;
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}

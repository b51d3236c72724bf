/**
 * Pictures of the web app for the README: its first screen, a scan, and the report, of the sample in a real browser.
 *
 *   npm run build && npx tsx scripts/screenshots.ts [OUT_FOLDER]
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { launchChromium, serve } from '../test/support/browser.ts';
import { setup } from '../test/support/chromium.ts';
import { type OpenApp, openApp } from '../test/support/web-app.ts';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const out = process.argv[2] ?? at('../docs/img');
mkdirSync(out, { recursive: true });
setup();
const site = await serve(at('../dist/web'), true);
const browser = await launchChromium();
try {
  for (const [device, width, height] of [
    ['desktop', 1280, 1000],
    ['phone', 390, 844],
  ] as const) {
    const open = await openApp(browser, site.url);
    await open.page.setViewportSize({ width, height });
    await open.button('Try the sample').click();
    await open.ready();
    await save(open, `app-${device}-check.png`);
    await open.button('Start the scan').click();
    // Late enough for masks to compare.
    await open.page.getByText(/^[6-9] of 10 labels$/).waitFor({ timeout: 180_000 });
    await open.page.locator('canvas').first().waitFor();
    await save(open, `app-${device}-scan.png`);
    await open.button('Save the run').waitFor({ timeout: 180_000 });
    await save(open, `app-${device}-report.png`);
    await open.page.close();
  }
} finally {
  await browser.close();
  await site.close();
}

/** With few colours, which these pictures have: a third of the size. */
async function save({ page }: OpenApp, name: string): Promise<void> {
  await page.evaluate('scrollTo(0, 0)');
  const picture = await page.screenshot();
  await sharp(picture).png({ palette: true, colours: 128, effort: 10 }).toFile(join(out, name));
}

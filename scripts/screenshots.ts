/**
 * Pictures for the README: what a scan of a sample prints in a terminal, and the web app's first screen, scan and report in a
 * real browser.
 *
 *   npm run build && npx tsx scripts/screenshots.ts [OUT_FOLDER]
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
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
  await terminal();
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
    await open.page.getByText(/^1[12] of \d+ inversions$/).waitFor({ timeout: 180_000 });
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

/** What `scan` prints of the digits, on a page that looks like a terminal. */
async function terminal(): Promise<void> {
  const run = mkdtempSync(join(tmpdir(), 'screenshots-'));
  const command = ['scan', 'samples/digits.onnx', '--data', 'samples/digits.npz', '--fail-on', 'never'];
  const printed = execFileSync(
    process.execPath,
    ['dist/cli/main.js', ...command, '--out', join(run, 'digits')],
    { cwd: at('..'), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  );
  rmSync(run, { recursive: true });
  const text = `$ neural-cleanse ${command.slice(0, 4).join(' ')}\n${printed.replaceAll(run, 'runs')}`;
  // As far as the verdict and its reasons.
  const [shown = ''] = text.split('\nWhat this does not prove');
  const page = await browser.newPage({ viewport: { width: 1000, height: 400 }, deviceScaleFactor: 1 });
  const style = 'margin:0;padding:20px 24px;background:#14181f;color:#d7dde6;font:15px/1.35 monospace';
  await page.setContent(`<body style="margin:0"><pre style="${style}"></pre></body>`);
  await page.evaluate(`document.querySelector('pre').textContent = ${JSON.stringify(shown)}`);
  await savePicture(await page.locator('pre').screenshot(), 'terminal.png');
  await page.close();
}

async function save({ page }: OpenApp, name: string): Promise<void> {
  await page.evaluate('scrollTo(0, 0)');
  await savePicture(await page.screenshot(), name);
}

/** With few colours, which these pictures have: a third of the size. */
async function savePicture(picture: Buffer, name: string): Promise<void> {
  await sharp(picture).png({ palette: true, colours: 128, effort: 10 }).toFile(join(out, name));
}

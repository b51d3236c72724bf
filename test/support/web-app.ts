/** The web app as its users meet it: built, served and open in a real browser. */

import { mkdtempSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Locator, Page } from 'playwright-core';
import { build } from 'vite';
import { type OpenPage, openPage } from './browser.ts';

/** @returns the folder of the result, which the caller deletes */
export async function buildApp(): Promise<string> {
  const outDir = mkdtempSync(join(tmpdir(), 'neural-cleanse-app-'));
  const configFile = fileURLToPath(new URL('../../web/vite.config.ts', import.meta.url));
  await build({ configFile, logLevel: 'error', build: { outDir } });
  return outDir;
}

export interface OpenApp extends OpenPage {
  readonly button: (name: string) => Locator;
  readonly heading: (name: string) => Locator;
  /** Gives files through a field's dialog. */
  give(field: 'Model' | 'Clean images', files: Parameters<Locator['setInputFiles']>[0]): Promise<void>;
  /** Gives a folder through the dialog for folders. */
  giveFolder(path: string): Promise<void>;
  /** Waits until a scan can start. */
  ready(): Promise<void>;
  /** Presses a button that saves a file. */
  saved(button: string): Promise<{ readonly name: string; readonly bytes: Buffer; readonly path: string }>;
}

export async function openApp(browser: Browser, url: string): Promise<OpenApp> {
  const open = await openPage(browser, url);
  const { page } = open;
  const button = (name: string): Locator => page.getByRole('button', { name, exact: true });
  return {
    ...open,
    button,
    heading: (name) => page.getByRole('heading', { name, exact: true }),
    give: (field, files) =>
      page
        .locator(`input[aria-label$="files: ${field}"], input[aria-label$="others: ${field}"]`)
        .setInputFiles(files),
    giveFolder: (path) => page.getByLabel('Choose a folder: Clean images').setInputFiles(path),
    ready: () => page.locator('button:enabled', { hasText: 'Start the scan' }).waitFor({ timeout: 120_000 }),
    async saved(name) {
      const [download] = await Promise.all([page.waitForEvent('download'), button(name).first().click()]);
      const path = await download.path();
      return { name: download.suggestedFilename(), bytes: readFileSync(path), path };
    },
  };
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe-core finds serious, with everything that can be opened open. */
export async function seriousViolations(page: Page): Promise<string[]> {
  await page.evaluate(`document.querySelectorAll('details').forEach((d) => { d.open = true; })`);
  await page.evaluate(axe);
  return page.evaluate<string[]>(`axe.run().then(({ violations }) =>
    violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ': ' + html.slice(0, 200))))`);
}

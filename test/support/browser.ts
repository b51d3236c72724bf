/** A page of our sources in a real browser: bundled by vite, served from this machine, opened in Chromium. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { build, preview } from 'vite';
import { chromiumPath } from './chromium.ts';

export interface Site {
  readonly url: string;
  close(): Promise<void>;
}

/** Bundles a folder that holds an index.html. @returns the folder of the result, which {@link removeBundle} deletes */
export async function bundle(root: string): Promise<string> {
  const outDir = mkdtempSync(join(tmpdir(), 'neural-cleanse-page-'));
  const options = { outDir, emptyOutDir: true, target: 'esnext', reportCompressedSize: false } as const;
  await build({ root, configFile: false, logLevel: 'error', build: options });
  return outDir;
}

export const removeBundle = (folder: string): void => rmSync(folder, { recursive: true, force: true });

/** Adds a file to a bundle, which a page can then fetch under its name. */
export function addFile(folder: string, name: string, content: Uint8Array): void {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** @param isolated whether to send the headers that make the page cross-origin isolated, which threads need */
export async function serve(folder: string, isolated: boolean): Promise<Site> {
  const headers: Record<string, string> = isolated
    ? { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }
    : {};
  const server = await preview({
    configFile: false,
    logLevel: 'warn',
    build: { outDir: folder },
    preview: { host: '127.0.0.1', port: 0, headers },
  });
  return { url: server.resolvedUrls!.local[0]!, close: () => server.close() };
}

/** Chromium with WebGPU in software, whatever GPU there is. */
export const launchChromium = (): Promise<Browser> =>
  chromium.launch({
    executablePath: chromiumPath(),
    args: ['--no-sandbox', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
  });

export interface OpenPage {
  readonly page: Page;
  /** Errors and warnings of the console, uncaught errors and failed requests; grows while the page is open. */
  readonly problems: readonly string[];
  /** Addresses of all that was fetched; grows likewise. */
  readonly requests: readonly string[];
}

export async function openPage(browser: Browser, url: string): Promise<OpenPage> {
  const page = await browser.newPage();
  const problems: string[] = [];
  const requests: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('requestfailed', (request) => problems.push(`${request.url()}: ${request.failure()?.errorText}`));
  await page.goto(url);
  return { page, problems, requests };
}

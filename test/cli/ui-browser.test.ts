import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RunFolder } from '../../src/data/run-folder.ts';
import { parseLabelRecord } from '../../src/report/label-record.ts';
import { headerOf, recordOf } from '../report/html-sample.ts';
import { sampleResult } from '../report/sample.ts';
import { launchChromium, openPage, removeBundle } from '../support/browser.ts';
import { buildApp } from '../support/web-app.ts';
import { buildProgram, type Program, type Started } from './program.ts';

const result = sampleResult();
const records = result.labels.map((label) => ({ ...recordOf(label), files: [] }));

let program: Program;
let folder: string;
let browser: Browser;
let server: Started;
let url: string;

beforeAll(async () => {
  program = await buildProgram();
  const app = await buildApp();
  cpSync(app, fileURLToPath(program.module('web')), { recursive: true });
  removeBundle(app);
  browser = await launchChromium();
  folder = mkdtempSync(join(tmpdir(), 'neural-cleanse-ui-browser-'));
  mkdirSync(join(folder, 'runs/finished'), { recursive: true });
  writeFileSync(join(folder, 'runs/finished/scan.json'), JSON.stringify(result));
  server = program.start(['ui', '--port', '0'], { cwd: folder });
  url = await new Promise((resolve) => {
    server.child.stdout!.once('data', (line: string) => resolve(line.trim()));
  });
});

afterAll(async () => {
  await browser.close();
  server.child.kill('SIGINT');
  expect((await server.finished).code).toBe(0);
  program.remove();
  rmSync(folder, { recursive: true, force: true });
});

it('shows the app, isolated, so that WebAssembly has threads', async () => {
  const { page, problems, requests } = await openPage(browser, url);
  await page.getByRole('heading', { level: 1 }).waitFor();
  expect(await page.evaluate('crossOriginIsolated')).toBe(true);
  expect(problems).toEqual([]);
  expect(requests.filter((request) => !request.startsWith(url) && !request.startsWith('data:'))).toEqual([]);
  await page.close();
});

it('opens a run and shows its report', async () => {
  const { page, problems } = await openPage(browser, url);
  await page.getByRole('button', { name: 'Open runs/finished' }).click();
  await page.getByRole('heading', { level: 1, name: 'Backdoored' }).waitFor();
  await page.getByText('Label 33').first().waitFor();
  await page.getByRole('button', { name: 'New scan' }).click();
  await page.getByRole('button', { name: 'Open runs/finished' }).waitFor();
  expect(problems).toEqual([]);
  await page.close();
});

it('watches a scan of another process until it ends', async () => {
  const run = await RunFolder.open(join(folder, 'runs/live'), {
    resume: false,
    parseEntry: parseLabelRecord,
  });
  await run.begin(headerOf(result));
  await run.append(records[4]!);
  const { page, problems } = await openPage(browser, url);
  await page.getByRole('button', { name: 'Watch runs/live' }).click();
  await page.getByRole('heading', { level: 1, name: 'Unfinished' }).waitFor();
  await page.getByText('1 of 43 labels').waitFor();
  await page.getByRole('status').waitFor();
  await run.append(records[2]!);
  await page.getByText('2 of 43 labels').waitFor();
  for (const record of records.filter(({ label }) => label !== 2 && label !== 4)) await run.append(record);
  await page.getByText('43 of 43 labels').waitFor();
  await run.write({ 'scan.json': JSON.stringify(result) });
  await run.close();
  await page.getByRole('heading', { level: 1, name: 'Backdoored' }).waitFor();
  await page.getByRole('status').waitFor({ state: 'detached' });
  // That the page hung up is noted as a failure.
  expect(problems.filter((problem) => !/events: net::ERR_ABORTED$/.test(problem))).toEqual([]);
  await page.close();
});

it('gives pages of other sites nothing', async () => {
  const { page } = await openPage(browser, 'data:text/html,<title>elsewhere</title>');
  const reached = await page.evaluate(
    `fetch(${JSON.stringify(`${url}api/runs`)}).then(() => true, () => false)`,
  );
  expect(reached).toBe(false);
  const opaque = await page.evaluate(
    `fetch(${JSON.stringify(`${url}api/runs`)}, { mode: 'no-cors' }).then(() => true, () => false)`,
  );
  expect(opaque).toBe(false);
  await page.close();
});

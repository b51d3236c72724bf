import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { unzipSync } from 'fflate';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readSavedReport } from '../../src/cli/saved-report.ts';
import { startUiServer } from '../../src/cli/ui-server.ts';
import type { ImageSet } from '../../src/data/dataset.ts';
import { openDataset } from '../../src/data/files.ts';
import { openModel } from '../../src/data/model-file.ts';
import { writeNpy } from '../../src/data/npy.ts';
import { encodePng } from '../../src/data/png.ts';
import { preprocessPresets } from '../../src/data/preprocess.ts';
import { digestOf } from '../../src/data/run-digest.ts';
import { RunFolder } from '../../src/data/run-folder.ts';
import type { RunHeader } from '../../src/data/run-log.ts';
import { sampleImages } from '../../src/data/sample.ts';
import type { Inversion } from '../../src/detect/inversion.ts';
import { invertTask } from '../../src/detect/invert-task.ts';
import { settingsFrom } from '../../src/detect/settings.ts';
import { prepareClassifier } from '../../src/model/classifier.ts';
import { parseLabelRecord } from '../../src/report/label-record.ts';
import { type ScanResult, scanResult } from '../../src/report/result.ts';
import { createInlinePool } from '../../src/runtime/inline-pool.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { launchChromium, removeBundle, type Site, serve } from '../support/browser.ts';
import { buildApp, type OpenApp, openApp, seriousViolations } from '../support/web-app.ts';

const sample = (name: string): string => fileURLToPath(new URL(`../../samples/${name}`, import.meta.url));
const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const scanTimeout = 300_000;

const folder = mkdtempSync(join(tmpdir(), 'nc-app-'));
const inFolder = (...parts: string[]): string => join(folder, ...parts);
let app: string;
let browser: Browser;
let site: Site;

beforeAll(async () => {
  app = await buildApp();
  site = await serve(app, true);
  browser = await launchChromium();
});
// A page that a failed test leaves would go on scanning beside the next one.
afterEach(async () => {
  for (const page of browser.contexts().flatMap((context) => context.pages())) await page.close();
});
afterAll(async () => {
  await browser?.close();
  await site?.close();
  removeBundle(app);
  rmSync(folder, { recursive: true, force: true });
});

function expectQuiet({ problems, requests }: OpenApp): void {
  expect(problems).toEqual([]);
  expect(requests.filter((url) => !url.startsWith(site.url) && !/^(data|blob):/.test(url))).toEqual([]);
}

const resultIn = (bytes: Buffer): ScanResult => scanResult.parse(JSON.parse(bytes.toString()));

const figuresOf = ({ labels }: ScanResult) =>
  labels.map(({ timings: _timings, anomalyIndex: _index, pValue: _p, ...figures }) => figures);

/** The zip archive of a run, unpacked as a person does. */
function unpack(bytes: Buffer): string {
  const files = Object.entries(unzipSync(bytes));
  for (const [path, content] of files) {
    mkdirSync(inFolder('runs', path, '..'), { recursive: true });
    writeFileSync(inFolder('runs', path), content);
  }
  return inFolder('runs', files[0]![0].split('/')[0]!);
}

async function scanSample(open: OpenApp, labels = ''): Promise<void> {
  await open.button('Try the sample').click();
  await open.ready();
  if (labels !== '') {
    await open.page.getByText('Options', { exact: true }).click();
    await open.page.getByLabel('Labels', { exact: true }).fill(labels);
  }
  await open.button('Start the scan').click();
}

const reportShown = (open: OpenApp): Promise<void> =>
  open.button('Save the run').waitFor({ timeout: scanTimeout });

/** The same inversions of the sample model, outside of a browser. */
async function invertInNode(
  images: ImageSet,
  {
    labels,
    steps,
  }: {
    readonly labels: readonly { readonly label: number; readonly start: number }[];
    readonly steps?: number;
  },
): Promise<Inversion[]> {
  const { model } = await openModel(sample('digits.onnx'));
  const settings = settingsFrom({ preset: 'fast', samples: 1000, ...(steps !== undefined && { steps }) });
  const pool = await createInlinePool(nodeRuntime, {
    provider: 'cpu',
    shared: {
      classifier: await prepareClassifier(nodeRuntime, model),
      images,
      preprocess: preprocessPresets.unit,
      settings,
      seed: 0,
    },
  });
  try {
    return await Promise.all(
      labels.map((which) =>
        pool.run(invertTask, { ...which, seed: 0, stage: which.start > 0 ? 'confined' : 'whole' }),
      ),
    );
  } finally {
    await pool.close();
  }
}

describe('the sample, scanned in the tab', () => {
  let whole: ScanResult;
  let saved: string;
  let zip: Buffer;

  it('ends with the report of the planted backdoor', { timeout: scanTimeout }, async () => {
    const open = await openApp(browser, site.url);
    const { page } = open;
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await seriousViolations(page)).toEqual([]);
    await scanSample(open);
    await page.locator('canvas').first().waitFor({ timeout: 60_000 });
    await page.getByText(/^[1-9] of 80 inversions$/).waitFor({ timeout: 60_000 });
    expect(await seriousViolations(page)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    await reportShown(open);
    await page.locator('h1', { hasText: 'Backdoored' }).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    expect(await seriousViolations(page)).toEqual([]);

    const archive = await open.saved('Save the run');
    zip = archive.bytes;
    expect(archive.name).toMatch(/^digits-[0-9a-f]{8}-0\.zip$/);
    saved = unpack(archive.bytes);
    whole = resultIn(readFileSync(join(saved, 'scan.json')));
    expect(resultIn((await open.saved('Save scan.json')).bytes)).toEqual(whole);
    expect((await open.saved('Save report.html')).bytes.toString()).toBe(
      readFileSync(join(saved, 'report.html'), 'utf8'),
    );
    expect(whole).toMatchObject({ verdict: 'backdoored', outliers: { flagged: [7] } });
    expectQuiet(open);
    // The page stays open: its kept run is what a later visit finds.
    await page.close();
  });

  it('finds the masks that Node finds', { timeout: scanTimeout }, async () => {
    const images = await openDataset(sample('digits.npz'));
    const labels = whole.labels
      .filter(({ status }) => status === 'reversed')
      .map(({ label, start }) => ({ label, start }));
    expect(labels.map(({ label }) => label)).toContain(7);
    for (const { label, l1, status } of await invertInNode(images, { labels })) {
      const here = whole.labels.find((found) => found.label === label)!;
      expect(here.status).toBe(status);
      expect(Math.abs(here.l1 / l1 - 1)).toBeLessThan(0.05);
    }
    expect(whole.model.sha256).toBe((await openModel(sample('digits.onnx'))).sha256);
    expect(whole.data.sha256).toBe(digestOf(images));
  });

  it('is saved as a run folder that the command line reads', async () => {
    expect(readdirSync(saved)).toEqual(
      expect.arrayContaining([
        'labels.jsonl',
        'report.html',
        'report.json',
        'scan.json',
        'gtsrb_visualize_mask_label_7.npy',
        'gtsrb_visualize_mask_label_7.png',
      ]),
    );
    expect((await readSavedReport(saved)).details[0]).toMatchObject({ label: { label: 7 } });
    const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
    const outliers = execFileSync(process.execPath, [
      '--import',
      import.meta.resolve('tsx'),
      main,
      'outliers',
      saved,
    ]);
    expect(outliers.toString()).toMatch(/flagged:\n {2}label 7: L1 1\d\./);
  });

  it('is listed and opened where the server has runs', async () => {
    const server = await startUiServer({ port: 0, app, folders: [inFolder('runs')] });
    const open = await openApp(browser, server.url);
    const { page } = open;
    const runs = page.locator('section', { has: open.heading('Runs on this machine') });
    expect(await runs.textContent()).toMatch(/digits-[0-9a-f]{8}-0.*digits\.onnx.*Backdoored/);
    expect(await seriousViolations(page)).toEqual([]);
    await runs.getByRole('button', { name: /^Open/ }).click();
    await page.getByRole('heading', { name: 'Label 7' }).waitFor();

    // As if another process scanned: the log grows, and the lock says that somebody writes it.
    const records = readFileSync(join(saved, 'labels.jsonl'), 'utf8').split('\n');
    const growing = await RunFolder.open(inFolder('runs', 'growing'), {
      resume: false,
      parseEntry: parseLabelRecord,
    });
    await growing.begin(JSON.parse(records[0]!) as RunHeader);
    await open.button('New scan').click();
    await runs.getByRole('button', { name: /^Watch/ }).click();
    await page.getByText('0 of 10 labels have a result').waitFor();
    await growing.append({ ...parseLabelRecord(JSON.parse(records[1]!)), files: [] });
    await page.getByText('1 of 10 labels have a result').waitFor();
    await growing.close();
    await page.getByText('Another process scans').waitFor({ state: 'detached' });
    // A browser calls it a failure that the page stops listening.
    expect(open.problems.filter((problem) => !problem.endsWith('/events: net::ERR_ABORTED'))).toEqual([]);
    await page.close();
    await server.close();
  });

  it('opens again from its zip archive and from scan.json', async () => {
    const open = await openApp(browser, site.url);
    const field = open.page.getByLabel('Open a saved run');
    await field.setInputFiles({ name: 'run.zip', mimeType: '', buffer: zip });
    await open.page.getByRole('heading', { name: 'Label 7' }).waitFor();
    expect(await open.page.getByAltText('Mask of the trigger of label 7').count()).toBe(1);
    await open.button('New scan').click();
    await field.setInputFiles(join(saved, 'scan.json'));
    await open.heading('Anomaly index by label').waitFor();
    await open.button('New scan').click();
    await field.setInputFiles(sample('digits.npz'));
    expect(await open.page.getByRole('alert').textContent()).toContain('digits.npz holds no saved run.');
    expectQuiet(open);
    await open.page.close();
  });

  it('goes on after a reload and ends with the same result', { timeout: scanTimeout }, async () => {
    const open = await openApp(browser, site.url);
    const { page } = open;
    await scanSample(open);
    await page.getByText(/^[2-9] of 80 inversions$/).waitFor({ timeout: 90_000 });

    // Nothing moves while it is paused.
    await open.button('Pause').click();
    await open.heading('Paused').waitFor();
    await page.waitForTimeout(300);
    const before = await page.locator('.running-labels .value').allTextContents();
    await page.waitForTimeout(1000);
    expect(await page.locator('.running-labels .value').allTextContents()).toEqual(before);
    await open.button('Continue').click();
    await open.heading('Scanning').waitFor();
    // On a busy machine the labels would otherwise be finished before the page is gone.
    await open.button('Pause').click();

    await page.reload();
    await open.heading('Unfinished scan').waitFor();
    expect(await page.locator('#kept').textContent()).toMatch(
      /digits\.onnx, started .*: (\d|10) of 10 labels finished\./,
    );
    await open.button('See what there is').click();
    await page.locator('h1', { hasText: 'Unfinished' }).waitFor();
    await open.button('New scan').click();
    await open.button('Go on').click();
    await page.getByText(/^([3-9]|1\d|2[0-5]) of 80 inversions$/).waitFor({ timeout: 90_000 });

    await open.button('Pause').click();
    await open.heading('Paused').waitFor();
    await open.button('Cancel').click();
    await open.heading('Unfinished scan').waitFor();
    await open.button('Go on').click();
    await reportShown(open);
    const result = resultIn((await open.saved('Save scan.json')).bytes);
    expect(figuresOf(result)).toEqual(figuresOf(whole));
    expect(result.timings.resumed).toBeGreaterThanOrEqual(3);

    await page.reload();
    await open.heading('Your last scan').waitFor();
    await open.button('Open its report').click();
    await open.button('Save the run').waitFor();
    await open.button('New scan').click();
    await open.button('Discard').click();
    await open.heading('Your last scan').waitFor({ state: 'detached' });
    await page.reload();
    await open.button('Try the sample').waitFor();
    expect(await page.locator('#kept').count()).toBe(0);
    expectQuiet(open);
    await page.close();
  });
});

describe('files as people have them', () => {
  it('scans a folder of images on WebGPU, with the keyboard alone', {
    timeout: 2 * scanTimeout,
  }, async () => {
    const images = sampleImages(await openDataset(sample('digits.npz')), 120, { seed: 5 });
    for (let i = 0; i < images.count; i++) {
      const data = (images.images as Uint8Array).slice(784 * i, 784 * (i + 1));
      const name = inFolder('digits', String(images.labels![i]), `${String(i).padStart(3, '0')}.png`);
      mkdirSync(join(name, '..'), { recursive: true });
      writeFileSync(name, encodePng({ height: 28, width: 28, channels: 1, data }));
    }
    const open = await openApp(browser, site.url);
    const { page } = open;
    await open.give('Model', sample('digits.onnx'));
    await open.giveFolder(inFolder('digits'));
    await open.ready();

    /** Goes on by Tab until the element with this text has the focus. */
    const tabTo = async (text: string, key = 'Tab'): Promise<void> => {
      for (let i = 0; i < 40; i++) {
        await page.keyboard.press(key);
        const at = await page.evaluate<string>(
          `document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent`,
        );
        if (at.startsWith(text)) return;
      }
      throw new Error(`"${text}" cannot be reached by the keyboard.`);
    };
    await tabTo('Options');
    await page.keyboard.press('Enter');
    // Software is slow: little is enough to see that the numbers are right.
    for (const [field, text] of Object.entries({ Labels: '2,7', Images: '20', Steps: '3' })) {
      await tabTo(field);
      await page.keyboard.press('Control+A');
      await page.keyboard.type(text);
    }
    await tabTo('Preprocessing');
    await page.keyboard.type('unit');
    await tabTo('Run on', 'Shift+Tab');
    await page.keyboard.press('ArrowDown');
    await page.getByText(/Preprocessing: unit\. Runs on WebGPU/).waitFor({ timeout: 120_000 });
    await tabTo('Start the scan');
    await page.keyboard.press('Enter');
    await page.getByRole('progressbar').waitFor({ timeout: 60_000 });
    await reportShown(open);

    const result = resultIn((await open.saved('Save scan.json')).bytes);
    const labels = [2, 7];
    expect(result).toMatchObject({ config: { provider: 'webgpu', labels }, data: { count: 20 } });
    const data = await openDataset(inFolder('digits'), { limit: 20, seed: 0 });
    expect(result.data.sha256).toBe(digestOf(data));
    for (const [i, { l1 }] of (
      await invertInNode(data, { labels: labels.map((label) => ({ label, start: 0 })), steps: 3 })
    ).entries()) {
      expect(Math.abs(result.labels[i]!.l1 / l1 - 1)).toBeLessThan(0.05);
    }
    expectQuiet(open);
    await page.close();
  });

  it('keeps what is being typed while the page is drawn again', async () => {
    const open = await openApp(browser, site.url);
    const { page } = open;
    await open.button('Try the sample').click();
    await open.ready();
    await page.getByText('Options', { exact: true }).click();
    await page.getByLabel('Seed').fill('3');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Control+A');
    await page.keyboard.press('4');
    // The new seed begins a check, and each of its stages draws the page.
    await open.ready();
    await page.keyboard.press('0');
    await page.keyboard.press('Tab');
    await open.ready();
    expect(await page.getByLabel('Seed').inputValue()).toBe('3');
    expect(await page.getByLabel('Images', { exact: true }).inputValue()).toBe('40');
    expectQuiet(open);
    await page.close();
  });

  it('takes files that are dropped anywhere on the page', async () => {
    const open = await openApp(browser, site.url);
    const files = ['digits.onnx', 'digits.npz'].map((name) => [
      name,
      readFileSync(sample(name)).toString('base64'),
    ]);
    await open.page.evaluate<void>(`(() => {
      const transfer = new DataTransfer();
      for (const [name, data] of ${JSON.stringify(files)}) {
        transfer.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name));
      }
      document.querySelector('h1').dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
    })()`);
    await open.ready();
    expect(await open.page.locator('#check').textContent()).toMatch(/recognises 9\d\.\d\s% of 512 images/);
    expectQuiet(open);
    await open.page.close();
  });

  it('reads Keras models, and asks for what they leave open', async () => {
    const open = await openApp(browser, site.url);
    const model = open.page.locator('section', { has: open.heading('Model') });
    await open.give('Model', fixture('keras/channels_last_1.2_h5.h5'));
    await model.getByText('9 × 8, colour').waitFor();
    await open.give('Model', fixture('keras/open_size_3.15_keras.keras'));
    expect(await model.getByRole('alert').textContent()).toContain('has the open shape');
    await open.page.getByText('Options', { exact: true }).click();
    await open.page.getByLabel('Image size').fill('24');
    await open.page.keyboard.press('Tab');
    await model.getByText('24 × 24').waitFor();
    expectQuiet(open);
    await open.page.close();
  });

  it('says in words what is wrong with files, and goes on', async () => {
    const open = await openApp(browser, site.url);
    const { page } = open;
    const alert = (): Promise<string | null> => page.getByRole('alert').textContent();
    const file = (name: string, buffer: Uint8Array) => ({ name, mimeType: '', buffer: Buffer.from(buffer) });
    const onnx = readFileSync(sample('digits.onnx'));

    await open.give('Model', file('notes.onnx', new TextEncoder().encode('no model at all')));
    expect(await alert()).toMatch(/MODEL_(NOT_ONNX|TRUNCATED|INVALID)/);
    await open.give('Model', file('digits.onnx', onnx.subarray(0, 1000)));
    await page.getByText('MODEL_TRUNCATED').waitFor();
    await open.give('Model', sample('digits.onnx'));
    await page.getByText('28 × 28, grey').waitFor();

    await open.give('Clean images', file('notes.txt', new TextEncoder().encode('no images')));
    expect(await alert()).toMatch(/notes\.txt is in no format that can be read here\..*DATA_FORMAT_UNKNOWN/);
    // Labels of another task.
    const images = writeNpy({ dtype: 'uint8', dims: [40, 28, 28], data: new Uint8Array(40 * 784) });
    const labels = writeNpy({
      dtype: 'uint8',
      dims: [40],
      data: Uint8Array.from({ length: 40 }, (_, i) => i),
    });
    await open.give('Clean images', [file('x.npy', images), file('y.npy', labels)]);
    await page.getByText('DATA_LABEL_RANGE').waitFor();
    // Right in form, and wrong.
    const noise = writeNpy({
      dtype: 'uint8',
      dims: [40, 28, 28],
      data: Uint8Array.from({ length: 40 * 784 }, (_, i) => (i * 7919) % 251),
    });
    const digits = writeNpy({
      dtype: 'uint8',
      dims: [40],
      data: Uint8Array.from({ length: 40 }, (_, i) => i % 10),
    });
    await open.give('Clean images', [file('x.npy', noise), file('y.npy', digits)]);
    await page.getByText('The scan would end without a verdict:').first().waitFor();
    await open.give('Clean images', sample('digits.npz'));
    await page.getByText(/recognises 9\d\.\d\s% of 512/).waitFor();
    await page.getByText('Options', { exact: true }).click();
    await page.getByLabel('Labels', { exact: true }).fill('3,12');
    await open.button('Start the scan').click();
    expect(await alert()).toContain('The model has no label 12.');
    expectQuiet(open);
    await page.close();
  });
});

describe('what the app is made of', () => {
  /** Sizes of the scripts, compressed, by what they are for. */
  const compressed = (pattern: RegExp): number =>
    readdirSync(join(app, 'assets'))
      .filter((name) => pattern.test(name))
      .reduce((sum, name) => sum + gzipSync(readFileSync(join(app, 'assets', name)), { level: 9 }).length, 0);

  it('is small: what a scan by WebAssembly loads, without ONNX Runtime itself', async () => {
    const open = await openApp(browser, site.url);
    await scanSample(open, '7');
    await reportShown(open);
    const loaded = new Set(
      open.requests.map((url) => new URL(url).pathname).filter((path) => path.endsWith('.js')),
    );
    const sizes = [...loaded, '/index.html'].map((path) => gzipSync(readFileSync(join(app, path))).length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(250_000);
    for (const part of ['index', 'worker', 'ort.wasm']) expect([...loaded].join(' ')).toContain(`/${part}`);
    expect([...loaded].join(' ')).not.toMatch(/hdf5|keras|parquet|webgpu/);
    expect(open.problems).toEqual([]);
    await open.page.close();
  });

  it('has whatever else it may need in files of its own', () => {
    expect(compressed(/^(hdf5|keras-file|parquet|ort\.webgpu).*\.js$/)).toBeGreaterThan(0);
    expect(readdirSync(join(app, 'assets')).filter((name) => name.endsWith('.wasm'))).toHaveLength(2);
  });
});

describe('what the app may do', () => {
  let other: Server;
  let received = 0;
  beforeAll(async () => {
    other = createServer((_, response) => {
      received++;
      response.setHeader('Access-Control-Allow-Origin', '*').end('received');
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    other.close();
  });

  it('sends nothing elsewhere, neither from the page nor from its worker', async () => {
    const open = await openApp(browser, site.url);
    await open.button('Try the sample').click();
    await open.ready();
    const address = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
    const attempt = `fetch(${JSON.stringify(address)}).then(() => 'sent', () => 'refused')`;
    expect(await open.page.evaluate(attempt)).toBe('refused');
    const worker = open.page.workers().find((one) => one.url().startsWith('blob:'))!;
    expect(await worker.evaluate(attempt)).toBe('refused');
    expect(
      await open.page.evaluate(`new Promise((resolve) => {
        const image = new Image();
        image.onload = () => resolve('sent');
        image.onerror = () => resolve('refused');
        image.src = ${JSON.stringify(address)};
      })`),
    ).toBe('refused');
    expect(received).toBe(0);
    await open.page.close();
  });

  it('is accessible before a scan, at any width, light and dark', async () => {
    const open = await openApp(browser, site.url);
    const { page } = open;
    await open.button('Try the sample').click();
    await open.ready();
    for (const width of [390, 1280]) {
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.setViewportSize({ width, height: 844 });
        await page.emulateMedia({ colorScheme });
        expect(await seriousViolations(page)).toEqual([]);
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
      }
    }
    expectQuiet(open);
    await page.close();
  });

  it('scans on one core where the server sends no headers for more', { timeout: scanTimeout }, async () => {
    const plain = await serve(app, false);
    const open = await openApp(browser, plain.url);
    await scanSample(open, '7');
    await reportShown(open);
    const result = resultIn((await open.saved('Save scan.json')).bytes);
    expect(result.environment.threads).toBe(1);
    expect(result.labels).toMatchObject([{ label: 7, status: 'reversed' }]);
    expect(open.problems).toEqual([]);
    await open.page.close();
    await plain.close();
  });
});

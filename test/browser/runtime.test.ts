import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileGradient } from '../../src/model/compile.ts';
import { canonicalModel } from '../../src/onnx/model.ts';
import { float32 } from '../../src/onnx/tensor.ts';
import { writeModel } from '../../src/onnx/write.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import type { Feeds, Fetches } from '../../src/runtime/session.ts';
import {
  addFile,
  bundle,
  launchChromium,
  type OpenPage,
  openPage,
  removeBundle,
  type Site,
  serve,
} from '../support/browser.ts';
import { largestDifference } from '../support/compare.ts';
import { smallNetworks } from '../support/small-networks.ts';
import type { GradientRequest, PageApi, PlainTensors } from './page/main.ts';

declare const api: PageApi;

let folder: string;
let browser: Browser;

beforeAll(async () => {
  folder = await bundle(fileURLToPath(new URL('./page', import.meta.url)));
  for (const [name, { graph }] of Object.entries(smallNetworks)) {
    addFile(folder, `${name}.onnx`, writeModel(canonicalModel(graph)));
  }
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  removeBundle(folder);
});

async function gradientsInNode(name: string): Promise<Fetches> {
  const { graph, feeds, ...network } = smallNetworks[name]!;
  const session = await compileGradient(nodeRuntime, graph, { ...network, example: feeds, provider: 'cpu' });
  const results = await session.run(feeds);
  await session.release();
  return results;
}

async function gradientsInPage(
  { page }: OpenPage,
  name: string,
  on: Pick<GradientRequest, 'provider' | 'sessions'>,
): Promise<Fetches[]> {
  const { loss, wrt, feeds } = smallNetworks[name]!;
  const request = { model: `${name}.onnx`, loss, wrt, feeds: plain(feeds), ...on };
  const results = await page.evaluate((r) => api.gradients(r), request);
  return results.map((tensors) =>
    Object.fromEntries(Object.entries(tensors).map(([key, { dims, data }]) => [key, float32(dims, data)])),
  );
}

const plain = (feeds: Feeds): PlainTensors =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { dims, data }]) => [
      name,
      { dims, data: Array.from(data as Float32Array) },
    ]),
  );

describe.each([
  ['cross-origin isolated', true],
  ['not isolated', false],
])('a page that is %s', (_, isolated) => {
  let site: Site;
  let open: OpenPage;
  beforeAll(async () => {
    site = await serve(folder, isolated);
    open = await openPage(browser, site.url);
  });
  afterAll(async () => {
    await open.page.close();
    await site.close();
  });

  it.each(Object.keys(smallNetworks))(
    'computes the gradients of %s on WebAssembly as Node does',
    async (name) => {
      const expected = await gradientsInNode(name);
      const results = await gradientsInPage(open, name, { provider: 'wasm', sessions: 2 });
      for (const result of results) expect(largestDifference(result, expected)).toBeLessThan(1e-4);
    },
  );

  it(`runs WebAssembly on ${isolated ? 'several threads' : 'one thread'}`, async () => {
    expect(await open.page.evaluate(() => api.crossOriginIsolated)).toBe(isolated);
    // Each thread but the page's own is a worker.
    expect(open.page.workers()).toHaveLength(isolated ? 1 : 0);
  });

  it('leaves its console without errors and asks no other host', () => {
    expect(open.problems).toEqual([]);
    expect(open.requests.filter((url) => !url.startsWith(site.url) && !url.startsWith('data:'))).toEqual([]);
  });
});

describe('a page with WebGPU in software', () => {
  let site: Site;
  let open: OpenPage;
  beforeAll(async () => {
    site = await serve(folder, true);
    open = await openPage(browser, site.url);
  });
  afterAll(async () => {
    await open.page.close();
    await site.close();
  });

  it('offers WebGPU, but does not choose it by itself', async () => {
    expect(await open.page.evaluate(() => api.providers())).toEqual([
      { provider: 'webgpu', available: true, automatic: false, reason: expect.stringContaining('software') },
      { provider: 'wasm', available: true, automatic: true },
    ]);
    expect(await open.page.evaluate(() => api.choose())).toBe('wasm');
  });

  it.each(Object.keys(smallNetworks))(
    'computes the gradients of %s in overlapping sessions as Node does',
    async (name) => {
      const expected = await gradientsInNode(name);
      const results = await gradientsInPage(open, name, { provider: 'webgpu', sessions: 2 });
      expect(results).toHaveLength(4);
      for (const result of results) expect(largestDifference(result, expected)).toBeLessThan(1e-4);
    },
  );

  it('leaves its console without errors and asks no other host', () => {
    expect(open.problems).toEqual([]);
    expect(open.requests.filter((url) => !url.startsWith(site.url) && !url.startsWith('data:'))).toEqual([]);
  });
});

it('loads WebAssembly from where it is told', async () => {
  const files = ['ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'];
  for (const file of files) {
    addFile(
      folder,
      `elsewhere/${file}`,
      readFileSync(fileURLToPath(import.meta.resolve(`onnxruntime-web/${file}`))),
    );
  }
  const site = await serve(folder, true);
  const open = await openPage(browser, `${site.url}?wasmPaths=/elsewhere/`);
  const expected = await gradientsInNode('residual');
  const [result] = await gradientsInPage(open, 'residual', { provider: 'wasm', sessions: 1 });
  expect(largestDifference(result!, expected)).toBeLessThan(1e-4);
  expect(open.requests).toEqual(expect.arrayContaining(files.map((file) => `${site.url}elsewhere/${file}`)));
  expect(open.problems).toEqual([]);
  await open.page.close();
  await site.close();
});

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, connect as openSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RunFolder } from '../../src/data/run-folder.ts';
import type { ReportContent } from '../../src/report/html/content.ts';
import { type LabelRecord, parseLabelRecord } from '../../src/report/label-record.ts';
import type { ServedRun } from '../../src/report/served-runs.ts';
import { headerOf, recordOf } from '../report/html-sample.ts';
import { sampleResult } from '../report/sample.ts';
import { buildProgram, type Program, type Started } from './program.ts';

const result = sampleResult();
const records: LabelRecord[] = result.labels.map((label) => ({ ...recordOf(label), files: [] }));
const header = headerOf(result);
const lines = (...values: unknown[]): string => values.map((value) => `${JSON.stringify(value)}\n`).join('');

let program: Program;
let folder: string;
const running: Started[] = [];

beforeAll(async () => {
  program = await buildProgram();
  const app = fileURLToPath(program.module('web'));
  mkdirSync(join(app, 'assets'), { recursive: true });
  writeFileSync(
    join(app, 'index.html'),
    `<!doctype html><meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:"><meta name="neural-cleanse-server" content="files">app`,
  );
  writeFileSync(join(app, 'assets/run.js'), 'export {};');
  writeFileSync(join(app, 'assets/engine.wasm'), new Uint8Array([0, 97, 115, 109]));
  folder = mkdtempSync(join(tmpdir(), 'neural-cleanse-ui-'));
});

afterAll(() => {
  program.remove();
  rmSync(folder, { recursive: true, force: true });
});

afterEach(async () => {
  for (const { child, finished } of running.splice(0)) {
    child.kill('SIGKILL');
    await finished;
  }
});

/** A folder of runs of its own. */
const freshRuns = (): string => mkdtempSync(join(folder, 'runs-'));

function addRun(path: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(path, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
}

const finishedRun = {
  'scan.json': JSON.stringify(result),
  'labels.jsonl': lines(header, ...records),
};

interface Server {
  readonly url: string;
  readonly port: number;
  readonly started: Started;
}

async function startUi(...args: string[]): Promise<Server> {
  const started = program.start(['ui', '--port', '0', ...args], { cwd: folder });
  running.push(started);
  let stdout = '';
  started.child.stdout!.on('data', (text: string) => {
    stdout += text;
  });
  await started.said('Ctrl-C');
  const port = Number(/^http:\/\/127\.0\.0\.1:(\d+)\/\n$/.exec(stdout)?.[1]);
  return { url: `http://127.0.0.1:${port}`, port, started };
}

const list = async ({ url }: Server): Promise<ServedRun[]> =>
  (await (await fetch(`${url}/api/runs`)).json()) as ServedRun[];

/** Sends bytes as they are, since a client would tidy the path first. @returns the whole answer */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = openSocket(port, '127.0.0.1', () => socket.write(text));
    socket.setEncoding('utf8').on('data', (part: string) => {
      answer += part;
    });
    socket.on('close', () => resolve(answer)).on('error', reject);
  });
}

const ask = (
  { port }: Server,
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Readonly<Record<string, string>> } = {},
): Promise<string> => {
  const all = { Host: `127.0.0.1:${port}`, Connection: 'close', ...headers };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return raw(port, `${method} ${path} HTTP/1.1\r\n${head.join('')}\r\n`);
};

const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d+) /.exec(answer)?.[1]);

describe('the web app', () => {
  it('is served on this machine alone, isolated, and under its own policy', async () => {
    const server = await startUi();
    const page = await fetch(`${server.url}/`);
    expect(await page.text()).toContain('<meta name="neural-cleanse-server" content="runs">app');
    expect(Object.fromEntries(page.headers)).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'cross-origin-resource-policy': 'same-origin',
      'content-security-policy': "default-src 'none'; img-src data:; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
    });
    const type = async (path: string) => (await fetch(server.url + path)).headers.get('content-type');
    expect(await type('/assets/run.js')).toBe('text/javascript; charset=utf-8');
    expect(await type('/assets/engine.wasm')).toBe('application/wasm');
    // Loopback only: 127.0.0.2 is this machine too, but not the address that is listened on.
    await expect(fetch(`http://127.0.0.2:${server.port}/`)).rejects.toThrow();
  });

  it('ends at Ctrl-C, with a stream open, without an error', async () => {
    const runs = freshRuns();
    addRun(join(runs, 'going'), { 'labels.jsonl': lines(header) });
    const run = await RunFolder.open(join(runs, 'going'), { resume: true, parseEntry: parseLabelRecord });
    const server = await startUi(runs);
    const [{ id } = { id: '' }] = await list(server);
    const events = await fetch(`${server.url}/api/runs/${id}/events`);
    await events.body!.getReader().read();
    server.started.child.kill('SIGINT');
    expect((await server.started.finished).code).toBe(0);
    await run.close();
  });

  it('names a port that is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    const { code, stdout, stderr } = await program.run(['ui', '--port', String(port)], { cwd: folder });
    other.close();
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(`error PORT_UNAVAILABLE: Port ${port} of this machine is taken`);
    expect(stderr).toContain('--port 0');
  });

  it('says so if it was not built', async () => {
    const app = fileURLToPath(program.module('web'));
    renameSync(app, `${app}-away`);
    const { code, stderr } = await program.run(['ui'], { cwd: folder });
    renameSync(`${app}-away`, app);
    expect(code).toBe(2);
    expect(stderr).toContain('error APP_NOT_BUILT: ');
    expect(stderr).toContain('npm run build');
  });

  it.each([
    [['--port', '65536'], 4, 'error USAGE: --port got "65536"'],
    [['--port', '-1'], 4, 'error USAGE: --port got "-1"'],
    [['nowhere'], 2, 'error RUN_NOT_FOUND: "nowhere" is no folder'],
  ])('refuses %j', async (args, exit, message) => {
    const { code, stderr } = await program.run(['ui', ...args], { cwd: folder });
    expect(code).toBe(exit);
    expect(stderr).toContain(message);
  });
});

describe('runs', () => {
  it('are listed with what is known of them, wherever they lie below the folder', async () => {
    const runs = freshRuns();
    addRun(join(runs, 'a'), finishedRun);
    addRun(join(runs, 'set/b'), {
      'labels.jsonl': lines(header, ...records.slice(0, 2)),
      '.lock': 'null',
    });
    addRun(join(runs, 'c'), { 'scan.json': '{"schemaVersion": 1}' });
    addRun(join(runs, 'no-run'), { 'notes.txt': 'none' });
    const server = await startUi(runs, runs);
    const byName = new Map(
      (await list(server)).map((run) => [run.name.slice(run.name.indexOf('runs-') + 12), run]),
    );
    expect([...byName.keys()].sort()).toEqual(['a', 'c', 'set/b']);
    expect(byName.get('a')).toMatchObject({ state: 'finished', verdict: 'backdoored', model: 'signs.onnx' });
    expect(byName.get('set/b')).toMatchObject({ state: 'stopped', inversions: 2 });
    expect(byName.get('c')).toMatchObject({ state: 'damaged', error: { code: 'RUN_CORRUPT' } });
  });

  it('are those in the folder "runs" if none is given, which may come later', async () => {
    const server = await startUi();
    expect(await list(server)).toEqual([]);
    addRun(join(folder, 'runs/later'), finishedRun);
    expect(await list(server)).toMatchObject([{ name: 'runs/later' }]);
    rmSync(join(folder, 'runs'), { recursive: true });
    expect(await list(server)).toEqual([]);
  });

  it('have a result and a report', async () => {
    const runs = freshRuns();
    addRun(join(runs, 'a'), finishedRun);
    const server = await startUi(runs);
    const [{ id } = { id: '' }] = await list(server);
    const json = async (part: string) => (await fetch(`${server.url}/api/runs/${id}/${part}`)).json();
    expect(await json('scan.json')).toEqual(JSON.parse(JSON.stringify(result)));
    const report = (await json('report')) as ReportContent;
    expect(report.result?.verdict).toBe('backdoored');
    expect(report.labels).toHaveLength(43);
  });

  it('that are unfinished have a report, and no result', async () => {
    const runs = freshRuns();
    addRun(join(runs, 'a'), { 'labels.jsonl': lines(header, ...records.slice(0, 5)) });
    const server = await startUi(runs);
    const [{ id } = { id: '' }] = await list(server);
    const report = (await (await fetch(`${server.url}/api/runs/${id}/report`)).json()) as ReportContent;
    expect(report.labels).toHaveLength(5);
    expect(report.result).toBeUndefined();
    const missing = await fetch(`${server.url}/api/runs/${id}/scan.json`);
    expect([missing.status, await missing.json()]).toMatchObject([404, { code: 'RUN_NOT_FOUND' }]);
  });

  it('that are gone are said to be', async () => {
    const runs = freshRuns();
    addRun(join(runs, 'a'), finishedRun);
    const server = await startUi(runs);
    const [{ id } = { id: '' }] = await list(server);
    rmSync(join(runs, 'a'), { recursive: true });
    for (const part of ['report', 'scan.json', 'events']) {
      const gone = await fetch(`${server.url}/api/runs/${id}/${part}`);
      expect([gone.status, await gone.json()]).toMatchObject([404, { code: 'RUN_NOT_FOUND' }]);
    }
  });
});

interface ReceivedEvent {
  readonly name: string;
  readonly data: unknown;
}

/** The events of a run, as they come. */
async function* eventsOf(server: Server, id: string): AsyncGenerator<ReceivedEvent> {
  const { body, headers } = await fetch(`${server.url}/api/runs/${id}/events`);
  expect(headers.get('content-type')).toBe('text/event-stream');
  let text = '';
  for await (const part of body!.pipeThrough(new TextDecoderStream())) {
    text += part;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
      text = text.slice(end + 2);
      if (name !== undefined) yield { name, data: JSON.parse(data!) };
    }
  }
}

describe('a run that another process works on', () => {
  it('is followed to its end', async () => {
    const path = join(freshRuns(), 'live');
    const run = await RunFolder.open(path, { resume: false, parseEntry: parseLabelRecord });
    await run.begin(header);
    await run.append(records[0]!);
    const server = await startUi(path);
    const [found] = await list(server);
    expect(found).toMatchObject({ state: 'running', inversions: 1 });
    const events = eventsOf(server, found!.id);
    const next = async () => (await events.next()).value as ReceivedEvent | undefined;
    expect(await next()).toEqual({ name: 'header', data: JSON.parse(JSON.stringify(header)) });
    expect(await next()).toMatchObject({ name: 'label', data: { label: 0 } });
    await run.append(records[1]!);
    await run.append(records[2]!);
    expect(await next()).toMatchObject({ name: 'label', data: { label: 1 } });
    expect(await next()).toMatchObject({ name: 'label', data: { label: 2 } });
    await run.write({ 'scan.json': JSON.stringify(result) });
    await run.close();
    expect(await next()).toEqual({ name: 'ended', data: { state: 'finished' } });
    expect(await next()).toBeUndefined();
  });

  it('is told from a new one in its place, and a line that is being written from a whole one', async () => {
    const path = join(freshRuns(), 'live');
    const run = await RunFolder.open(path, { resume: false, parseEntry: parseLabelRecord });
    const log = (text: string): void => writeFileSync(join(path, 'labels.jsonl'), text);
    log(lines(header, records[0], records[1]) + JSON.stringify(records[2]).slice(0, 30));
    const server = await startUi(path);
    const events = eventsOf(server, (await list(server))[0]!.id);
    const next = async () => (await events.next()).value as ReceivedEvent | undefined;
    const names = [await next(), await next(), await next()].map((event) => event?.name);
    expect(names).toEqual(['header', 'label', 'label']);
    // Longer than the old one, so that only its content tells.
    log(lines({ ...header, seed: 1 }, records[5], records[6], records[7]));
    expect(await next()).toMatchObject({ name: 'header', data: { seed: 1 } });
    expect(await next()).toMatchObject({ name: 'label', data: { label: 5 } });
    await run.close();
    const rest = [await next(), await next(), await next()];
    expect(rest).toMatchObject([
      { data: { label: 6 } },
      { data: { label: 7 } },
      { name: 'ended', data: { state: 'stopped' } },
    ]);
  });

  it('says that its log is damaged, and in which line', async () => {
    const path = join(freshRuns(), 'live');
    const run = await RunFolder.open(path, { resume: false, parseEntry: parseLabelRecord });
    const log = (...values: unknown[]): void => writeFileSync(join(path, 'labels.jsonl'), lines(...values));
    log(header, records[0]);
    const server = await startUi(path);
    const events = eventsOf(server, (await list(server))[0]!.id);
    const next = async () => (await events.next()).value as ReceivedEvent | undefined;
    expect([await next(), await next()]).toMatchObject([{ name: 'header' }, { name: 'label' }]);
    log(header, records[0], { label: 'x' });
    expect(await next()).toMatchObject({
      name: 'failed',
      data: { code: 'RUN_CORRUPT', message: expect.stringContaining('Line 3 of ') },
    });
    expect(await next()).toBeUndefined();
    await run.close();
    expect(await list(server)).toMatchObject([{ state: 'damaged', error: { code: 'RUN_CORRUPT' } }]);
  });
});

describe('nothing else can be read', () => {
  const secret = 'the secret of this machine';
  let server: Server;
  let id: string;
  let runs: string;

  async function startOne(): Promise<void> {
    runs = freshRuns();
    addRun(join(runs, 'a'), { ...finishedRun, 'secret.txt': secret });
    writeFileSync(join(runs, 'secret.txt'), secret);
    writeFileSync(join(folder, 'secret.txt'), secret);
    server = await startUi(runs);
    id = (await list(server))[0]!.id;
  }

  it('by paths that lead elsewhere', async () => {
    await startOne();
    const steps = [
      '../',
      '..%2f',
      '..%2F',
      '%2e%2e/',
      '%2e%2e%2f',
      '%252e%252e%252f',
      '..%252f',
      '..\\',
      '..%5c',
      '%2e%2e%5c',
      '....//',
      '..;/',
      '%c0%ae%c0%ae/',
      '..%00/',
    ];
    const targets = steps.flatMap((step) => {
      const up = step.repeat(8);
      return [
        `/${up}etc/passwd`,
        `/assets/${up}etc/passwd`,
        `/api/runs/${up}etc/passwd`,
        `/api/runs/${id}/${step}secret.txt`,
        `/api/runs/${id}/${step}a/secret.txt`,
        `/api/runs/${step}${id}/scan.json`,
      ];
    });
    const others = [
      '//etc/passwd',
      '/etc/passwd',
      'file:///etc/passwd',
      'http://127.0.0.1/etc/passwd',
      '/index.html/../../../package.json',
      '/index.html%00.js',
      '/assets',
      '/assets/',
      `/api/runs/${id}`,
      `/api/runs/${id}/secret.txt`,
      `/api/runs/${id}/labels.jsonl`,
      `/api/runs/${id}/scan.json/`,
      `/api/runs/${id}/scan%2ejson`,
      `/api/runs/${id.toUpperCase()}x/scan.json`,
      `/api/runs/${'0'.repeat(16)}/report`,
      '*',
    ];
    for (const target of [...targets, ...others]) {
      const answer = await ask(server, target);
      expect([target, statusOf(answer)]).toEqual([
        target,
        expect.toSatisfy((code: number) => code === 400 || code === 404),
      ]);
      expect(answer).not.toMatch(/root:|secret of/);
    }
    // NUL bytes and line breaks as they are
    for (const target of ['/\0', '/a\r\nX: y', `/api/runs/${id}/report\0`])
      expect(statusOf(await ask(server, target))).toBeGreaterThanOrEqual(400);
  });

  it('by links', async () => {
    runs = freshRuns();
    const outside = join(freshRuns(), 'run');
    addRun(outside, finishedRun);
    symlinkSync(outside, join(runs, 'linked-folder'));
    mkdirSync(join(runs, 'linked-file'));
    writeFileSync(join(runs, 'linked-file/labels.jsonl'), lines(header, records[0]));
    symlinkSync(join(outside, 'scan.json'), join(runs, 'linked-file/scan.json'));
    server = await startUi(runs);
    const found = await list(server);
    expect(found).toMatchObject([{ state: 'stopped', inversions: 1 }]);
    expect(found[0]!.name).toMatch(/linked-file$/);
    expect(statusOf(await ask(server, `/api/runs/${found[0]!.id}/scan.json`))).toBe(404);
  });

  it('by a run whose place another folder took', async () => {
    await startOne();
    const elsewhere = freshRuns();
    addRun(elsewhere, { 'scan.json': JSON.stringify({ secret }) });
    rmSync(join(runs, 'a'), { recursive: true });
    symlinkSync(elsewhere, join(runs, 'a'));
    expect(statusOf(await ask(server, `/api/runs/${id}/scan.json`))).toBe(404);
  });

  it.each([
    ['by file names in a log', '../'],
    ['by links in the place of triggers', ''],
  ])('%s', async (_, prefix) => {
    const path = join(freshRuns(), 'a');
    const names = ['mask', 'pattern'].map((kind) => `gtsrb_visualize_${kind}_label_0.npy`);
    addRun(path, {
      'labels.jsonl': lines(header, { ...records[0], files: names.map((name) => prefix + name) }),
    });
    for (const name of names) {
      // Would be an error if it were read.
      writeFileSync(join(path, '..', name), 'no array');
      symlinkSync(join(path, '..', name), join(path, name));
    }
    server = await startUi(path);
    const [run] = await list(server);
    const response = await fetch(`${server.url}/api/runs/${run!.id}/report`);
    expect(response.status).toBe(200);
    const { labels } = (await response.json()) as ReportContent;
    expect(labels).toHaveLength(1);
    expect(labels[0]!.mask).toBeUndefined();
  });

  it('and pipes in the place of files are not waited for', async () => {
    const path = join(freshRuns(), 'a');
    addRun(path, { 'labels.jsonl': lines(header, records[0]) });
    execFileSync(
      'mkfifo',
      ['scan.json', '.lock'].map((name) => join(path, name)),
    );
    server = await startUi(path);
    expect(await list(server)).toMatchObject([{ state: 'stopped' }]);
  });

  it('by other sites', async () => {
    await startOne();
    const { port } = server;
    const asked = async (headers: Record<string, string>, path = '/api/runs') =>
      statusOf(await ask(server, path, { headers }));
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1',
      `127.0.0.1:${port + 1}`,
      `127.0.0.1.evil.example:${port}`,
      '',
    ]) {
      expect([host, await asked({ Host: host })]).toEqual([
        host,
        expect.toSatisfy((code: number) => code === 400 || code === 403),
      ]);
      expect(await asked({ Host: host }, '/')).not.toBe(200);
    }
    for (const origin of [
      'http://evil.example',
      'null',
      `https://127.0.0.1:${port}`,
      `http://127.0.0.1:${port + 1}`,
    ])
      expect([origin, await asked({ Origin: origin })]).toEqual([origin, 403]);
    expect(
      await asked({
        'Sec-Fetch-Site': 'cross-site',
        'Sec-Fetch-Mode': 'no-cors',
        'Sec-Fetch-Dest': 'script',
      }),
    ).toBe(403);
    expect(
      await asked(
        { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'iframe' },
        '/',
      ),
    ).toBe(403);
    expect(statusOf(await raw(port, 'GET /api/runs HTTP/1.0\r\n\r\n'))).toBe(403);
    // Its own pages, and a link to it
    expect(await asked({ Host: `localhost:${port}`, Origin: `http://localhost:${port}` })).toBe(200);
    expect(
      await asked({ 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty' }),
    ).toBe(200);
    expect(
      await asked(
        { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' },
        '/',
      ),
    ).toBe(200);
  });

  it('nor written', async () => {
    await startOne();
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
      for (const path of ['/', '/api/runs', `/api/runs/${id}/scan.json`])
        expect([method, statusOf(await ask(server, path, { method }))]).toEqual([method, 405]);
    }
    expect(statusOf(await ask(server, '/', { method: 'HEAD' }))).toBe(200);
  });
});

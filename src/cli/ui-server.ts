/**
 * The server of the local web app: its files, and the runs in the folders that were given.
 *
 * It is for the browser of the person who started it. Pages of other sites, also those whose host name resolves to this
 * machine, get nothing. Paths are never decoded or joined: each names a file of a list, or nothing.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NeuralCleanseError } from '../errors.ts';
import { reportFiles } from '../report/file-names.ts';
import { readReport } from '../report/html/saved-report.ts';
import type { ServedError } from '../report/served-runs.ts';
import { openWebApp, sendFile, type WebApp } from './ui-app.ts';
import { followRun } from './ui-events.ts';
import { describeRun, type FoundRun, findRuns, servedError } from './ui-runs.ts';

const host = '127.0.0.1';

/** Browsers and the machines between give up a connection that says nothing. */
const heartbeatMs = 15_000;

export interface UiServer {
  readonly url: string;
  /** Ends all connections. */
  close(): Promise<void>;
}

export interface UiOptions {
  /** 0 takes a free one. */
  readonly port: number;
  /** Folder of the built web app. */
  readonly app: string;
  /** Run folders, and folders that hold them. */
  readonly folders: readonly string[];
}

/** @throws NeuralCleanseError APP_NOT_BUILT, PORT_UNAVAILABLE */
export async function startUiServer({ port, app, folders }: UiOptions): Promise<UiServer> {
  const web = await openWebApp(app);
  const headers = { ...securityHeaders, 'content-security-policy': web.policy };
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    answer(request, response, web, folders).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else sendError(response, 500, servedError(error));
    });
  });
  await listen(server, port);
  const { port: taken } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${taken}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used (${cause.code})`;
      reject(
        new NeuralCleanseError('PORT_UNAVAILABLE', `Port ${port} of this machine ${why}.`, {
          hint: 'Choose another with --port, or let the system choose with --port 0.',
          data: { port },
          cause,
        }),
      );
    });
    server.listen(port, host, () => resolve());
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  web: WebApp,
  folders: readonly string[],
): Promise<void> {
  const refusal = refuse(request);
  if (refusal) return sendText(response, 403, refusal);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return sendText(response, 405, 'This server can only be read.');
  }
  const [path = ''] = (request.url ?? '').split('?');
  const file = web.files.get(path);
  if (file) return sendFile(request, response, file);
  if (path === '/api/runs') {
    const runs = await findRuns(folders);
    return sendJson(response, 200, await Promise.all(runs.map(describeRun)));
  }
  const [, id, part] = /^\/api\/runs\/([0-9a-f]{16})\/(scan\.json|report|events)$/.exec(path) ?? [];
  if (id === undefined) return sendText(response, 404, 'There is nothing here.');
  const run = (await findRuns(folders)).find((found) => found.id === id);
  if (!run) return sendGone(response, 'This run');
  if (part === 'events') return sendEvents(request, response, run);
  return part === 'report' ? sendReport(response, run) : sendResult(response, run);
}

/** Why a request does not come from our own page or from the person at this machine. */
function refuse({ headers, socket }: IncomingMessage): string | undefined {
  const hosts = [host, 'localhost'].map((name) => `${name}:${socket.localPort}`);
  // Where the name of a foreign site resolves to this machine, the browser sends that name.
  if (!hosts.includes(headers.host ?? '')) return 'This server answers under its own address only.';
  const { origin } = headers;
  if (origin !== undefined && !hosts.some((own) => origin === `http://${own}`))
    return 'This server answers its own pages only.';
  const site = headers['sec-fetch-site'];
  const isPage = headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isPage)
    return 'This server answers its own pages only.';
  return undefined;
}

const securityHeaders: Readonly<Record<string, string>> = {
  // Together they isolate the page from others, without which WebAssembly has no threads.
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
};

const json = 'application/json; charset=utf-8';

async function sendReport(response: ServerResponse, run: FoundRun): Promise<void> {
  const content = await readReport(run.files);
  if (content) sendJson(response, 200, content);
  else
    sendError(response, 404, { code: 'RUN_NOT_FOUND', message: `${run.files.name} holds no run any more.` });
}

async function sendResult(response: ServerResponse, run: FoundRun): Promise<void> {
  const bytes = await run.files.read(reportFiles.json);
  if (!bytes)
    return sendError(response, 404, {
      code: 'RUN_NOT_FOUND',
      message: `${run.files.name} has no result yet.`,
    });
  response.writeHead(200, { 'content-type': json }).end(bytes);
}

async function sendEvents(request: IncomingMessage, response: ServerResponse, run: FoundRun): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  if (request.method === 'HEAD') return void response.end();
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const heartbeat = setInterval(() => response.write(':\n\n'), heartbeatMs);
  try {
    for await (const { name, data } of followRun(run, gone.signal)) {
      response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
    }
  } finally {
    clearInterval(heartbeat);
    response.end();
  }
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': json, 'cache-control': 'no-store' });
  response.end(JSON.stringify(value));
}

const sendGone = (response: ServerResponse, name: string): void =>
  sendError(response, 404, { code: 'RUN_NOT_FOUND', message: `${name} is not there any more.` });

const sendError = (response: ServerResponse, status: number, error: ServedError): void =>
  sendJson(response, status, error);

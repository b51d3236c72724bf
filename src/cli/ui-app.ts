/** The files of the web app, as the build has left them. */

import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { NeuralCleanseError } from '../errors.ts';

export interface WebApp {
  /** By path, as a browser asks for them. */
  readonly files: ReadonlyMap<string, AppFile>;
  /** Content-Security-Policy of its page. */
  readonly policy: string;
}

interface AppFile {
  readonly path: string;
  readonly type: string;
  /** Where it differs from what is on the disk. */
  readonly content?: string;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.wasm': 'application/wasm',
};

/** @throws NeuralCleanseError APP_NOT_BUILT */
export async function openWebApp(folder: string): Promise<WebApp> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = new Map<string, AppFile>();
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const parts = path.slice(folder.length).split(sep).filter(Boolean);
    const type = types[extname(path)] ?? 'application/octet-stream';
    files.set(`/${parts.map(encodeURIComponent).join('/')}`, { path, type });
  }
  const index = files.get('/index.html');
  if (!index) {
    throw new NeuralCleanseError('APP_NOT_BUILT', 'The web app is not among the files of this program.', {
      hint: 'In a checkout, run npm run build first.',
      data: { path: folder },
    });
  }
  const html = await readFile(index.path, 'utf8');
  const page = { ...index, content: html.replace(servesFiles, servesRuns) };
  files.set('/', page).set('/index.html', page);
  return { files, policy: policyOf(html) };
}

/** By this the app knows that it may ask for runs. */
const servesFiles = '<meta name="neural-cleanse-server" content="files">';
const servesRuns = '<meta name="neural-cleanse-server" content="runs">';

/** What the page says of itself, and what only a header can say: that no other page may frame it. */
function policyOf(html: string): string {
  const [, own = "default-src 'self'"] =
    /<meta http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(html) ?? [];
  return `${own}; frame-ancestors 'none'`;
}

export async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  { path, type, content }: AppFile,
): Promise<void> {
  response.setHeader('content-type', type);
  if (request.method === 'HEAD' || content !== undefined) response.end(content);
  else await pipeline(createReadStream(path), response).catch(ignoreHangUp);
}

/** A browser may leave before it has everything. */
function ignoreHangUp(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE' && error.code !== 'ECONNRESET' && error.code !== 'EPIPE')
    throw error;
}

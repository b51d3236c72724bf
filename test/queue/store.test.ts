import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { refOf } from '../../src/queue/blob.ts';
import { folderStore } from '../../src/queue/folder-store.ts';
import { openAllowedStore, openStore, type StoreContext } from '../../src/queue/open-store.ts';
import { maxRedisBlobBytes, redisStore } from '../../src/queue/redis-store.ts';
import { describeWithRedis, RedisServer } from './redis-server.ts';
import { type TestFolder, testFolder } from './support.ts';

const bytes = Uint8Array.from({ length: 5000 }, (_, i) => i % 251);
const ref = refOf(bytes);
const other = refOf(new Uint8Array(3));

let folder: TestFolder;
beforeEach(() => {
  folder = testFolder();
});
afterEach(() => folder.remove());

describeWithRedis('a store in Redis', () => {
  let server: RedisServer;
  let redis: Redis;
  beforeAll(async () => {
    server = await RedisServer.start();
    redis = server.client();
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  it('keeps large blobs in chunks, for a while', async () => {
    const store = redisStore(redis, 'p', 100);
    const large = Uint8Array.from({ length: 2.5 * 2 ** 20 }, (_, i) => (i * 7) % 253);
    const largeRef = refOf(large);
    await store.put(largeRef, large);
    expect(await redis.keys('*')).toHaveLength(3);
    expect(refOf(await store.get(largeRef))).toEqual(largeRef);
    // Stored again, it stays as long as a new one.
    await redis.expire(`p:blob:${largeRef.sha256}:1`, 5);
    await store.put(largeRef, large);
    expect(await redis.ttl(`p:blob:${largeRef.sha256}:1`)).toBeGreaterThan(90);
    // A chunk that is gone is written again.
    await redis.del(`p:blob:${largeRef.sha256}:2`);
    await expect(store.get(largeRef)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
    await store.put(largeRef, large);
    expect(refOf(await store.get(largeRef))).toEqual(largeRef);
  });

  it('refuses what is too large, before it asks for memory', async () => {
    const store = redisStore(redis, 'p', 100);
    const huge = { ...ref, bytes: maxRedisBlobBytes + 1 };
    await expect(store.put(huge, bytes)).rejects.toMatchObject({ code: 'BLOB_TOO_LARGE' });
    await expect(store.get(huge)).rejects.toMatchObject({ code: 'BLOB_TOO_LARGE' });
  });

  it('says when Redis has no memory left', async () => {
    await redis.config('SET', 'maxmemory', '1mb');
    await expect(redisStore(redis, 'p', 100).put(ref, bytes)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('maxmemory'),
    });
    await redis.config('SET', 'maxmemory', '0');
  });
});

describe('a store in a folder', () => {
  it('keeps blobs as files', async () => {
    const store = folderStore(join(folder.path, 'new'));
    await store.put(ref, bytes);
    await store.put(ref, bytes);
    expect(refOf(await store.get(ref))).toEqual(ref);
    await expect(store.get(other)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
  });

  it('follows no link out of itself', async () => {
    const root = join(folder.path, 'store');
    const store = folderStore(root);
    await store.put(ref, bytes);
    const file = join(root, ref.sha256.slice(0, 2), ref.sha256);
    renameSync(file, join(folder.path, 'secret'));
    symlinkSync(join(folder.path, 'secret'), file);
    await expect(store.get(ref)).rejects.toMatchObject({ code: 'STORE_FAILED' });

    mkdirSync(join(folder.path, 'elsewhere'));
    symlinkSync(join(folder.path, 'elsewhere'), join(root, other.sha256.slice(0, 2)));
    await expect(store.put(other, new Uint8Array(3))).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });

  it('says why it cannot be written', async () => {
    writeFileSync(join(folder.path, 'file'), '');
    await expect(folderStore(join(folder.path, 'file')).put(ref, bytes)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('ENOTDIR'),
    });
  });
});

describe('a store behind a URL', () => {
  let server: Server;
  let url: string;
  let requests: IncomingMessage[];
  /** What the server holds, by path. */
  let held: Map<string, Buffer>;
  /** Answers before the others. */
  let answers: number[];
  beforeEach(async () => {
    [requests, held, answers] = [[], new Map(), []];
    server = createServer((request, response) => {
      requests.push(request);
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const path = request.url!;
        const early = answers.shift();
        if (early !== undefined) response.writeHead(early, { location: '/elsewhere' }).end();
        else if (request.method === 'PUT') {
          held.set(path, Buffer.concat(chunks));
          response.writeHead(201).end();
        } else {
          const found = held.get(path);
          response.writeHead(found ? 200 : 404, { 'content-length': found?.length ?? 0 });
          response.end(request.method === 'GET' ? found : undefined);
        }
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    server.closeAllConnections();
    server.close();
  });

  const open = (address: string) => openStore(address, {} as StoreContext);

  it('puts what is not there, and gets it', async () => {
    vi.stubEnv('NEURAL_CLEANSE_STORE_TOKEN', 'secret');
    const store = open(`${url}/blobs/`);
    await expect(store.get(ref)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
    await store.put(ref, bytes);
    await store.put(ref, bytes);
    expect(refOf(await store.get(ref))).toEqual(ref);
    expect(requests.map(({ method }) => method)).toEqual(['GET', 'HEAD', 'PUT', 'HEAD', 'GET']);
    expect([...held.keys()]).toEqual([`/blobs/${ref.sha256}`]);
    expect(requests.every(({ headers }) => headers.authorization === 'Bearer secret')).toBe(true);
  });

  it('asks a busy server again, and reports one that refuses', async () => {
    const store = open(url);
    held.set(`/${ref.sha256}`, Buffer.from(bytes));
    answers = [503];
    expect(refOf(await store.get(ref))).toEqual(ref);
    answers = [403];
    await expect(store.get(ref)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('403'),
    });
  });

  it('is not led elsewhere', async () => {
    answers = [302];
    await expect(open(url).get(ref)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(requests.some(({ url: path }) => path === '/elsewhere')).toBe(false);
  });

  it('may be a bucket, for which requests are signed', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'key');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
    vi.stubEnv('AWS_REGION', 'eu-central-1');
    vi.stubEnv('AWS_ENDPOINT_URL', url);
    const store = open('s3://bucket/models');
    await store.put(ref, bytes);
    expect(refOf(await store.get(ref))).toEqual(ref);
    expect([...held.keys()]).toEqual([`/bucket/models/${ref.sha256}`]);
    for (const request of requests) {
      expect(request.headers.authorization).toContain(
        `Signature=${signature(request, 'secret', 'eu-central-1')}`,
      );
    }
  });

  it.each([
    'redis://elsewhere',
    'relative/folder',
    'https://user:secret@host/blobs',
    'https://host/blobs?X-Amz-Signature=secret',
    's3://bucket',
  ])('is refused as %s', (address) => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', '');
    expect(() => open(address)).toThrow(
      expect.objectContaining({ code: 'STORE_INVALID', message: expect.not.stringContaining('secret') }),
    );
  });
});

/** AWS Signature Version 4 of a request without a query. */
function signature({ method, url, headers }: IncomingMessage, secret: string, region: string): string {
  const [, names = ''] = /SignedHeaders=([^,]+)/.exec(headers.authorization!) ?? [];
  const time = String(headers['x-amz-date']);
  const signed = names.split(';').map((name) => `${name}:${headers[name]}\n`);
  const request = [method, url, '', ...[signed.join(''), names, headers['x-amz-content-sha256']]].join('\n');
  const scope = [time.slice(0, 8), region, 's3', 'aws4_request'];
  const hmac = (key: string | Buffer, text: string): Buffer =>
    createHmac('sha256', key).update(text).digest();
  const key = scope.reduce<string | Buffer>((k, part) => hmac(k, part), `AWS4${secret}`);
  const hash = createHash('sha256').update(request).digest('hex');
  return hmac(key, ['AWS4-HMAC-SHA256', time, scope.join('/'), hash].join('\n')).toString('hex');
}

describe('the stores that a worker may use', () => {
  const open = (address: string, { paths = [] as string[], urls = [] as string[] }) =>
    openAllowedStore(address, { paths, urls }, {} as StoreContext);
  const notAllowed = { code: 'STORE_NOT_ALLOWED' };

  it('lie within folders that were named, links resolved', async () => {
    const [root, outside] = [join(folder.path, 'root'), join(folder.path, 'root-2')];
    for (const path of [join(root, 'inner'), outside]) mkdirSync(path, { recursive: true });
    symlinkSync(outside, join(root, 'way-out'));
    symlinkSync(root, join(folder.path, 'alias'));
    const paths = [root];
    expect((await open(root, { paths })).address).toBe(root);
    expect((await open(join(root, 'inner'), { paths })).address).toBe(join(root, 'inner'));
    expect((await open(join(folder.path, 'alias/inner'), { paths })).address).toBe(join(root, 'inner'));
    for (const path of [
      outside,
      join(root, 'way-out'),
      `${root}/../root-2`,
      `${root}/inner/../../root-2`,
      join(root, 'nowhere'),
      '/etc',
    ]) {
      await expect(open(path, { paths })).rejects.toMatchObject(notAllowed);
    }
    await expect(open(root, {})).rejects.toMatchObject(notAllowed);
  });

  it('lie below addresses that were named', async () => {
    const urls = ['https://host/blobs'];
    expect((await open('https://host/blobs/inner', { urls })).address).toBe('https://host/blobs/inner');
    for (const address of [
      'https://host/blobs-2',
      'https://host/blobs/../other',
      'https://host/blobs/%2e%2e/other',
      'https://host.evil/blobs',
      'http://host/blobs',
      'https://host:444/blobs',
      'http://169.254.169.254/latest',
    ]) {
      await expect(open(address, { urls })).rejects.toMatchObject(notAllowed);
    }
    await expect(open('file:///etc/passwd', { urls })).rejects.toMatchObject({ code: 'STORE_INVALID' });
  });
});

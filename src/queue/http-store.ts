/** Blobs behind a URL: an HTTP server that takes PUT, or a bucket of an S3-compatible service. */

import { setTimeout } from 'node:timers/promises';
import { AwsClient } from 'aws4fetch';
import { type BlobRef, blobNotFound } from './blob.ts';
import { type BlobStore, invalidStore, storeFailed } from './store.ts';

/** Whole models travel in one request. */
const requestMs = 10 * 60_000;

/** Pauses before a request is tried again, when a server is busy or does not answer. */
const pausesMs = [200, 1000, 3000];

/** Does not follow a redirection, which could lead to where a worker must not go. */
type Send = (url: string, init: RequestInit) => Promise<Response>;

/**
 * `http://` and `https://`: blobs lie below the address, by hash. NEURAL_CLEANSE_STORE_TOKEN in the environment becomes the
 * bearer token.
 *
 * @throws NeuralCleanseError STORE_INVALID
 */
export function httpStore(address: string): BlobStore {
  const token = process.env.NEURAL_CLEANSE_STORE_TOKEN;
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  return storeBehind(address, checkedUrl(address), (url, init) =>
    fetch(url, { ...init, headers, redirect: 'manual' }),
  );
}

/**
 * `s3://bucket/prefix`, with the key, region and endpoint that the environment gives as for other tools: AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL.
 *
 * @throws NeuralCleanseError STORE_INVALID
 */
export function s3Store(address: string): BlobStore {
  const { hostname: bucket, pathname } = checkedUrl(address);
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION } = process.env;
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) {
    throw invalidStore(address, 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.');
  }
  const region = AWS_REGION ?? 'us-east-1';
  const endpoint = process.env.AWS_ENDPOINT_URL;
  const base = endpoint
    ? `${endpoint.replace(/\/$/, '')}/${bucket}${pathname}`
    : `https://${bucket}.s3.${region}.amazonaws.com${pathname}`;
  const client = new AwsClient({
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN && { sessionToken: AWS_SESSION_TOKEN }),
    region,
    service: 's3',
  });
  return storeBehind(address, checkedUrl(base), async (url, init) =>
    fetch(await client.sign(url, init), { redirect: 'manual' }),
  );
}

function storeBehind(address: string, { href }: URL, send: Send): BlobStore {
  const base = href.replace(/\/$/, '');
  const request = async (method: string, { sha256 }: BlobRef, body?: Uint8Array): Promise<Response> => {
    const attempt = (): Promise<Response> =>
      send(`${base}/${sha256}`, {
        method,
        signal: AbortSignal.timeout(requestMs),
        ...(body && { body: body as Uint8Array<ArrayBuffer> }),
      });
    for (const pause of pausesMs) {
      const response = await attempt().catch(() => undefined);
      if (response && response.status < 500 && response.status !== 429) return response;
      await setTimeout(pause);
    }
    return attempt();
  };
  return {
    address,
    async put(ref, bytes) {
      try {
        const there = await request('HEAD', ref);
        if (there.ok && there.headers.get('content-length') === String(ref.bytes)) return;
        const response = await request('PUT', ref, bytes);
        if (!response.ok) throw statusError(response);
      } catch (error) {
        throw storeFailed(address, 'written', error);
      }
    },
    async get(ref) {
      try {
        const response = await request('GET', ref);
        if (response.ok) return new Uint8Array(await response.arrayBuffer());
        if (response.status !== 404) throw statusError(response);
      } catch (error) {
        throw storeFailed(address, 'read', error);
      }
      throw blobNotFound(ref, address);
    },
  };
}

/** Addresses travel with jobs, so there must be no secret in them. @throws NeuralCleanseError STORE_INVALID */
function checkedUrl(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || url.hostname === '') throw invalidStore(address, 'It is no URL.');
  if (url.username || url.password || url.search || url.hash) {
    throw invalidStore(
      address,
      'It must be plain, since it travels with the jobs: give credentials in the environment, NEURAL_CLEANSE_STORE_TOKEN or AWS_…',
    );
  }
  return url;
}

const statusError = ({ status, statusText }: Response): Error =>
  new Error(`the server answers ${status} ${statusText}`.trim());

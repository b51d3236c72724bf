import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../src/queue/connection.ts';
import { withoutSecrets } from '../../src/queue/redact.ts';
import { describeWithRedis, RedisServer } from './redis-server.ts';
import { type TestFolder, testFolder } from './support.ts';

/** The error of a connection that must not come about, with all that could be printed of it. */
async function refusal(url: string): Promise<{ code: string; message: string; all: string }> {
  try {
    (await connect({ url })).disconnect();
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return { code, message, all: inspect(error, { depth: null, showHidden: true }) };
  }
  throw new Error(`connected to ${url}`);
}

describe('secrets in addresses', () => {
  it.each([
    ['redis://user:secret@host:6379/0', 'redis://***@host:6379/0'],
    ['--queue=rediss://:se@cret@host', '--queue=rediss://***@host'],
    ['redis://:se/cret@host:6379', 'redis://***@host:6379'],
    ['https://host/a?X-Amz-Signature=secret&b=1', 'https://host/a?***'],
    ['two redis://:secret@a and https://u:secret@b', 'two redis://***@a and https://***@b'],
    ['redis://host:6379', 'redis://host:6379'],
    ['someone@example.org', 'someone@example.org'],
  ])('%s is shown as %s', (text, shown) => {
    expect(withoutSecrets(text)).toBe(shown);
  });
});

describe('an address that is none', () => {
  it.each(['', 'host:6379', 'http://:secret@host', 'redis://', 'redis://:sec/ret@host:6379'])(
    '%s',
    async (url) => {
      const { code, all } = await refusal(url);
      expect(code).toBe('QUEUE_URL_INVALID');
      expect(all).not.toMatch(/sec\/?ret/);
    },
  );
});

describe('a server that is not there', () => {
  it('is an error at once', async () => {
    // A port that nothing can listen on.
    const { code, message, all } = await refusal('redis://user:secret@127.0.0.1:1');
    expect(code).toBe('QUEUE_UNREACHABLE');
    expect(message).toContain('No Redis server answers at redis://***@127.0.0.1:1 (connect ECONNREFUSED');
    expect(all).not.toContain('secret');
  });
});

describeWithRedis('a server with a password', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start({ password: 'secret' });
  });
  afterAll(() => server.stop());

  it('takes who knows it', async () => {
    const redis = await connect({ url: server.url });
    expect(await redis.ping()).toBe('PONG');
    redis.disconnect();
  });

  it.each([
    ['another one', ':wrong-secret@', 'WRONGPASS'],
    ['another user', 'me:secret@', 'WRONGPASS'],
    ['none', '', 'NOAUTH'],
  ])('refuses %s', async (_, login, reason) => {
    const { code, message, all } = await refusal(`redis://${login}127.0.0.1:${server.port}`);
    expect(code).toBe('QUEUE_REFUSED');
    expect(message).toContain(reason);
    expect(all).not.toContain('secret');
  });

  it('refuses a database that it does not have', async () => {
    const { code, message } = await refusal(`${server.url}/99`);
    expect(code).toBe('QUEUE_REFUSED');
    expect(message).toContain('DB index is out of range');
  });

  it('tells when it is lost and when it is back', async () => {
    const notices: string[] = [];
    const redis = await connect({ url: server.url, onNotice: (line) => notices.push(line) });
    await server.restart();
    expect(await redis.ping()).toBe('PONG');
    redis.disconnect();
    expect(notices).toEqual([
      expect.stringMatching(/^The connection to redis:\/\/\*\*\*@127\.0\.0\.1:\d+ is lost; trying again\.$/),
      expect.stringMatching(/^Connected to redis:\/\/\*\*\*@127\.0\.0\.1:\d+ again\.$/),
    ]);
  });
});

describeWithRedis('a server with TLS', () => {
  let folder: TestFolder;
  let server: RedisServer;
  let certificate: string;
  beforeAll(async () => {
    folder = testFolder();
    const key = join(folder.path, 'key.pem');
    certificate = join(folder.path, 'certificate.pem');
    const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    const made = spawnSync('openssl', [
      'req',
      '-x509',
      ...kind,
      ...subject,
      '-keyout',
      key,
      '-out',
      certificate,
    ]);
    expect(made.status).toBe(0);
    server = await RedisServer.start({ password: 'secret', tls: { key, certificate } });
  });
  afterAll(async () => {
    await server.stop();
    folder.remove();
  });

  it('is not trusted without its certificate', async () => {
    const { code, message } = await refusal(server.url);
    expect(code).toBe('QUEUE_UNREACHABLE');
    expect(message).toContain('self-signed certificate');
  });

  it('is not spoken to without TLS', async () => {
    const { code } = await refusal(server.url.replace('rediss:', 'redis:'));
    expect(code).toBe('QUEUE_UNREACHABLE');
  });

  it('is trusted with the certificate that Node is told of', () => {
    const module = new URL('../../src/queue/connection.ts', import.meta.url).href;
    const code = `import { connect } from ${JSON.stringify(module)};
      const redis = await connect({ url: process.env.URL });
      console.log(await redis.ping());
      redis.disconnect();`;
    const { stdout } = spawnSync(process.execPath, [...process.execArgv, '--input-type=module', '-e', code], {
      env: { ...process.env, URL: server.url, NODE_EXTRA_CA_CERTS: certificate },
      encoding: 'utf8',
    });
    expect(stdout).toBe('PONG\n');
  });
});

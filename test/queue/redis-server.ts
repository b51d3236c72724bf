/** A real Redis server for tests, in a folder of its own. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { describe } from 'vitest';

const missing = spawnSync('redis-server', ['--version']).status !== 0;

/** Tests that need a server; the name says why they are skipped where there is none. */
export const describeWithRedis = (name: string, tests: () => void): void => {
  const reason = missing ? ' (skipped: redis-server is not installed; apt-get install redis-server)' : '';
  describe.skipIf(missing)(name + reason, tests);
};

export interface RedisServerOptions {
  readonly password?: string;
  /** Whether it writes an append-only file, from which it starts again. */
  readonly durable?: boolean;
  /** Files of a key and a certificate for 127.0.0.1, to answer by TLS only. */
  readonly tls?: { readonly key: string; readonly certificate: string };
}

export class RedisServer {
  readonly port: number;
  private readonly folder = mkdtempSync(join(tmpdir(), 'nc-redis-'));
  private readonly options: RedisServerOptions;
  private child: ChildProcess | undefined;

  private constructor(port: number, options: RedisServerOptions) {
    this.port = port;
    this.options = options;
  }

  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), options);
    await server.launch();
    return server;
  }

  /** With the password, if it has one. */
  get url(): string {
    const { password, tls } = this.options;
    return `${tls ? 'rediss' : 'redis'}://${password === undefined ? '' : `:${password}@`}127.0.0.1:${this.port}`;
  }

  /** A connection for looking at what the server holds. */
  client(): Redis {
    return new Redis(this.url, { tls: this.trust });
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.launch();
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private get trust() {
    const { tls } = this.options;
    return tls && { ca: readFileSync(tls.certificate) };
  }

  private async kill(): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  private async launch(): Promise<void> {
    const { password, durable = false, tls } = this.options;
    const settings = [
      ['--port', String(tls ? 0 : this.port)],
      ...(tls
        ? [
            ['--tls-port', String(this.port)],
            ['--tls-key-file', tls.key],
            ['--tls-cert-file', tls.certificate],
            ['--tls-auth-clients', 'no'],
          ]
        : []),
      ['--bind', '127.0.0.1'],
      ['--dir', this.folder],
      ['--save', ''],
      ['--appendonly', durable ? 'yes' : 'no'],
      ...(password === undefined ? [] : [['--requirepass', password]]),
    ];
    this.child = spawn('redis-server', settings.flat(), { stdio: 'ignore' });
    const probe = new Redis(this.url, {
      retryStrategy: () => 20,
      maxRetriesPerRequest: null,
      tls: this.trust,
    });
    probe.on('error', () => undefined);
    // Until then it may still read its file.
    while ((await probe.ping().catch(() => '')) !== 'PONG') await setTimeout(20);
    probe.disconnect();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
